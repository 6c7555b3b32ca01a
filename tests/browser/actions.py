"""What people do on the pages of a generated site."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from selenium.common.exceptions import WebDriverException
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

if TYPE_CHECKING:
    from collections.abc import Callable

    from selenium.webdriver import Chrome
    from selenium.webdriver.remote.webelement import WebElement

    from tests.browser.conftest import Site

PASSWORD = "correct horse battery"
_numbers = itertools.count()


def leave_page(browser: Chrome, act: Callable[[], object]) -> None:
    """Do what leads to another page, and wait until that is there."""
    body = browser.find_element(By.TAG_NAME, "body")
    act()
    WebDriverWait(browser, 10).until(lambda _: _is_gone(body))


def _is_gone(element: WebElement) -> bool:
    # In the middle of a navigation the driver has other words for a stale element.
    try:
        element.tag_name  # noqa: B018 - asking is what tells
    except WebDriverException:
        return True
    return False


def fill(browser: Chrome, **fields: str) -> None:
    """Fill the form of the page in and send it."""
    for name, value in fields.items():
        field = browser.find_element(By.CSS_SELECTOR, f'[name="{name}"]:not([hidden])')
        field.clear()
        field.send_keys(value)
    press(browser, "main form button")


def press(browser: Chrome, selector: str) -> None:
    """Press a button that leads to another page."""
    leave_page(browser, browser.find_element(By.CSS_SELECTOR, selector).click)


def text(browser: Chrome) -> str:
    return browser.find_element(By.TAG_NAME, "body").text


def register(browser: Chrome, site: Site) -> str:
    """Open an account, signed in from here; return its address."""
    email = f"person{next(_numbers)}@school.example"
    browser.get(f"{site.url}/account/register")
    fill(browser, email=email, password=PASSWORD)
    return email


def sign_in(browser: Chrome, site: Site, email: str, password: str = PASSWORD) -> None:
    browser.get(f"{site.url}/account/login")
    fill(browser, email=email, password=password)


def sign_out(browser: Chrome) -> None:
    press(browser, 'form[action$="/account/logout"] button')


def is_signed_in(browser: Chrome, site: Site) -> bool:
    browser.get(f"{site.url}/account/is-signed-in")
    return '"signed_in": true' in browser.page_source
