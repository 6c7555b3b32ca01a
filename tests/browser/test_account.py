"""One's own account in a real browser: passwords, devices, and what keeps others out."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import httpx
import pytest
from selenium.webdriver import Keys
from selenium.webdriver.common.by import By

from tests.browser.actions import (
    PASSWORD,
    fill,
    is_signed_in,
    leave_page,
    press,
    register,
    sign_in,
    sign_out,
    text,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from selenium.webdriver import Chrome

    from tests.browser.conftest import Site

pytestmark = pytest.mark.slow

ANOTHER = "another long one"
OTHER_DEVICE = 'button[name="handle"]'


@pytest.fixture(autouse=True)
def _calm_console(browser: Chrome) -> Iterator[None]:
    """Let the browser complain of nothing but the refusals that a test provokes."""
    yield
    entries: list[dict[str, str]] = browser.get_log("browser")  # type: ignore[no-untyped-call]
    messages = [entry["message"] for entry in entries]
    assert [message for message in messages if "status of 4" not in message] == []


def let_an_hour_pass(site: Site) -> None:
    """Make every session an hour older."""
    with closing(sqlite3.connect(site.folder / "data" / "site.db", timeout=10)) as database:
        database.execute("UPDATE tornkit_session SET created_at = created_at - 3600")
        database.commit()


def focused(browser: Chrome) -> str | None:
    """Return the role of what has the keyboard's focus."""
    return browser.switch_to.active_element.get_attribute("role")


def problem_beside(browser: Chrome, field: str) -> str:
    """Return what a screen reader says of a field that is wrong."""
    found = browser.find_element(By.CSS_SELECTOR, f'[name="{field}"][aria-invalid="true"]')
    notes = (found.get_attribute("aria-describedby") or "").split()
    return browser.find_element(By.ID, notes[0]).text


def test_the_pages_are_sent_with_a_strict_policy(browser: Chrome, site: Site) -> None:
    browser.get(f"{site.url}/account/login")
    answer = httpx.get(f"{site.url}/account/login", trust_env=False)
    policy = answer.headers["content-security-policy"]
    assert "script-src 'none'" in policy
    assert "unsafe" not in policy


def test_a_weak_password_is_told_beside_its_field(browser: Chrome, site: Site) -> None:
    browser.get(f"{site.url}/account/register")
    fill(browser, email="weak@school.example", password="password")
    assert "many people use" in problem_beside(browser, "password")
    assert focused(browser) == "alert"
    assert browser.title.startswith("Error: ")
    assert not is_signed_in(browser, site)


@pytest.mark.parametrize("remember", [False, True], ids=["forget", "remember"])
def test_only_who_asks_is_remembered(browser: Chrome, site: Site, remember: bool) -> None:
    email = register(browser, site)
    sign_out(browser)
    browser.get(f"{site.url}/account/login")
    if remember:
        browser.find_element(By.CSS_SELECTOR, 'label[for="remember"]').click()
    fill(browser, email=email, password=PASSWORD)
    [cookie] = browser.get_cookies()
    assert cookie["httpOnly"]
    assert ("expiry" in cookie) is remember


def test_a_forgotten_password(browser: Chrome, other_browser: Chrome, site: Site) -> None:
    email = register(other_browser, site)
    before = site.output.length
    browser.get(f"{site.url}/account/login")
    leave_page(browser, browser.find_element(By.PARTIAL_LINK_TEXT, "Forgot").click)
    fill(browser, email=email)
    assert f"If there is an account for {email}" in text(browser)
    mail = site.output.expect(r"^---- mail ----$.*?^---- end of mail ----$", before)[0]
    assert f"To: {email}" in mail
    [link] = [line for line in mail.splitlines() if line.startswith("http")]

    browser.get(link)
    fill(browser, password="password")
    assert "many people use" in problem_beside(browser, "password")
    assert focused(browser) == "alert"
    assert "token" not in browser.current_url
    fill(browser, password=ANOTHER)
    assert browser.current_url == f"{site.url}/account/profile"
    assert "new password is set" in text(browser)
    assert not is_signed_in(other_browser, site)
    assert is_signed_in(browser, site)

    browser.get(link)
    assert "no longer works" in text(browser)
    token = link.partition("token=")[2]
    printed = site.output.expect(r"GET /account/reset\?token=\*\*\* 410", before).string
    assert token not in printed.replace(mail, "")


