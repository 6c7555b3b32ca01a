"""A request is found its handler as Tornado finds it, on any server."""

from __future__ import annotations

import asyncio
import gc
import logging
import re
import sys
from typing import TYPE_CHECKING, Any

import pytest
import tornado.web
from hypothesis import given
from hypothesis import strategies as st
from tornado import gen
from tornado.httpclient import AsyncHTTPClient
from tornado.httpclient import HTTPClientError as HTTPError
from tornado.httpserver import HTTPServer
from tornado.httputil import (
    HTTPHeaders,
    HTTPInputError,
    HTTPServerRequest,
    RequestStartLine,
)
from tornado.routing import PathMatches, Router, Rule, RuleRouter
from tornado.testing import bind_unused_port

from tornkit._headers import SharedHeaders
from tornkit._requests import Collector, Request
from tornkit.routing import RoutedApplication, path
from tornkit.server import http1

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable


class Connection:
    class context:  # noqa: N801  as Tornado calls it
        remote_ip, protocol = "10.0.0.7", "https"


def told(request: HTTPServerRequest) -> dict[str, Any]:
    own = {"connection", "server_connection", "_start_time", "headers"}
    return {name: value for name, value in vars(request).items() if name not in own}


hosts = st.lists(
    st.sampled_from(["a.example", "A.EXAMPLE:80", "[::1]:1", "a,b", "a b", "", "ä", "x" * 300]),
    max_size=2,
)
targets = st.sampled_from(
    ["/", "/a?b=c&b=d&e", "/a?", "*", "/%zz?%zz=%", "http://x/y", "/?" + "a&" * 1200]
)


@given(hosts, targets, st.sampled_from(["HTTP/1.0", "HTTP/1.1"]))
def test_a_request_says_what_tornados_says(names: list[str], target: str, version: str) -> None:
    line = RequestStartLine("GET", target, version)
    headers = HTTPHeaders()
    headers._as_list = {"Host": names} if names else {}
    conn: Any = Connection()
    refused = None
    try:
        theirs = HTTPServerRequest(connection=conn, start_line=line, headers=headers)
    except HTTPInputError as error:
        refused = str(error)
    if refused is not None:
        with pytest.raises(HTTPInputError, match=re.escape(refused)):
            Request(conn, None, line, headers)
        return
    ours = Request(conn, None, line, headers)
    assert told(ours) == told(theirs)
    assert ours.full_url() == theirs.full_url()
    assert ours.query_arguments is not ours.arguments


def test_headers_that_are_shared_change_for_one_only() -> None:
    fields = {"Via": ("a",), "Host": ("b",)}
    one, other = SharedHeaders(fields), SharedHeaders(fields)
    one.add("via", "c")
    one.put("Host", "d")
    assert one.begin("Age", "1")
    assert not one.begin("Age", "2")
    one.get_list("Host").append("e")
    assert sorted(one.get_all()) == [("Age", "1"), ("Host", "d"), ("Via", "a"), ("Via", "c")]
    assert (one["Via"], one["Host"], other["Via"]) == ("a,c", "d", "a")
    assert list(other.get_all()) == [("Via", "a"), ("Host", "b")]
    copy = HTTPHeaders(one)
    copy.add("Host", "f")
    assert one["Host"] == "d"
    with pytest.raises(HTTPInputError):
        one.add("Via", "x\r\ny")


class Hello(tornado.web.RequestHandler):
    def get(self) -> None:
        self.write({"hello": self.request.arguments["who"][0].decode()})

    async def post(self) -> None:
        await asyncio.sleep(0)
        self.write(self.request.body)


class Broken(tornado.web.RequestHandler):
    def prepare(self) -> None:
        raise RuntimeError("broken")


class Early(tornado.web.RequestHandler):
    def initialize(self) -> None:
        raise RuntimeError("too early")


class Nowhere(Router):
    def find_handler(self, request: HTTPServerRequest, **kwargs: Any) -> None:
        return None


