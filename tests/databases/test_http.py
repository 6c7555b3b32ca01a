"""An HTTP service: its answers, and every way in which there is none."""

from __future__ import annotations

import asyncio
import gzip
import socket
import ssl
import subprocess
import time
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import BaseModel, SecretStr
from tornado.httpserver import HTTPServer
from tornado.httputil import HTTPHeaders, HTTPServerRequest, ResponseStartLine
from tornado.testing import bind_unused_port

from tests.sessions.redis_server import free_port
from tornkit.databases._http_calls import Exchange
from tornkit.databases.http import HTTPService
from tornkit.errors import DatabaseError, ServiceError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

SECRET = "hunter2"
Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Weather:
    """A service of Tornado's: it tells what it was asked, or answers what is queued."""

    def __init__(self) -> None:
        self.asked: list[HTTPServerRequest] = []
        self.answers: list[tuple[int, dict[str, str], bytes]] = []
        self.was_asked = asyncio.Event()
        self.holds = False  # whether it keeps its answers back
        self._socket, self.port = bind_unused_port()
        self._server = HTTPServer(self._answer)
        self._server.add_sockets([self._socket])

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    def _answer(self, request: HTTPServerRequest) -> None:
        self.asked.append(request)
        self.was_asked.set()
        if self.holds:
            return
        status, headers, body = self.answers.pop(0) if self.answers else (200, {}, b"{}")
        fields = HTTPHeaders({"Content-Length": str(len(body)), **headers})
        connection = request.connection
        assert connection is not None
        body = b"" if request.method == "HEAD" else body
        connection.write_headers(ResponseStartLine("HTTP/1.1", status, "Words"), fields, body)
        connection.finish()

    async def close(self) -> None:
        self._server.stop()
        await self._server.close_all_connections()


@pytest.fixture
async def weather() -> AsyncIterator[Weather]:
    served = Weather()
    yield served
    await served.close()


@asynccontextmanager
async def opened(url: str, **options: Any) -> AsyncIterator[HTTPService]:
    service = HTTPService("weather", url, options)
    await service.open()
    try:
        yield service
    finally:
        await service.close()


@pytest.fixture
async def service(weather: Weather) -> AsyncIterator[HTTPService]:
    async with opened(weather.url) as service:
        yield service


