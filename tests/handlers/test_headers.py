"""The headers that every answer carries, and the nonce of a page."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import jinja2
import pytest
import tornado.web
from tornado.httpclient import HTTPRequest
from tornado.httputil import HTTPHeaders, HTTPServerRequest, RequestStartLine
from tornado.websocket import websocket_connect

from tornkit import PUBLIC, BaseHandler, Module, WebSocketHandler, path, roles
from tornkit.errors import AnswerError

if TYPE_CHECKING:
    from pathlib import Path

    import httpx

    from tests.handlers.conftest import StartSite

POLICY = "Content-Security-Policy"
PRODUCTION: dict[str, object] = {
    "secret": "kZ8-2nP_q7Wv0xT4yL6mB9cD1fG3hJ5s",
    "allowed_hosts": ["127.0.0.1"],
    "session.store": "memory://",
}
HTML = {"Accept": "text/html"}


def nonce_in(policy: str) -> str | None:
    found = re.search(r"'nonce-([A-Za-z0-9_-]+)'", policy)
    return found[1] if found else None


class Page(BaseHandler):
    async def get(self) -> None:
        self.response("<p>hello", "text/html; charset=utf-8")

    async def post(self) -> None:
        self.redirect("/", status=303)


class Inline(BaseHandler):
    async def get(self) -> None:
        assert self.csp_nonce == self.csp_nonce
        self.response(f"<script nonce={self.csp_nonce}></script>", "text/html; charset=utf-8")


class Json(BaseHandler):
    async def get(self) -> None:
        self.response_json()


class Broken(BaseHandler):
    async def get(self) -> None:
        self.write(self.csp_nonce)
        raise ZeroDivisionError


def home(*routes: Any, **kwargs: Any) -> Module:
    return Module(name="home", access=PUBLIC, routes=list(routes), **kwargs)


def handler(**members: Any) -> type[BaseHandler]:
    return type("Own", (Page,), members)


async def answer_of(start: StartSite, kind: type[tornado.web.RequestHandler]) -> httpx.Response:
    client = await start(home(path("/", kind)))
    return await client.get("/")


async def test_every_kind_of_answer_carries_the_headers(start: StartSite) -> None:
    class Plain(tornado.web.RequestHandler):
        def get(self) -> None:
            self.write("plain")

    client = await start(
        home(path("/", Page), path("/json", Json), path("/broken", Broken), ("/plain", Plain)),
        Module(name="teacher", access=roles("teacher"), routes=[path("/", Page)]),
        environment="production",
        overrides=PRODUCTION,
    )
    asked = [
        ("GET", "/", 200),
        ("HEAD", "/", 200),
        ("OPTIONS", "/", 204),
        ("POST", "/", 303),
        ("DELETE", "/", 405),
        ("BREW", "/", 405),
        ("GET", "/plain", 200),
        ("GET", "/json", 200),
        ("GET", "/broken", 500),
        ("GET", "/missing", 404),
        ("GET", "/teacher", 308),
        ("GET", "/teacher/", 401),
        ("GET", "/static/missing.css", 404),
        ("GET", "/health/live", 200),
    ]
    for method, address, status in asked:
        answer = await client.request(method, address, headers=HTML)
        shown = (method, address, answer.status_code)
        assert answer.status_code == status, shown
        headers = answer.headers
        assert headers["X-Content-Type-Options"] == "nosniff", shown
        assert headers["Referrer-Policy"] == "same-origin", shown
        assert headers["Cross-Origin-Opener-Policy"] == "same-origin", shown
        assert headers["X-Frame-Options"] == "DENY", shown
        assert headers["Strict-Transport-Security"] == "max-age=31536000", shown
        assert "frame-ancestors 'none'" in headers[POLICY], shown
        assert "Server" not in headers, shown
        assert "Date" in headers, shown
    refused = await client.get("/", headers={"Host": "evil.example"})
    assert refused.status_code == 400
    assert POLICY in refused.headers


async def test_hsts_is_for_production_only(start: StartSite) -> None:
    assert "Strict-Transport-Security" not in (await answer_of(start, Page)).headers


async def test_the_settings_change_the_headers(start: StartSite) -> None:
    changed: dict[str, object] = {
        "security.referrer_policy": "no-referrer",
        "security.content_security_policy": {"frame-ancestors": "'self'", "img-src": "*"},
        "security.hsts": 60,
        "security.hsts_subdomains": True,
    }
    client = await start(
        home(path("/", Page)), environment="production", overrides={**PRODUCTION, **changed}
    )
    headers = (await client.get("/")).headers
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["X-Frame-Options"] == "SAMEORIGIN"
    assert "img-src *;" in headers[POLICY]
    assert headers["Strict-Transport-Security"] == "max-age=60; includeSubDomains"


async def test_a_handler_changes_its_own_policy_by_directives(start: StartSite) -> None:
    kind = handler(
        content_security_policy={
            "img-src": "https://tiles.example",
            "form-action": "",
            "frame-ancestors": "https://partner.example",
        }
    )
    headers = (await answer_of(start, kind)).headers
    assert "img-src https://tiles.example;" in headers[POLICY]
    assert "form-action" not in headers[POLICY]
    assert "object-src 'none'" in headers[POLICY]
    assert "X-Frame-Options" not in headers  # it could only say no to the partner


@pytest.mark.parametrize(
    ("policy", "problem"),
    [({"imgsrc": "*"}, "'imgsrc': expected the name"), ("img-src *", "expected a dict")],
    ids=str,
)
def test_bad_directives_of_a_handler_are_refused_where_it_is_written(
    policy: object, problem: str
) -> None:
    with pytest.raises(ValueError, match=r"^class Own: content_security_policy: ") as refused:
        handler(content_security_policy=policy)
    assert problem in str(refused.value)


async def test_what_a_handler_sets_itself_wins(start: StartSite) -> None:
    class Own(BaseHandler):
        def set_default_headers(self) -> None:
            self.set_header("Referrer-Policy", "origin")
            self.clear_header("Cross-Origin-Opener-Policy")

        async def get(self) -> None:
            self.set_header(POLICY, "default-src *; frame-ancestors 'self'")
            self.response(self.csp_nonce, "text/html")

    headers = (await answer_of(start, Own)).headers
    assert headers[POLICY] == "default-src *; frame-ancestors 'self'"
    assert headers["X-Frame-Options"] == "SAMEORIGIN"
    assert headers["Referrer-Policy"] == "origin"
    assert "Cross-Origin-Opener-Policy" not in headers


async def test_what_is_set_to_nothing_or_cleared_is_left_out(start: StartSite) -> None:
    class Own(BaseHandler):
        async def get(self) -> None:
            self.set_header(POLICY, "")
            self.set_header("x-frame-options", "")
            self.clear_header("Referrer-Policy")
            self.response_json()

    headers = (await answer_of(start, Own)).headers
    assert not {POLICY, "X-Frame-Options", "Referrer-Policy"} & {*headers}
    assert not {"content-security-policy", "x-frame-options", "referrer-policy"} & {*headers}
    assert headers["X-Content-Type-Options"] == "nosniff"


async def test_own_frame_options_stay_beside_an_own_policy(start: StartSite) -> None:
    class Own(BaseHandler):
        async def get(self) -> None:
            self.set_header(POLICY, "frame-ancestors https://partner.example")
            self.set_header("X-Frame-Options", "SAMEORIGIN")
            self.response("", "text/html")

    assert (await answer_of(start, Own)).headers["X-Frame-Options"] == "SAMEORIGIN"


@pytest.mark.parametrize("kind", ["application/json", "application/problem+json; charset=utf-8"])
async def test_json_may_do_nothing(start: StartSite, kind: str) -> None:
    class Own(BaseHandler):
        content_security_policy = {"frame-ancestors": "'self'"}

        async def get(self) -> None:
            self.response("{}", kind)

    headers = (await answer_of(start, Own)).headers
    assert headers[POLICY] == "default-src 'none'; frame-ancestors 'none'"
    assert headers["X-Frame-Options"] == "DENY"


async def test_the_nonce_is_in_the_header_only_where_it_is_used(start: StartSite) -> None:
    client = await start(home(path("/", Page), path("/inline", Inline)))
    without = await client.get("/")
    assert "script-src 'none'" in without.headers[POLICY]
    assert "nonce" not in without.headers[POLICY]
    first, second = await client.get("/inline"), await client.get("/inline")
    nonce = nonce_in(first.headers[POLICY])
    assert nonce is not None
    assert len(nonce) * 6 >= 128
    assert f"script-src 'nonce-{nonce}'; style-src 'self' 'nonce-{nonce}'" in first.headers[POLICY]
    assert first.text == f"<script nonce={nonce}></script>"
    assert nonce_in(second.headers[POLICY]) not in (None, nonce)


async def test_a_template_writes_the_nonce_that_is_in_the_header(start: StartSite) -> None:
    class Rendered(BaseHandler):
        async def get(self) -> None:
            self.response_html("page.html", bad="<script></script>")

    client = await start(home(path("/", Rendered)))
    client.application.templates.loader = jinja2.DictLoader(
        {"page.html": "<script>own</script>{{ bad|safe }}<i>{{ csp_nonce }}</i>"}
    )
    answer = await client.get("/")
    nonce = nonce_in(answer.headers[POLICY])
    assert nonce is not None
    assert answer.text == f"<script nonce={nonce}>own</script><script></script><i>{nonce}</i>"


async def test_a_page_with_a_nonce_is_kept_by_no_shared_cache(start: StartSite) -> None:
    class Kept(Inline):
        def prepare(self) -> None:
            self.set_header("Cache-Control", "public, max-age=60")

    client = await start(home(path("/", Page), path("/inline", Inline), path("/kept", Kept)))
    page, inline = await client.get("/"), await client.get("/inline")
    assert "Cache-Control" not in page.headers
    assert "Etag" in page.headers
    assert inline.headers["Cache-Control"] == "private, no-cache"
    assert "Etag" not in inline.headers
    assert (await client.get("/kept")).headers["Cache-Control"] == "public, max-age=60"


async def test_a_304_leaves_the_kept_page_its_policy(start: StartSite) -> None:
    class Tagged(BaseHandler):
        async def get(self) -> None:
            self.set_header("Etag", '"1"')
            if self.check_etag_header():
                self.set_status(304)
                await self.finish()
            else:
                self.response(f"<script nonce={self.csp_nonce}></script>", "text/html")

    client = await start(home(path("/", Tagged)))
    assert POLICY in (await client.get("/")).headers
    again = await client.get("/", headers={"If-None-Match": '"1"'})
    assert again.status_code == 304
    assert POLICY not in again.headers
    assert again.headers["X-Content-Type-Options"] == "nosniff"


async def test_an_error_page_has_the_nonce_of_its_answer(start: StartSite) -> None:
    client = await start(home(path("/", Broken)))
    for address in ("/", "/missing"):
        answer = await client.get(address, headers=HTML)
        nonce = nonce_in(answer.headers[POLICY])
        assert nonce is not None
        assert f"<style nonce={nonce}>" in answer.text


async def test_the_debug_page_has_a_nonce(start: StartSite) -> None:
    client = await start(home(path("/", Broken)), overrides={"debug": True})
    answer = await client.get("/", headers=HTML)
    assert "ZeroDivisionError" in answer.text
    assert f"<style nonce={nonce_in(answer.headers[POLICY])}>" in answer.text


async def test_a_nonce_after_the_headers_is_an_error(start: StartSite) -> None:
    seen: list[BaseException] = []

    class Late(BaseHandler):
        async def get(self) -> None:
            await self.flush()
            try:
                self.write(self.csp_nonce)
            except AnswerError as error:
                seen.append(error)

    await answer_of(start, Late)
    assert "after the headers" in str(seen[0])


async def test_plain_handlers_and_files_may_load_the_sites_own_scripts(start: StartSite) -> None:
    class Plain(tornado.web.RequestHandler):
        content_security_policy = "a name of its own"

        def get(self) -> None:
            self.write("plain")

    client = await start(home(("/plain", Plain), path("/", Page)))
    for address in ("/plain", "/static/missing.js"):
        assert "script-src 'self'" in (await client.get(address)).headers[POLICY], address
    assert "script-src 'none'" in (await client.get("/")).headers[POLICY]


async def test_the_settings_replace_what_plain_handlers_may_load(start: StartSite) -> None:
    class Plain(tornado.web.RequestHandler):
        def get(self) -> None:
            self.write("plain")

    client = await start(
        home(("/", Plain)),
        overrides={"security.content_security_policy": {"script-src": "https://cdn.example"}},
    )
    assert "script-src https://cdn.example;" in (await client.get("/")).headers[POLICY]


async def test_an_upgrade_to_a_websocket_works(start: StartSite) -> None:
    class Echo(WebSocketHandler):
        async def on_message(self, message: str | bytes) -> None:
            await self.write_message(message)

    client = await start(home(path("/echo", Echo)))
    connection = await websocket_connect(
        HTTPRequest(str(client.base_url).replace("http", "ws") + "/echo")
    )
    assert connection.headers is not None
    assert connection.headers["X-Content-Type-Options"] == "nosniff"
    await connection.write_message("hello")
    assert await connection.read_message() == "hello"
    connection.close()


async def test_tornados_own_templates_have_the_nonce(start: StartSite, tmp_path: Path) -> None:
    class Box(tornado.web.UIModule):
        def render(self) -> str:
            return "box"

        def embedded_javascript(self) -> str:
            return "let box"

        def embedded_css(self) -> str:
            return "b {}"

        def javascript_files(self) -> list[str]:
            return ["/a.js", "/b.js"]

    class Own(BaseHandler):
        def get(self) -> None:
            self.render("own.html")

    (tmp_path / "own.html").write_text(
        "<head></head><body>{% module Box() %}<script nonce={{ csp_nonce }}></script></body>"
    )
    (tmp_path / "bare.html").write_text("<p>")
    client = await start(
        home(path("/", Own), path("/bare", handler(get=lambda self: self.render("bare.html")))),
        template_path=str(tmp_path),
        ui_modules={"Box": Box},
    )
    answer = await client.get("/")
    nonce = nonce_in(answer.headers[POLICY])
    assert nonce is not None
    starts = re.findall(r"<(?:script|style)[^>]*>", answer.text)
    assert len(starts) == 5
    assert all(f" nonce={nonce}" in start for start in starts)
    assert "nonce" not in (await client.get("/bare")).headers[POLICY]


async def test_the_first_headers_are_written_as_tornado_would(start: StartSite) -> None:
    class Own(Page):
        def prepare(self) -> None:
            begun = HTTPHeaders()
            for name, value in self._headers.get_all():
                begun.add(name, value)
            self.same = [*begun.get_all()] == [*self._headers.get_all()]

        async def get(self) -> None:
            self.response_json(same=self.same, known=[*self._headers])

    found = (await answer_of(start, Own)).json()
    assert found["same"]
    assert {"Content-Type", "Date", "X-Content-Type-Options"} <= {*found["known"]}


async def test_a_line_that_is_added_to_a_first_header_is_in_that_answer_only(
    start: StartSite,
) -> None:
    class Own(Page):
        async def get(self) -> None:
            self.add_header("Referrer-Policy", "origin")
            self.response_json(both=self._headers["Referrer-Policy"])

    client = await start(home(path("/", Own)))
    for _ in range(2):
        answer = await client.get("/")
        assert answer.json()["both"] == "same-origin,origin"
        assert answer.headers.get_list("Referrer-Policy") == ["same-origin", "origin"]


def test_a_handler_in_a_plain_application_says_nosniff_only() -> None:
    class Connection:
        def set_close_callback(self, callback: object) -> None: ...

    request = HTTPServerRequest(
        start_line=RequestStartLine("GET", "/", "HTTP/1.1"),
        headers=HTTPHeaders({"Host": "a"}),
        connection=Connection(),  # type: ignore[arg-type]
    )
    bare = Page(tornado.web.Application(), request)
    bare._before_headers()
    assert {*bare._headers} == {"Content-Type", "Date", "X-Content-Type-Options", "X-Request-Id"}