def test_changing_the_password_ends_what_is_elsewhere(
    browser: Chrome, other_browser: Chrome, site: Site
) -> None:
    email = register(browser, site)
    sign_in(other_browser, site, email)
    browser.get(f"{site.url}/account/password")
    fill(browser, password="not this one", new_password=ANOTHER)
    assert problem_beside(browser, "password") == "This is not your password."
    fill(browser, password=PASSWORD, new_password="password")
    assert "many people use" in problem_beside(browser, "new_password")
    [before] = browser.get_cookies()
    fill(browser, password=PASSWORD, new_password=ANOTHER)
    [after] = browser.get_cookies()
    assert "Your password is changed." in text(browser)
    assert after["value"] != before["value"]
    assert is_signed_in(browser, site)
    assert not is_signed_in(other_browser, site)
    sign_in(other_browser, site, email)
    assert "do not match" in text(other_browser)
    sign_in(other_browser, site, email, ANOTHER)
    assert is_signed_in(other_browser, site)


def test_one_device_ends_another_by_keyboard(
    browser: Chrome, other_browser: Chrome, site: Site
) -> None:
    email = register(browser, site)
    sign_in(other_browser, site, email)
    browser.get(f"{site.url}/account/profile")
    leave_page(browser, browser.find_element(By.PARTIAL_LINK_TEXT, "signed in").click)
    assert len(browser.find_elements(By.CSS_SELECTOR, ".rows > li")) == 2
    assert text(browser).count("This device") == 1
    [button] = browser.find_elements(By.CSS_SELECTOR, OTHER_DEVICE)
    leave_page(browser, lambda: button.send_keys(Keys.ENTER))
    assert "The device is signed out." in text(browser)
    assert len(browser.find_elements(By.CSS_SELECTOR, ".rows > li")) == 1
    assert not is_signed_in(other_browser, site)
    assert is_signed_in(browser, site)


def test_signing_out_everywhere(browser: Chrome, other_browser: Chrome, site: Site) -> None:
    email = register(browser, site)
    sign_in(other_browser, site, email)
    browser.get(f"{site.url}/account/sessions")
    press(browser, 'button[name="everywhere"]')
    assert browser.current_url == f"{site.url}/account/login"
    assert "signed out everywhere" in text(browser)
    assert not is_signed_in(other_browser, site)
    assert not is_signed_in(browser, site)


def test_an_old_sign_in_is_confirmed_before_sessions_end(
    browser: Chrome, other_browser: Chrome, site: Site
) -> None:
    email = register(browser, site)
    sign_in(other_browser, site, email)
    let_an_hour_pass(site)
    browser.get(f"{site.url}/account/sessions")
    press(browser, 'button[name="others"]')
    assert browser.current_url.startswith(f"{site.url}/account/confirm?next=")
    assert is_signed_in(other_browser, site)
    fill(browser, password="not this one")
    assert problem_beside(browser, "password") == "This is not your password."
    assert focused(browser) == "alert"
    fill(browser, password=PASSWORD)
    assert browser.current_url == f"{site.url}/account/sessions"
    press(browser, 'button[name="others"]')
    assert "All other devices are signed out." in text(browser)
    assert not is_signed_in(other_browser, site)
    assert is_signed_in(browser, site)


def test_too_many_attempts_are_told_in_the_form(browser: Chrome, site: Site) -> None:
    email = "nobody@school.example"
    form = {"email": email, "password": "a guess"}
    for _ in range(10):
        answer = httpx.post(f"{site.url}/account/login", data=form, trust_env=False)
        assert answer.status_code == 422
    sign_in(browser, site, email, "a guess")
    alert = browser.find_element(By.CSS_SELECTOR, '[role="alert"]')
    assert "Too many" in alert.text
    assert focused(browser) == "alert"
    assert browser.find_element(By.NAME, "email").get_attribute("value") == email