@asynccontextmanager
async def talking(talk: Talk, **options: Any) -> AsyncIterator[HTTPService]:
    """Give a service of which each connection is handed to ``talk`` once it was asked."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        await talk(reader, writer)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, opened(f"http://127.0.0.1:{port}", **options) as service:
        yield service


def saying(raw: bytes) -> Talk:
    async def talk(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(raw)
        await writer.drain()

    return talk


# --- what is asked ---------------------------------------------------------------------------


async def test_a_request_says_what_it_was_told_to(weather: Weather) -> None:
    options = {"headers": {"X-Key": SecretStr("key"), "X-Own": "own"}}
    async with opened(weather.url.replace("//", "//me:p%40ss@"), **options) as service:
        service.outgoing_headers = lambda: {"X-Request-ID": "abc"}
        headers = {"x-own": "call", "Accept": "text/csv"}
        await service.get("/forecast", params={"city": "Oslo"}, headers=headers)
    (asked,) = weather.asked
    assert (asked.method, asked.uri) == ("GET", "/v1/forecast?city=Oslo")
    sent = {name: asked.headers.get_list(name) for name in asked.headers}
    assert sent["Authorization"] == ["Basic bWU6cEBzcw=="]
    assert (sent["X-Key"], sent["X-Own"], sent["Accept"]) == (["key"], ["call"], ["text/csv"])
    assert (sent["X-Request-Id"], sent["User-Agent"]) == (["abc"], ["tornkit"])
    assert asked.body == b""


@pytest.mark.parametrize("method", ["post", "put", "patch", "delete"])
async def test_a_body_goes_with_its_type(
    weather: Weather, service: HTTPService, method: str
) -> None:
    send = getattr(service, method)
    await send("/orders", json={"book": 5})
    await send("/orders", form={"book": 5})
    await send("/orders", body=b"5", headers={"Content-Type": "text/csv"})
    await send("/orders")
    told = [
        (asked.method, asked.headers.get("Content-Type"), asked.body) for asked in weather.asked
    ]
    assert told[:3] == [
        (method.upper(), "application/json", b'{"book":5}'),
        (method.upper(), "application/x-www-form-urlencoded", b"book=5"),
        (method.upper(), "text/csv", b"5"),
    ]
    assert told[3][2] == b""


async def test_what_cannot_be_sent_is_a_mistake_of_the_caller(
    weather: Weather, service: HTTPService
) -> None:
    for refused in [
        service.get("/a", params={"a": {}}),
        service.get("/a", params=[("a", "b")]),  # type: ignore[arg-type]  # the mistake
        service.get("/a", headers={"A": 5}),
        service.get("/a", headers={"A B": "x"}),
        service.get("/a", headers={5: "x"}),  # type: ignore[dict-item]  # the mistake
        service.post("/a", body={"book": 5}),  # type: ignore[arg-type]  # the mistake
        service.post("/a", json=1, form={}),
        service.request("TRACE", "/a"),
        service.request("GET /evil HTTP/1.1\r\n", "/a"),
    ]:
        with pytest.raises(DatabaseError, match="service 'weather': ") as caught:
            await refused
        assert caught.value.check_id is None
        assert "\n" not in str(caught.value)
    assert weather.asked == []


async def test_what_cannot_be_sent_of_a_visitor_is_a_bad_request(
    weather: Weather, service: HTTPService
) -> None:
    for refused in [
        service.get("//evil.example"),
        service.get("/in/U?lm"),
        service.get("/in/%252e%252e"),
        service.get("/in/a\nb"),
        service.get("/a", headers={"A": "x\r\nB: y"}),
    ]:
        with pytest.raises(DatabaseError, match="service 'weather': ") as caught:
            await refused
        assert caught.value.check_id == "databases.request"
        assert "\n" not in str(caught.value)
    assert weather.asked == []


async def test_an_unknown_argument_is_refused(weather: Weather, service: HTTPService) -> None:
    with pytest.raises(TypeError, match="'raise_errors'; did you mean 'raise_error'"):
        await service.get("/x", raise_errors=False)  # type: ignore[call-arg]  # the mistake
    with pytest.raises(TypeError, match="'query'"):
        await service.post("/x", query={"a": 1})  # type: ignore[call-arg]  # the mistake
    assert weather.asked == []


async def test_what_cannot_be_sent_takes_no_place(
    weather: Weather, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened(weather.url, pool_size=1) as service:
        with monkeypatch.context() as patch:
            # As if something had passed the checks that Tornado's client refuses.
            patch.setattr("tornkit.databases.http.body_of", lambda given: (given["body"], ""))
            for _ in range(2):
                with pytest.raises(TypeError):
                    await service.post("/x", body={"book": 5}, timeout=1)  # type: ignore[arg-type]
        assert (await service.post("/x", body=b"5", timeout=1)).status == 200


# --- what is answered ------------------------------------------------------------------------


class Forecast(BaseModel):
    city: str
    degrees: int


async def test_an_answer_is_read_as_what_it_is(weather: Weather, service: HTTPService) -> None:
    weather.answers.append((200, {"X-Unit": "c"}, b'{"city": "Oslo", "degrees": 3}'))
    answer = await service.get("/forecast")
    assert (answer.status, answer.reason, answer.headers["x-unit"]) == (200, "Words", "c")
    assert answer.json() == {"city": "Oslo", "degrees": 3}
    assert answer.json(Forecast) == Forecast(city="Oslo", degrees=3)
    assert answer.json(dict[str, str | int])["degrees"] == 3
    assert "Oslo" not in repr(answer)


@pytest.mark.parametrize(
    ("kind", "body", "text"),
    [
        ("text/plain; charset=ISO-8859-1", b"\xe9", "é"),
        ("text/plain", "é".encode(), "é"),
        ('text/plain; charset="utf-16"; x=y', "é".encode("utf-16"), "é"),
        ("text/plain; charset=nonsense", "é".encode(), "é"),
        ("text/plain; charset=hex", b"ff", "ff"),
        ("", b"\xff", "\ufffd"),
        ("text/plain; charset=idna", b"xn--a\xff", "xn--a\ufffd"),
        ("text/plain; charset=undefined", b"a", "a"),
        ("text/plain; charset=punycode", b"a-b", "a-b"),
        ("text/plain; charset=unicode-escape", b"\\q\\x41", "\\q\\x41"),
    ],
)
async def test_text_is_decoded_as_its_type_says(
    weather: Weather, service: HTTPService, kind: str, body: bytes, text: str
) -> None:
    weather.answers.append((200, {"Content-Type": kind} if kind else {}, body))
    assert (await service.get("/")).text == text


@pytest.mark.parametrize(
    ("body", "kind", "match"),
    [
        (b"<html>secret", None, "not JSON"),
        (b"", None, "not JSON"),
        (b'{"city": "secret"', Forecast, "all of it: Invalid JSON"),
        (b'{"city": "secret", "degrees": "secret"}', Forecast, "degrees: Input should be a valid"),
        (b"[1]", Forecast, "all of it: Input should be an object"),
        (b'[{"city": "secret"}]', list[Forecast], "0.degrees: Field required"),
    ],
)
async def test_json_that_is_none_is_told_and_not_quoted(
    weather: Weather, service: HTTPService, body: bytes, kind: Any, match: str
) -> None:
    weather.answers.append((200, {"Content-Type": "text/html"}, body))
    answer = await service.get("/forecast")
    with pytest.raises(ServiceError, match=match) as caught:
        answer.json(kind)
    error = caught.value
    assert "service 'weather': GET /forecast answered" in str(error)
    assert (error.status, error.body, error.check_id) == (200, body, "databases.refused")
    assert "secret" not in f"{error} {error.__cause__} {error.__context__}"


@pytest.mark.parametrize("status", [400, 401, 404, 500, 501])
async def test_an_answer_that_says_no_raises(
    weather: Weather, service: HTTPService, status: int
) -> None:
    weather.answers += [(status, {}, b"secret" * 2000)] * 2
    with pytest.raises(ServiceError) as caught:
        await service.get("/forecast", params={"key": "secret"})
    error = caught.value
    assert f"service 'weather': GET /forecast answered {status} Words after 0." in str(error)
    assert (error.status, error.method, error.url) == (status, "GET", weather.url + "/forecast")
    assert len(error.body) == 4096
    assert "secret" not in str(error)
    answer = await service.get("/forecast", raise_error=False)
    assert (answer.status, len(answer.body)) == (status, 12000)


@pytest.mark.parametrize(
    ("location", "told"),
    [
        ("https://u:secret@other.example/x?key=secret#secret", "https://other.example/x,"),
        ("/login?next=secret", "/login,"),
        ("http://[secret", "what is no URL,"),
        ("", "/v1/old,"),
    ],
)
async def test_a_redirect_is_not_followed(
    weather: Weather, service: HTTPService, location: str, told: str
) -> None:
    weather.answers.append((302, {"Location": location}, b""))
    with pytest.raises(ServiceError) as caught:
        await service.get("/old")
    assert f"{told} which is not followed" in str(caught.value)
    assert "secret" not in str(caught.value)
    assert len(weather.asked) == 1


async def test_not_modified_is_an_answer(weather: Weather, service: HTTPService) -> None:
    weather.answers.append((304, {"Content-Length": "5"}, b""))
    assert (await service.get("/", headers={"If-None-Match": '"x"'})).status == 304


async def test_a_status_that_is_none_says_no() -> None:
    async with talking(saying(b"HTTP/1.1 000 OK\r\nContent-Length: 0\r\n\r\n")) as service:
        with pytest.raises(ServiceError, match="GET / answered 0 OK after"):
            await service.get("/")


# --- no answer -------------------------------------------------------------------------------


async def test_nobody_listening_is_unavailable() -> None:
    port = free_port()
    async with opened(f"http://me:{SECRET}@127.0.0.1:{port}/v1", retries=0) as service:
        with pytest.raises(DatabaseError) as caught:
            await service.get("/forecast", params={"key": SECRET})
        with pytest.raises(DatabaseError, match=r"cannot be reached \(.*Connection refused\)"):
            await service.ping()
    error = caught.value
    assert "service 'weather': GET /forecast did not connect after 0." in str(error)
    assert error.check_id == "databases.unavailable"
    assert SECRET not in f"{error} {error.__cause__}"


async def test_a_slow_service_is_an_error_in_time(weather: Weather) -> None:
    weather.holds = True
    async with opened(weather.url, timeout=0.1) as service:
        began = time.perf_counter()
        with pytest.raises(DatabaseError, match=r"got no whole answer within 0.1 s") as caught:
            await service.get("/forecast")
        with pytest.raises(DatabaseError, match=r"within 0.02 s"):
            await service.post("/forecast", timeout=0.02)
        assert time.perf_counter() - began < 0.5
    assert caught.value.check_id == "databases.unavailable"


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhalf",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nnope",
        b"SSH-2.0-OpenSSH\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X-A: " + b"a" * 70_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"f" * 5000 + b"\r\n",
    ],
    ids=[
        *("nothing", "half", "chunks", "negative", "two-lengths", "gzip", "other"),
        *("long-head", "long-chunk"),
    ],
)
async def test_an_answer_that_breaks_off_is_unavailable(raw: bytes) -> None:
    async with talking(saying(raw), retries=0) as service:
        with pytest.raises(DatabaseError, match=r"broke off after 0\.") as caught:
            await service.get("/forecast")
    assert caught.value.check_id == "databases.unavailable"


@pytest.mark.parametrize(
    "said",
    [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhalf"],
    ids=["before-it", "amid-it"],
)
async def test_a_reset_connection_is_unavailable(
    said: bytes, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = asyncio.Event()
    read_body = Exchange.read_body

    def read(exchange: Exchange, chunk: bytes) -> None:
        read_body(exchange, chunk)
        seen.set()

    monkeypatch.setattr(Exchange, "read_body", read)

    async def reset(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if said:
            writer.write(said)
            await seen.wait()
        linger = (1).to_bytes(4, "little") + bytes(4)
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        writer.transport.abort()

    async with talking(reset, retries=0, timeout=2) as service:
        with pytest.raises(DatabaseError, match="broke off") as caught:
            await service.get("/forecast")
    assert caught.value.check_id == "databases.unavailable"
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []


async def test_bytes_beyond_the_length_are_ignored() -> None:
    raw = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}HTTP/1.1 500 No\r\n\r\n"
    async with talking(saying(raw)) as service:
        assert (await service.get("/")).body == b"{}"


_HUGE = b"HTTP/1.1 200 OK\r\nContent-Length: 2001\r\n\r\n" + b"x" * 2001
_CHUNK = b"3e8\r\n%b\r\n" % (b"x" * 1000)
_CHUNKS = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%b0\r\n\r\n" % (_CHUNK * 4)
_BOMB = gzip.compress(bytes(5_000_000))
_GZIP = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(_BOMB)


@pytest.mark.parametrize(
    "raw",
    [_HUGE, _HUGE[:-2001], _HUGE.replace(b"2001", b"9" * 5000), _CHUNKS, _GZIP + _BOMB],
    ids=["length", "only-announced", "absurd", "chunks", "gzip"],
)
async def test_an_answer_that_is_too_large_is_cut(
    raw: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    async with talking(saying(raw), max_body_size=2000) as service:
        with pytest.raises(ServiceError, match="answered with more than 2000 bytes") as caught:
            await service.get("/forecast")
    assert caught.value.status == 0
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []


async def test_the_length_of_what_has_no_body_does_not_count(weather: Weather) -> None:
    async with opened(weather.url, max_body_size=10) as service:
        weather.answers.append((200, {"Content-Length": "5000"}, b""))
        assert (await service.request("HEAD", "/")).headers["Content-Length"] == "5000"


# --- again -----------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [429, 502, 503, 504])
@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
async def test_what_may_pass_is_tried_again(
    weather: Weather, service: HTTPService, method: str, status: int
) -> None:
    weather.answers += [(status, {"Retry-After": "0"}, b"")] * 2
    assert (await service.request(method, "/")).status == 200
    assert len(weather.asked) == 3


async def test_it_is_not_tried_for_ever(weather: Weather, service: HTTPService) -> None:
    weather.answers += [(503, {"Retry-After": "0"}, b"")] * 5
    with pytest.raises(ServiceError, match="answered 503"):
        await service.get("/")
    assert len(weather.asked) == 3
    assert (await service.get("/", raise_error=False)).status == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
async def test_what_may_have_happened_is_not_done_twice(
    weather: Weather, service: HTTPService, method: str
) -> None:
    weather.answers.append((503, {"Retry-After": "0"}, b""))
    with pytest.raises(ServiceError, match="503"):
        await service.request(method, "/")
    assert len(weather.asked) == 1


async def test_a_connection_that_breaks_is_made_again(weather: Weather) -> None:
    tries = 0

    async def flap(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal tries
        tries += 1
        if tries == 3:
            await saying(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")(reader, writer)

    async with talking(flap) as service:
        answer = await service.get("/")
    assert (answer.status, tries) == (200, 3)
    assert answer.seconds > 0.15  # it waited in between


@pytest.mark.parametrize("asked", ["seconds", "date"])
async def test_a_wait_that_is_longer_than_the_deadline_is_not_begun(
    weather: Weather, service: HTTPService, asked: str
) -> None:
    later = format_datetime(datetime.now(UTC) + timedelta(seconds=60), usegmt=True)
    weather.answers.append((429, {"Retry-After": "60" if asked == "seconds" else later}, b""))
    began = time.perf_counter()
    with pytest.raises(ServiceError, match="429"):
        await service.get("/")
    assert time.perf_counter() - began < 0.5
    assert len(weather.asked) == 1


async def test_a_wait_that_is_no_moment_is_as_none(weather: Weather, service: HTTPService) -> None:
    for asked in ["9" * 20, "01 Jan %s 00:00:00 GMT" % ("9" * 20), "01 Jan 0001 00:00:00 +2300"]:
        weather.answers.append((503, {"Retry-After": f"Mon, {asked}"}, b""))
        assert (await service.get("/")).status == 200
    assert len(weather.asked) == 6


@pytest.mark.slow
async def test_a_wait_that_is_asked_for_is_kept(weather: Weather, service: HTTPService) -> None:
    weather.answers.append((429, {"Retry-After": "1"}, b""))
    began = time.perf_counter()
    assert (await service.get("/")).status == 200
    assert 1.0 <= time.perf_counter() - began < 1.5


async def test_the_deadline_holds_for_all_tries(weather: Weather, service: HTTPService) -> None:
    weather.answers.append((503, {"Retry-After": "0"}, b""))
    asking = asyncio.ensure_future(service.get("/", timeout=0.1))
    await weather.was_asked.wait()
    weather.holds = True
    with pytest.raises(DatabaseError, match=r"within 0.1 s \(before that it answered 503\)"):
        await asking


# --- many, and cancelled ---------------------------------------------------------------------


async def test_a_crowd_shares_the_places(weather: Weather) -> None:
    async with opened(weather.url, pool_size=5) as service:
        answers = await asyncio.gather(*(service.get(f"/{n}") for n in range(60)))
    assert [answer.status for answer in answers] == [200] * 60
    assert len(weather.asked) == 60


async def test_who_finds_no_place_in_time_is_told(weather: Weather) -> None:
    weather.holds = True
    async with opened(weather.url, pool_size=1) as service:
        first = asyncio.ensure_future(service.get("/"))
        await weather.was_asked.wait()
        with pytest.raises(DatabaseError, match=r"found no free connection within 0\.02 s"):
            await service.get("/", timeout=0.02)
        first.cancel()
        await asyncio.wait([first])
        weather.holds = False
        assert (await service.get("/")).status == 200


async def test_cancelled_calls_free_their_places(
    weather: Weather, caplog: pytest.LogCaptureFixture
) -> None:
    async with opened(weather.url, pool_size=3) as service:
        weather.holds = True
        for number in range(100):
            task = asyncio.ensure_future(service.get("/"))
            for _ in range(number % 20):
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.wait([task])
            assert task.cancelled()
        weather.holds = False
        weather.answers = [(200, {}, b"%d" % number) for number in range(9)]
        answers = await asyncio.gather(*(service.get("/") for _ in range(9)))
        assert sorted(answer.json() for answer in answers) == list(range(9))
        assert service._calls is not None
        assert service._calls._free._value == 3
        assert service._calls._client.active == {}
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []


async def test_closing_cuts_what_is_under_way(weather: Weather, service: HTTPService) -> None:
    weather.holds = True
    asking = asyncio.ensure_future(service.post("/"))
    await weather.was_asked.wait()
    await service.close()
    await service.close()
    with pytest.raises(DatabaseError, match="broke off"):
        await asking
    await service.open()
    await service.open()
    weather.holds = False
    assert (await service.get("/")).status == 200


# --- pings and certificates ------------------------------------------------------------------


async def test_a_ping_connects_or_gets_a_path(weather: Weather, service: HTTPService) -> None:
    await service.ping()
    assert weather.asked == []
    async with opened(weather.url, ping_path="/health") as watched:
        await watched.ping()
        weather.answers.append((503, {}, b""))
        with pytest.raises(DatabaseError, match="GET /health answered 503") as caught:
            await watched.ping()
        assert caught.value.check_id == "databases.unavailable"
        weather.holds = True
        with pytest.raises(DatabaseError, match=r"within 0\.02 s"):
            await watched.ping(0.02)
    assert {asked.path for asked in weather.asked} == {"/v1/health"}
    assert len(weather.asked) == 3


@pytest.fixture
def certified(tmp_path: Path) -> tuple[Path, Path]:
    """Return the files of a key and of a certificate that it signed itself."""
    key, certificate = tmp_path / "key", tmp_path / "certificate"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"),
            *("-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"),
            *("-keyout", str(key), "-out", str(certificate)),
        ],
        check=True,
        capture_output=True,
    )
    return key, certificate


@pytest.mark.slow
async def test_a_certificate_is_checked(
    certified: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    key, certificate = certified
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if (await reader.read(1000)).startswith(b"GET"):
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    port = server.sockets[0].getsockname()[1]
    async with server:
        async with opened(f"https://localhost:{port}", retries=0) as service:
            with pytest.raises(DatabaseError, match=r"(?i)certificate verify failed"):
                await service.get("/")
            with pytest.raises(DatabaseError, match=r"(?i)certificate verify failed"):
                await service.ping()
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        async with opened(f"https://localhost:{port}") as service:
            await service.ping()
            assert (await service.get("/")).json() == {}
