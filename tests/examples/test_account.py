"""The account example: its table of endpoints, its page in a real browser."""

from __future__ import annotations

import functools
import itertools
import json
import re
import sqlite3
import threading
from contextlib import closing
from http.server import HTTPServer, SimpleHTTPRequestHandler
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from tests.browser.conftest import browser
from tests.docs import project

if TYPE_CHECKING:
    from collections.abc import Iterator

    from selenium.webdriver import Chrome
    from selenium.webdriver.remote.webelement import WebElement

__all__ = ["browser"]  # a fixture

ACCOUNT = Path(__file__).parents[2] / "examples" / "account"
PASSWORD = "a long engine of difference"
TOO_MANY_TRIES = r"Too many tries\. Try again at \d+:\d\d:\d\d.*\."
_numbers = itertools.count()


def variables(folder: Path) -> dict[str, str]:
    """Keep what the example writes out of its folder."""
    paths = {f"ACCOUNT_PATHS__{name}": str(folder / name) for name in ("DATA", "LOG", "UPLOAD")}
    return {"ACCOUNT_DATABASES__DEFAULT": f"sqlite:///{folder}/site.db", **paths}


# --- the project -------------------------------------------------------------------------


@pytest.mark.slow
def test_the_models_have_their_migrations(tmp_path: Path) -> None:
    settings = variables(tmp_path)
    project.tornkit("db", "upgrade", cwd=ACCOUNT, variables=settings)
    printed = project.tornkit("db", "revision", "x", cwd=ACCOUNT, variables=settings)
    assert "nothing to write" in printed


def test_the_table_of_the_readme_is_what_is_routed(tmp_path: Path) -> None:
    readme = (ACCOUNT / "README.md").read_text("utf-8")
    table = set(re.findall(r"^\| ([A-Z]+) \| `(/api/\S+)` \|", readme, re.MULTILINE))
    printed = project.tornkit(
        "routes", "--json", "--module", "api.account", cwd=ACCOUNT, variables=variables(tmp_path)
    )
    routed = {
        (method, route["path"])
        for route in json.loads(printed)
        for method in route["methods"]
        if method != "HEAD"
    }
    assert table == routed


# --- the page ----------------------------------------------------------------------------


