"""The headers in a real browser: a page's own scripts run, what is injected does not."""

from __future__ import annotations

import asyncio
import importlib
import itertools
import threading
from typing import TYPE_CHECKING, Any

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait
from tornado.httpserver import HTTPServer
from tornado.testing import bind_unused_port

from tornkit import Application, Settings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from selenium.webdriver import Chrome

pytestmark = pytest.mark.slow

_numbers = itertools.count()

MODULE = '''
from tornkit import PUBLIC, BaseHandler, Cors, Module, WebSocketHandler, path

BAD = """
<script>document.body.dataset.injected = "ran"</script>
<style>h1 { color: rgb(255, 0, 0) !important }</style>
<img src="/nowhere" onerror="document.body.dataset.onerror = 'ran'">
<button id="bad" onclick="document.body.dataset.onclick = 'ran'">press</button>
<p id="styled" style="color: rgb(255, 0, 0)">styled</p>
"""


class Page(BaseHandler):
    async def get(self):
        self.response_html("home/page.html", bad=BAD)


class Framed(BaseHandler):
    content_security_policy = {"frame-ancestors": "'self'"}

    async def get(self):
        self.response("<p id=inside>inside", "text/html; charset=utf-8")


class Frames(BaseHandler):
    async def get(self):
        self.response("<iframe src=/></iframe><iframe src=/framed></iframe>", "text/html")


class Live(WebSocketHandler):
    async def open(self):
        await self.write_message("hello")


class Asking(BaseHandler):
    @property
    def _other(self):
        return self.settings["other"]

    async def get(self):
        self.set_header(
            "Content-Security-Policy",
            f"default-src 'none'; script-src 'nonce-{self.csp_nonce}'; connect-src {self._other}",
        )
        self.response_html("home/asking.html", other=self._other)


class Api(BaseHandler):
    async def get(self):
        self.set_status(422)
        self.response_json(status_code=422, read=True)

    async def put(self):
        self.response_json(put=self.request.headers["X-Token"])


def make(origins):
    return Module(
        access=PUBLIC,
        name="home",
        routes=[
            path("/", Page),
            path("/framed", Framed),
            path("/frames", Frames),
            path("/live", Live),
            path("/asking", Asking),
            path("/api", Api),
        ],
        cors=Cors(origins=origins, headers=["X-Token"]),
    )


module = make(["https://nobody.example"])
'''

PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>page</title>
<link rel="stylesheet" href="{{ static_url('home/page.css') }}">
<link rel="modulepreload" href="{{ static_url('home/part.js') }}">
<style>
h1 { color: rgb(0, 128, 0) }
</style>
<script src="{{ static_url('home/page.js') }}" defer></script>
<script type="module">
import { part } from "/static/home/part.js";
document.body.dataset.part = part;
</script>
</head>
<body>
<h1>Page</h1>
<img alt="" src="data:image/gif;base64,R0lGODlhAQABAAAAACw=">
{{ bad|safe }}
<script>
document.body.dataset.inline = "ran";
new Worker("/static/home/worker.js").onmessage = (message) => {
  document.body.dataset.worker = message.data;
};
new WebSocket(`ws://${location.host}/live`).onmessage = (message) => {
  document.body.dataset.socket = message.data;
};
</script>
</body>
</html>
"""

ASKING = """<!doctype html>
<title>asking</title>
<body>
<script>
const other = {{ other|tojson }};
const seen = document.body.dataset;
fetch(`${other}/api`)
  .then((answer) => answer.json().then((body) => { seen.get = answer.status + " " + body.read; }))
  .catch((error) => { seen.get = "blocked"; });
const headers = {"X-Token": "t", "Content-Type": "application/json"};
fetch(`${other}/api`, {method: "PUT", headers})
  .then((answer) => answer.json().then((body) => { seen.put = body.put; }))
  .catch((error) => { seen.put = "blocked"; });