def plain(**settings: Any) -> tornado.web.Application:
    return tornado.web.Application(
        [("/", Hello), ("/broken", Broken), ("/early", Early)], **settings
    )


def routed(**settings: Any) -> RoutedApplication:
    return RoutedApplication(
        [path("/", Hello), path("/broken", Broken), path("/early", Early)], **settings
    )


@pytest.fixture(params=[HTTPServer, http1.HTTPServer], ids=["tornado", "tornkit"])
async def serve(request: pytest.FixtureRequest) -> AsyncIterator[Callable[[Any], str]]:
    servers = []

    def start(application: Any) -> str:
        server = request.param(application)
        socket, port = bind_unused_port()
        server.add_sockets([socket])
        servers.append(server)
        return f"http://127.0.0.1:{port}"

    yield start
    for server in servers:
        server.stop()
        await server.close_all_connections()


async def fetch(url: str, **options: Any) -> tuple[int, bytes]:
    answer = await AsyncHTTPClient().fetch(url, raise_error=False, request_timeout=5, **options)
    return answer.code, answer.body


@pytest.mark.parametrize("make", [plain, routed])
@pytest.mark.parametrize("settings", [{}, {"debug": True, "autoreload": False}], ids=str)
async def test_any_application_answers_on_any_server(
    serve: Callable[[Any], str], make: Callable[..., Any], settings: dict[str, Any]
) -> None:
    url = serve(make(**settings))
    assert await fetch(f"{url}/?who=ann") == (200, b'{"hello": "ann"}')
    assert await fetch(url, method="POST", body=b"x" * 200_000) == (200, b"x" * 200_000)
    assert (await fetch(f"{url}/broken"))[0] == 500
    assert (await fetch(f"{url}/none"))[0] == 404
    with pytest.raises(HTTPError):  # as with Tornado, the connection is closed
        await fetch(f"{url}/early")
    assert (await fetch(f"{url}/?who=ann"))[0] == 200


async def test_routers_around_applications_are_asked(serve: Callable[[Any], str]) -> None:
    url = serve(RuleRouter([Rule(PathMatches("/"), routed()), Rule(PathMatches("/x"), Nowhere())]))
    assert (await fetch(f"{url}/?who=ann"))[0] == 200
    assert (await fetch(f"{url}/x"))[0] == 404


async def test_what_escapes_a_handler_is_logged(
    serve: Callable[[Any], str], caplog: pytest.LogCaptureFixture
) -> None:
    class Escapes(tornado.web.RequestHandler):
        async def _execute(self, *args: Any, **kwargs: Any) -> None:
            self._transforms = []
            self.finish("left")
            raise RuntimeError("escaped")

    with caplog.at_level(logging.ERROR):
        assert (await fetch(serve(tornado.web.Application([("/", Escapes)]))))[0] == 200
        await asyncio.sleep(0)
        gc.collect()
    assert "escaped" in caplog.text


async def test_a_handler_may_take_its_steps_in_its_own_way(serve: Callable[[Any], str]) -> None:
    class Own(tornado.web.RequestHandler):
        @gen.coroutine
        def _execute(self, transforms: Any, *args: Any, **kwargs: Any) -> Any:  # type: ignore[override]
            self._transforms = transforms
            yield gen.sleep(0)
            self.finish("own")

    assert await fetch(serve(tornado.web.Application([("/", Own)]))) == (200, b"own")


@given(st.lists(st.one_of(st.binary(max_size=3), st.integers(1, 3000).map(bytes)), max_size=300))
def test_a_body_is_put_together_again(pieces: list[bytes]) -> None:
    collector = Collector()
    for piece in pieces:
        collector._collect(piece)
    assert b"".join(collector._pieces or []) == b"".join(pieces)


def test_a_body_that_comes_in_drops_takes_little_more_than_its_size() -> None:
    collector = Collector()
    for number in range(100_000):
        collector._collect(bytes([number % 256]))
    pieces = collector._pieces or []
    assert sum(map(sys.getsizeof, pieces)) + sys.getsizeof(pieces) < 300_000