class Files(SimpleHTTPRequestHandler):
    """What a bundler is in development: files from another port."""

    def log_message(self, *args: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Serve an empty page on another port; return its origin."""
    folder = tmp_path_factory.mktemp("elsewhere")
    (folder / "index.html").write_text("<!doctype html><title>Elsewhere</title>")
    with HTTPServer(("127.0.0.1", 0), functools.partial(Files, directory=str(folder))) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://localhost:{server.server_port}"
        server.shutdown()
        thread.join()


class Site:
    """The running example: its address and its database."""

    def __init__(self, url: str, database: Path) -> None:
        self.url, self.database = url, database

    def let_time_pass(self, seconds: int) -> None:
        """Make every sign-in so much older."""
        with closing(sqlite3.connect(self.database)) as database, database:
            database.execute("UPDATE tornkit_session SET created_at = created_at - ?", [seconds])


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, elsewhere: str) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("account")
    settings = {
        **variables(folder),
        "ACCOUNT_CLIENT_ORIGINS": json.dumps([elsewhere]),
        "ACCOUNT_ACCOUNTS__SIGN_IN_PER_ACCOUNT": "3/15m",
    }
    with project.Running("--no-reload", cwd=ACCOUNT, variables=settings) as running:
        yield Site(running.url, folder / "site.db")


def new_email() -> str:
    return f"ada{next(_numbers)}@example.org"


def send(browser: Chrome, form: str, **values: str) -> None:
    """Fill a form in and send it; return when it can be sent again."""
    for name, value in values.items():
        field = browser.find_element(By.CSS_SELECTOR, f"#{form} [name={name}]")
        field.clear()
        field.send_keys(value)
    button = browser.find_element(By.CSS_SELECTOR, f"#{form} button")
    button.click()
    WebDriverWait(browser, 10).until(lambda _: button.is_enabled())


def register(browser: Chrome, site: Site) -> str:
    open_page(browser, site)
    email = new_email()
    send(browser, "register", email=email, name="Ada", password=PASSWORD)
    assert text(browser, "who") == "Ada"
    assert not is_shown(browser, "strangers")
    return email


def open_page(browser: Chrome, site: Site) -> None:
    """Open the page, and wait until it knows whether somebody is signed in."""
    browser.get(site.url)
    known = "#strangers:not([hidden]), #members:not([hidden])"
    browser.find_element(By.CSS_SELECTOR, known)  # the driver waits for it


def text(browser: Chrome, element: str) -> str:
    return browser.find_element(By.ID, element).text


def is_shown(browser: Chrome, element: str) -> bool:
    return browser.find_element(By.ID, element).is_displayed()


def value(browser: Chrome, form: str, field: str) -> object:
    return browser.find_element(By.CSS_SELECTOR, f"#{form} [name={field}]").get_property("value")


def problem_of(browser: Chrome, form: str, field: str) -> str:
    """Return what is said of a field to somebody who reads the page by its roles."""
    found: WebElement = browser.find_element(By.CSS_SELECTOR, f"#{form} [name={field}]")
    described = found.get_attribute("aria-describedby")
    assert found.get_attribute("aria-invalid") == "true"
    return text(browser, described or "")


def complaints(browser: Chrome) -> list[str]:
    """Return what the console says, but for the 4xx of refused requests."""
    entries: list[dict[str, str]] = browser.get_log("browser")  # type: ignore[no-untyped-call]
    return [entry["message"] for entry in entries if entry["source"] != "network"]


@pytest.mark.slow
def test_register_edit_sign_out_and_in(browser: Chrome, site: Site) -> None:
    email = register(browser, site)
    assert "Chrome" in text(browser, "sessions")
    assert "(here)" in text(browser, "sessions")
    send(browser, "edit", name="Ada Lovelace")
    assert text(browser, "notice") == "Saved."
    assert text(browser, "who") == "Ada Lovelace"
    open_page(browser, site)
    assert text(browser, "who") == "Ada Lovelace"
    send(browser, "logout")
    assert text(browser, "notice") == "You are signed out."
    assert not is_shown(browser, "members")
    send(browser, "login", email=email, password="wrong")
    assert text(browser, "notice") == "E-mail and password do not match. (1001)"
    send(browser, "login", password=PASSWORD)
    assert text(browser, "who") == "Ada Lovelace"
    assert complaints(browser) == []


@pytest.mark.slow
def test_what_is_refused_is_said_beside_its_field(browser: Chrome, site: Site) -> None:
    email = register(browser, site)
    send(browser, "logout")
    send(browser, "register", email="ada", password="password")
    assert problem_of(browser, "register", "email").endswith("(422)")
    send(browser, "register", email=email)
    assert problem_of(browser, "register", "password").endswith("choose another. (1003)")
    send(browser, "register", password=PASSWORD)
    assert problem_of(browser, "register", "email").endswith("already. (1002)")
    assert len(browser.find_elements(By.CSS_SELECTOR, "small.problem")) == 1
    assert browser.switch_to.active_element.get_attribute("name") == "email"
    assert complaints(browser) == []
    send(browser, "login", email=email, password=PASSWORD)
    send(browser, "logout")
    assert browser.find_elements(By.CSS_SELECTOR, "[aria-invalid], small.problem") == []
    assert value(browser, "register", "password") == ""


@pytest.mark.slow
def test_another_email_asks_for_the_password_and_goes_on(browser: Chrome, site: Site) -> None:
    register(browser, site)
    site.let_time_pass(11 * 60)
    wanted = new_email()
    send(browser, "edit", email=wanted)
    assert is_shown(browser, "proof")
    send(browser, "confirm", password="wrong")
    assert problem_of(browser, "confirm", "password").endswith("(1005)")
    send(browser, "confirm", password=PASSWORD)
    assert not is_shown(browser, "proof")
    assert text(browser, "notice") == "Saved."
    open_page(browser, site)
    assert value(browser, "edit", "email") == wanted
    assert complaints(browser) == []


@pytest.mark.slow
def test_who_was_signed_out_meanwhile_sees_the_sign_in_form(browser: Chrome, site: Site) -> None:
    register(browser, site)
    browser.delete_all_cookies()
    send(browser, "edit", name="Eve")
    assert text(browser, "notice") == "You are signed out. Sign in again."
    assert is_shown(browser, "login")
    assert not is_shown(browser, "members")


@pytest.mark.slow
def test_after_too_many_tries_it_says_when_to_try_again(browser: Chrome, site: Site) -> None:
    open_page(browser, site)
    email = new_email()
    for _ in range(4):
        send(browser, "login", email=email, password="wrong")
    assert re.fullmatch(TOO_MANY_TRIES, text(browser, "notice"))


@pytest.mark.slow
def test_so_it_does_for_a_password_asked_for_again(browser: Chrome, site: Site) -> None:
    register(browser, site)
    site.let_time_pass(11 * 60)
    send(browser, "edit", email=new_email())
    for _ in range(4):
        send(browser, "confirm", password="wrong")
    assert not is_shown(browser, "proof")
    assert re.fullmatch(TOO_MANY_TRIES, text(browser, "notice"))


@pytest.mark.slow
def test_the_policy_stops_a_script_that_is_not_the_pages_own(browser: Chrome, site: Site) -> None:
    open_page(browser, site)
    browser.execute_script(
        "const script = document.createElement('script');"
        "script.textContent = 'document.title = `taken over`';"
        "document.body.append(script);"
    )
    assert browser.title == "Account"
    assert "Content Security Policy" in "".join(complaints(browser))


@pytest.mark.slow
@pytest.mark.parametrize("width", [360, 1280])
def test_the_page_is_no_wider_than_the_window(browser: Chrome, site: Site, width: int) -> None:
    browser.set_window_size(width, 900)
    register(browser, site)
    for form in ("edit", "login"):
        assert is_shown(browser, form)
        assert browser.execute_script(
            "return document.documentElement.scrollWidth <= window.innerWidth"
        )
        if form == "edit":
            send(browser, "logout")


def ask(browser: Chrome, method: str, address: str, body: object = None) -> dict[str, Any]:
    """Ask as a client from elsewhere does, with its cookies."""
    answer: dict[str, Any] = browser.execute_async_script(
        """
        const [method, address, body, done] = arguments;
        const headers = body ? { "Content-Type": "application/json" } : {};
        const request = { method, headers, credentials: "include" };
        if (body) request.body = JSON.stringify(body);
        fetch(address, request).then((answer) => answer.json())
            .then(done, (error) => done({ code: String(error) }));
        """,
        method,
        address,
        body,
    )
    return answer


@pytest.mark.slow
def test_a_client_from_another_port_of_the_same_host_stays_signed_in(
    browser: Chrome, site: Site, elsewhere: str
) -> None:
    browser.get(elsewhere)
    api = site.url.replace("127.0.0.1", "localhost") + "/api/account"
    account = {"email": new_email(), "password": PASSWORD}
    assert ask(browser, "POST", f"{api}/register", account)["code"] == 0
    assert ask(browser, "PATCH", f"{api}/edit", {"name": "Ada"})["account"]["name"] == "Ada"
    assert ask(browser, "GET", f"{api}/is-logged-in")["logged_in"] is True


@pytest.mark.slow
def test_one_from_another_site_does_not(browser: Chrome, site: Site, elsewhere: str) -> None:
    browser.get(elsewhere)
    api = f"{site.url}/api/account"  # 127.0.0.1, and the page is of localhost
    account = {"email": new_email(), "password": PASSWORD}
    assert ask(browser, "POST", f"{api}/register", account)["code"] == 0
    assert ask(browser, "GET", f"{api}/is-logged-in")["logged_in"] is False


@pytest.mark.slow
def test_one_that_is_not_named_is_kept_out(browser: Chrome, site: Site, elsewhere: str) -> None:
    browser.get(elsewhere.replace("localhost", "127.0.0.1"))
    account = {"email": new_email(), "password": PASSWORD}
    for address in (site.url, site.url.replace("127.0.0.1", "localhost")):
        refused = ask(browser, "POST", f"{address}/api/account/register", account)
        assert "Failed to fetch" in str(refused["code"])