</script>
"""


class Served:
    """An application on a port of its own, in a thread of its own."""

    def __init__(self, application: Application) -> None:
        self._socket, port = bind_unused_port()
        self.url = f"http://127.0.0.1:{port}"
        self.application = application
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=[self._run()])

    async def _run(self) -> None:
        self._stop = asyncio.Event()
        async with self.application:
            server = HTTPServer(self.application)
            server.add_socket(self._socket)
            self._ready.set()
            await self._stop.wait()
            server.stop()
            await server.close_all_connections()
            # A browser keeps its WebSocket open.
            left = asyncio.all_tasks() - {asyncio.current_task()}
            for each in left:
                each.cancel()
            await asyncio.gather(*left, return_exceptions=True)

    def __enter__(self) -> Served:
        self._thread.start()
        assert self._ready.wait(30)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(30)
        self._loop.close()


class Project:
    """A package on disk with one module, and applications of it."""

    def __init__(self, folder: Path, package: str) -> None:
        self.folder, self.package = folder, package

    def application(self) -> Application:
        overrides = {"session.store": "memory://"}
        settings = Settings.load("testing", project_dir=self.folder, overrides=overrides)
        return Application(settings, modules=f"{self.package}.modules")

    def name_origins(self, *origins: str) -> None:
        home: Any = importlib.import_module(f"{self.package}.modules.home")
        home.module = home.make(origins)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    package = f"headersite{next(_numbers)}"
    files = {
        "__init__.py": "",
        "modules/__init__.py": "",
        "modules/home/__init__.py": MODULE,
        "modules/home/templates/page.html": PAGE,
        "modules/home/templates/asking.html": ASKING,
        "modules/home/static/page.css": "h1 { text-decoration: underline }",
        "modules/home/static/page.js": 'document.body.dataset.file = "ran";',
        "modules/home/static/part.js": 'export const part = "imported";',
        "modules/home/static/worker.js": 'postMessage("works");',
    }
    for name, text in files.items():
        file = tmp_path / package / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    return Project(tmp_path, package)


@pytest.fixture
def address(project: Project) -> Iterator[str]:
    with Served(project.application()) as served:
        yield served.url


def seen(browser: Chrome, *names: str) -> dict[str, str]:
    """Return what the page's scripts have noted, once all of these names are there."""
    script = "return {...document.body.dataset}"
    WebDriverWait(browser, 10).until(lambda _: {*names} <= {*browser.execute_script(script)})
    found: dict[str, str] = browser.execute_script(script)
    return found


def color(browser: Chrome, selector: str) -> str:
    return browser.find_element(By.CSS_SELECTOR, selector).value_of_css_property("color")


def test_a_pages_own_scripts_and_styles_run_and_injected_ones_do_not(
    browser: Chrome, address: str
) -> None:
    browser.get(address)
    noted = seen(browser, "inline", "file", "part", "worker", "socket")
    assert noted == {
        "inline": "ran",
        "file": "ran",
        "part": "imported",
        "worker": "works",
        "socket": "hello",
    }
    heading = browser.find_element(By.TAG_NAME, "h1")
    assert "underline" in heading.value_of_css_property("text-decoration")
    assert color(browser, "h1") == "rgba(0, 128, 0, 1)"
    assert color(browser, "#styled") != "rgba(255, 0, 0, 1)"
    browser.find_element(By.ID, "bad").click()
    assert not {"injected", "onerror", "onclick"} & {*seen(browser)}
    problems = " ".join(entry["message"] for entry in browser.get_log("browser"))  # type: ignore[no-untyped-call]
    assert "Content Security Policy" in problems
    assert "/static/" not in problems


def test_the_browser_shows_no_page_of_the_site_in_a_frame(browser: Chrome, address: str) -> None:
    browser.get(f"{address}/frames")
    refused, shown = browser.find_elements(By.TAG_NAME, "iframe")
    browser.switch_to.frame(shown)
    assert browser.find_element(By.ID, "inside").text == "inside"
    browser.switch_to.default_content()
    browser.switch_to.frame(refused)
    assert browser.find_element(By.CSS_SELECTOR, "body.neterror").tag_name == "body"
    browser.implicitly_wait(0)
    assert not browser.find_elements(By.ID, "bad")


def test_an_origin_that_is_named_reads_errors_and_sends_headers_and_no_other_does(
    browser: Chrome, project: Project
) -> None:
    with Served(project.application()) as named, Served(project.application()) as other:
        project.name_origins(named.url)
        with Served(project.application()) as asked:
            for page in (named, other):
                page.application.settings["other"] = asked.url
            browser.get(f"{named.url}/asking")
            assert seen(browser, "get", "put") == {"get": "422 true", "put": "t"}
            browser.get(f"{other.url}/asking")
            assert seen(browser, "get", "put") == {"get": "blocked", "put": "blocked"}
