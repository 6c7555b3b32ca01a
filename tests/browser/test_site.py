"""The generated site in a real browser: register, sign in and out, the doors, every width."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

if TYPE_CHECKING:
    from selenium.webdriver import Chrome

    from tests.browser.conftest import Site

pytestmark = pytest.mark.slow

PASSWORD = "correct horse battery"
_numbers = itertools.count()


def fill(browser: Chrome, **fields: str) -> None:
    """Fill the form of the page in and send it."""
    for name, value in fields.items():
        field = browser.find_element(By.NAME, name)
        field.clear()
        field.send_keys(value)
    address = browser.current_url
    body = browser.find_element(By.TAG_NAME, "body")
    browser.find_element(By.CSS_SELECTOR, "main form button").click()
    WebDriverWait(browser, 10).until(lambda _: address != browser.current_url or _stale(body))


def _stale(element: object) -> bool:
    # In the middle of a navigation the driver has other words for a stale element.
    from selenium.common.exceptions import WebDriverException

    try:
        element.tag_name  # type: ignore[attr-defined]  # noqa: B018
    except WebDriverException:
        return True
    return False


def text(browser: Chrome) -> str:
    return browser.find_element(By.TAG_NAME, "body").text


def register(browser: Chrome, site: Site) -> str:
    email = f"person{next(_numbers)}@school.example"
    browser.get(f"{site.url}/account/register")
    fill(browser, email=email, password=PASSWORD)
    return email


def sign_out(browser: Chrome) -> None:
    body = browser.find_element(By.TAG_NAME, "body")
    browser.find_element(By.CSS_SELECTOR, 'form[action$="/account/logout"] button').click()
    WebDriverWait(browser, 10).until(lambda _: _stale(body))


def test_register_sign_out_sign_in(browser: Chrome, site: Site) -> None:
    email = register(browser, site)
    assert browser.current_url == f"{site.url}/"
    browser.get(f"{site.url}/account/profile")
    assert email in text(browser)
    sign_out(browser)
    browser.get(f"{site.url}/account/is-signed-in")
    assert '"signed_in": false' in browser.page_source
    browser.get(f"{site.url}/account/login")
    fill(browser, email=email, password="wrong password")
    assert "do not match" in text(browser)
    assert browser.find_element(By.NAME, "email").get_attribute("value") == email
    fill(browser, password=PASSWORD)
    browser.get(f"{site.url}/account/is-signed-in")
    assert '"signed_in": true' in browser.page_source


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


def test_the_password_can_be_changed(browser: Chrome, site: Site) -> None:
    email = register(browser, site)
    browser.get(f"{site.url}/account/password")
    fill(browser, password=PASSWORD, new_password="another long one")
    assert "changed" in text(browser)
    sign_out(browser)
    browser.get(f"{site.url}/account/login")
    fill(browser, email=email, password="another long one")
    assert browser.current_url == f"{site.url}/"


@pytest.mark.parametrize("width", [360, 390, 1280])
def test_no_page_is_wider_than_the_window_and_every_field_has_a_label(
    browser: Chrome, site: Site, width: int
) -> None:
    browser.set_window_size(width, 900)
    browser.implicitly_wait(0)  # what is not there is an answer here
    for address in ("/", "/account/login", "/account/register", "/nowhere"):
        browser.get(f"{site.url}{address}")
        assert browser.execute_script(
            "return document.documentElement.scrollWidth <= window.innerWidth"
        ), address
        for field in browser.find_elements(By.CSS_SELECTOR, "input:not([type=hidden])"):
            label = f'label[for="{field.get_attribute("id")}"]'
            assert browser.find_elements(By.CSS_SELECTOR, label), address
        assert len(browser.find_elements(By.TAG_NAME, "h1")) == 1
        assert browser.find_element(By.TAG_NAME, "html").get_attribute("lang") == "en"


def test_the_keyboard_alone_is_enough_to_sign_in(browser: Chrome, site: Site) -> None:
    from selenium.webdriver import ActionChains, Keys

    email = register(browser, site)
    sign_out(browser)
    browser.get(f"{site.url}/account/login")
    body = browser.find_element(By.TAG_NAME, "body")
    keys = ActionChains(browser)
    browser.find_element(By.NAME, "email").send_keys(email)
    keys.send_keys(Keys.TAB, PASSWORD, Keys.ENTER).perform()
    WebDriverWait(browser, 10).until(lambda _: _stale(body))
    assert browser.current_url == f"{site.url}/"


def test_the_browser_reports_no_errors(browser: Chrome, site: Site) -> None:
    browser.get(f"{site.url}/")
    browser.get(f"{site.url}/account/login")
    entries: list[dict[str, str]] = browser.get_log("browser")  # type: ignore[no-untyped-call]
    messages = [entry["message"] for entry in entries]
    assert messages == []
