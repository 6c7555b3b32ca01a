"""The generated site in a real browser: register, sign in and out, the doors, every width."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from selenium.webdriver import ActionChains, Keys
from selenium.webdriver.common.by import By

from tests.browser.actions import (
    PASSWORD,
    fill,
    is_signed_in,
    leave_page,
    register,
    sign_in,
    sign_out,
    text,
)

if TYPE_CHECKING:
    from selenium.webdriver import Chrome

    from tests.browser.conftest import Site

pytestmark = pytest.mark.slow


def test_register_sign_out_sign_in(browser: Chrome, site: Site) -> None:
    email = register(browser, site)
    assert browser.current_url == f"{site.url}/"
    browser.get(f"{site.url}/account/profile")
    assert email in text(browser)
    sign_out(browser)
    assert not is_signed_in(browser, site)
    sign_in(browser, site, email, "wrong password")
    assert "do not match" in text(browser)
    assert browser.find_element(By.NAME, "email").get_attribute("value") == email
    fill(browser, password=PASSWORD)
    assert is_signed_in(browser, site)


def test_the_door_leads_through_sign_in_and_back(browser: Chrome, site: Site) -> None:
    email = register(browser, site)
    site.tornkit("user", "roles", email, "--add", "teacher")
    sign_out(browser)
    browser.get(f"{site.url}/teacher/")
    assert browser.current_url == f"{site.url}/account/login?next=%2Fteacher%2F"
    fill(browser, email=email, password=PASSWORD)
    assert browser.current_url == f"{site.url}/teacher/"
    assert browser.find_element(By.TAG_NAME, "h1").text == "Teacher"
    assert "Student" not in text(browser)
    browser.get(f"{site.url}/student/")
    assert browser.find_elements(By.TAG_NAME, "h1")
    assert "403" in text(browser)
    assert browser.current_url == f"{site.url}/student/"


PUBLIC_PAGES = ["/", "/account/login", "/account/register", "/account/forgot", "/nowhere"]
PUBLIC_PAGES += ["/account/reset?token=nonsense"]
OWN_PAGES = ["/", *(f"/account/{name}" for name in ("profile", "password", "sessions", "confirm"))]


@pytest.mark.parametrize("width", [360, 390, 1280])
def test_no_page_is_wider_than_the_window_and_every_field_has_a_label(
    browser: Chrome, site: Site, width: int
) -> None:
    browser.set_window_size(width, 900)
    browser.implicitly_wait(0)  # what is not there is an answer here
    look_at(browser, site, PUBLIC_PAGES)
    register(browser, site)
    look_at(browser, site, OWN_PAGES)


def look_at(browser: Chrome, site: Site, addresses: list[str]) -> None:
    for address in addresses:
        browser.get(f"{site.url}{address}")
        assert browser.execute_script(
            "return document.documentElement.scrollWidth <= window.innerWidth"
        ), address
        for field in browser.find_elements(By.CSS_SELECTOR, "input:not([type=hidden], [hidden])"):
            label = f'label[for="{field.get_attribute("id")}"]'
            assert browser.find_elements(By.CSS_SELECTOR, label), address
        assert len(browser.find_elements(By.TAG_NAME, "h1")) == 1
        assert browser.find_element(By.TAG_NAME, "html").get_attribute("lang") == "en"


def test_the_keyboard_alone_is_enough_to_sign_in(browser: Chrome, site: Site) -> None:
    email = register(browser, site)
    sign_out(browser)
    browser.get(f"{site.url}/account/login")
    browser.find_element(By.NAME, "email").send_keys(email)
    keys = ActionChains(browser).send_keys(Keys.TAB, PASSWORD, Keys.ENTER)
    leave_page(browser, keys.perform)
    assert browser.current_url == f"{site.url}/"


def test_the_browser_reports_no_errors(browser: Chrome, site: Site) -> None:
    browser.get(f"{site.url}/")
    browser.get(f"{site.url}/account/login")
    entries: list[dict[str, str]] = browser.get_log("browser")  # type: ignore[no-untyped-call]
    messages = [entry["message"] for entry in entries]
    assert messages == []
