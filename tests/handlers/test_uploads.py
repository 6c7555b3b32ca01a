"""Bodies that are too large, too many or unreadable: a clear answer, and no more is read."""

from __future__ import annotations

import asyncio
import contextlib
import json
import ssl
from typing import TYPE_CHECKING, Any

import pytest
import tornado.web
from tornado.httpserver import HTTPServer
from tornado.testing import bind_unused_port

from tests.mail.conftest import make as make_certificate
from tests.outside.wire import Answer
from tornkit import PUBLIC, Application, BaseHandler, Module, Settings, path
from tornkit.server import Options, bind, new_event_loop, serve
from tornkit.server import start as start_server

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.handlers.conftest import StartSite

LIMIT = 1000
calls: list[str] = []


class Upload(BaseHandler):
    async def post(self) -> None:
        calls.append(type(self).__name__)
        files = {name: len(given) for name, given in self.request.files.items()}
        self.response_json(size=len(self.request.body), files=files)


class Small(Upload):
    max_body_size = 10


class Large(Upload):
    max_body_size = 100_000


class Nothing(Upload):
    max_body_size = 0


class Plain(tornado.web.RequestHandler):
    def post(self) -> None:
        self.write({"size": len(self.request.body)})


@tornado.web.stream_request_body
class Stream(BaseHandler):
    async def prepare(self) -> None:
        self.size = 0

    async def data_received(self, chunk: bytes) -> None:
        self.size += len(chunk)

    async def post(self) -> None:
        self.response_json(size=self.size)

    def on_finish(self) -> None:
        calls.append(f"{type(self).__name__} {self.size}")


@tornado.web.stream_request_body
class Wide(Stream):
    max_body_size = 100_000


@tornado.web.stream_request_body
class Asking(Stream):
    async def prepare(self) -> None:
        await super().prepare()
        connection: Any = self.request.connection
        connection.set_max_body_size(int(self.get_argument("limit")))


@tornado.web.stream_request_body
class Closed(Stream):
    async def prepare(self) -> None:
        await super().prepare()
        raise tornado.web.HTTPError(403)


HANDLERS = [Upload, Small, Large, Nothing, Plain, Stream, Wide, Asking, Closed]
SITE = Module(
    name="up", access=PUBLIC, routes=[path(f"/{each.__name__}", each) for each in HANDLERS]
)


class Connection:
    """One connection, with requests written byte by byte."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    def send(self, target: str, *headers: str, body: bytes = b"") -> None:
        lines = [f"POST /up/{target} HTTP/1.1", "Host: localhost", *headers, "", ""]
        self.writer.write("\r\n".join(lines).encode() + body)

    async def rest(self) -> Answer:
        """Return the answer; the server has to close the connection after it."""
        received = await asyncio.wait_for(self.reader.read(), 10)
        head, _, body = received.decode().partition("\r\n\r\n")
        return Answer(int(head.split(" ")[1]) if head else 0, head, body)

    async def answer(self) -> Answer:
        head = (await asyncio.wait_for(self.reader.readuntil(b"\r\n\r\n"), 10)).decode()
        answer = Answer(int(head.split(" ")[1]), head, "")
        length = int(answer.header("Content-Length") or 0)
        return Answer(answer.status, head, (await self.reader.readexactly(length)).decode())


@contextlib.asynccontextmanager
async def connected(port: int, **options: Any) -> AsyncIterator[Connection]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port, **options)
    try:
        yield Connection(reader, writer)
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError, ssl.SSLError):
            await writer.wait_closed()


@pytest.fixture
async def port(start: StartSite) -> int:
    calls.clear()
    overrides: dict[str, object] = {"server.max_body_size": LIMIT, "session.store": "memory://"}
    client = await start(SITE, overrides=overrides, user_model=None, migrate=())
    found = client.base_url.port
    assert found
    return found


def chunked(*sizes: int) -> bytes:
    return b"".join(b"%x\r\n%s\r\n" % (size, b"x" * size) for size in sizes)


CHUNKED = "Transfer-Encoding: chunked"


# --- the limit -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("target", "limit"),
    [
        *[("Upload", LIMIT), ("Small", 10), ("Large", 100_000), ("Nothing", 0), ("Plain", LIMIT)],
        *[("Stream", LIMIT), ("Wide", 100_000), ("Asking?limit=77", 77)],
        ("Asking?limit=5000", 5000),
    ],
)
@pytest.mark.parametrize("way", ["length", "chunks"])
async def test_a_body_may_have_just_the_limit(
    port: int, target: str, limit: int, way: str
) -> None:
    for size, status in ((limit, 200), (limit + 1, 413)):
        async with connected(port) as connection:
            if way == "length":
                connection.send(target, f"Content-Length: {size}", body=b"x" * size)
            else:
                parts = [size // 2, size - size // 2]
                body = chunked(*(part for part in parts if part)) + b"0\r\n\r\n"
                connection.send(target, CHUNKED, body=body)
            answer = await connection.answer()
        assert answer.status == status
        if status == 200:
            assert json.loads(answer.body)["size"] == size


async def test_the_answer_is_a_page_or_json_and_says_the_limit(
    port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The answer ends at once, however long the server would read on.
    monkeypatch.setattr("tornkit.server.hanging_up._PATIENCE", 60.0)
    for headers, kind in (((), "text/html"), (("Accept: application/json",), "application/json")):
        async with connected(port) as connection:
            connection.send("Upload", f"Content-Length: {LIMIT + 1}", *headers)
            answer = await connection.rest()  # not a byte of the body was sent
        assert answer.status == 413
        assert answer.header("Content-Type").startswith(kind)
        assert "The request is too large. At most 1000 bytes are accepted." in answer.body
        assert answer.header("Connection") == "close"
        assert answer.header("X-Request-ID")
    assert json.loads(answer.body)["code"] == 413
    assert calls == []


async def test_a_client_that_waits_to_be_told_is_not_told_to_go_on(port: int) -> None:
    expect = "Expect: 100-continue"
    for target in ("Upload", "Stream", "Closed"):
        async with connected(port) as connection:
            connection.send(target, f"Content-Length: {LIMIT + 1}", expect)
            answer = await connection.rest()
        assert answer.status == (403 if target == "Closed" else 413)
        assert "100 (Continue)" not in answer.head
    for target in ("Upload", "Stream"):
        async with connected(port) as connection:
            connection.send(target, "Content-Length: 3", expect)
            assert (await connection.answer()).status == 100
            connection.writer.write(b"abc")
            assert json.loads((await connection.answer()).body)["size"] == 3


@pytest.mark.parametrize("target", ["Upload", "Stream"])
async def test_a_body_without_end_is_not_read_to_it(port: int, target: str) -> None:
    sent = 0
    async with connected(port) as connection:
        connection.send(target, CHUNKED)
        with contextlib.suppress(ConnectionError):
            while sent < 200_000_000:
                connection.writer.write(chunked(1_000_000))
                await connection.writer.drain()
                sent += 1_000_000
    assert 0 < sent < 100_000_000


@pytest.mark.parametrize("target", ["Upload", "Stream"])
@pytest.mark.parametrize("way", ["length", "chunks"])
async def test_who_sends_all_of_it_before_reading_still_gets_the_answer(
    port: int, target: str, way: str
) -> None:
    size = 8_000_000
    async with connected(port) as connection:
        if way == "length":
            connection.send(target, f"Content-Length: {size}", body=b"x" * size)
        else:
            connection.send(target, CHUNKED, body=chunked(*[100_000] * 80) + b"0\r\n\r\n")
        await connection.writer.drain()
        answer = await connection.rest()
    assert answer.status == 413
    assert "At most 1000 bytes" in answer.body


@pytest.mark.parametrize("target", ["Upload", "Stream"])
async def test_what_follows_a_refused_body_is_no_request(port: int, target: str) -> None:
    follower = b"POST /up/Upload HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\n\r\nx"
    for first in (f"Content-Length: {LIMIT + 1}", CHUNKED):
        async with connected(port) as connection:
            body = b"x" * (LIMIT + 1) if first != CHUNKED else chunked(LIMIT + 1) + b"0\r\n\r\n"
            connection.send(target, first, body=body + follower)
            answer = await connection.rest()
        assert answer.status == 413
        assert "HTTP/1.1" not in answer.body
    assert "Upload" not in calls


async def test_a_streaming_handler_sees_no_byte_too_many_and_its_end(port: int) -> None:
    async with connected(port) as connection:
        connection.send("Stream", CHUNKED)
        for size in (600, 400):
            connection.writer.write(chunked(size))
            await connection.writer.drain()
        connection.writer.write(chunked(1))
        assert (await connection.rest()).status == 413
    assert len(calls) == 1
    assert int(calls[0].removeprefix("Stream ")) <= LIMIT


@pytest.mark.parametrize(
    ("length", "status"),
    [("9" * 30, 413), ("9" * 5000, 413), ("-1", 400), ("x", 400), ("5, 6", 400)],
)
async def test_a_length_that_is_no_length(port: int, length: str, status: int) -> None:
    async with connected(port) as connection:
        connection.send("Upload", f"Content-Length: {length}")
        assert (await connection.rest()).status == status


async def test_a_connection_lives_on_after_bodies_within_the_limit(port: int) -> None:
    async with connected(port) as connection:
        for size in (LIMIT, 0, 10):
            connection.send("Upload", f"Content-Length: {size}", body=b"x" * size)
            assert json.loads((await connection.answer()).body)["size"] == size


async def test_a_client_that_leaves_meanwhile_harms_nobody(
    port: int, caplog: pytest.LogCaptureFixture
) -> None:
    for target in ("Upload", "Stream"):
        async with connected(port) as connection:
            connection.send(target, f"Content-Length: {LIMIT + 1}", body=b"x" * 100)
    async with connected(port) as connection:
        connection.send("Upload", "Content-Length: 1", body=b"x")
        assert (await connection.answer()).status == 200
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


async def test_the_server_of_tornkit_run_and_one_with_tls_do_the_same(
    start: StartSite, tmp_path: Path
) -> None:
    overrides: dict[str, object] = {"server.max_body_size": LIMIT, "session.store": "memory://"}
    client = await start(SITE, overrides=overrides, user_model=None, migrate=())
    sockets = bind("127.0.0.1", 0)
    # The handler's limit counts, also above the server's.
    draining = start_server(client.application, sockets, Options(max_body_size=10))
    certificate = make_certificate(tmp_path, "DNS:localhost,IP:127.0.0.1")
    listening, tls_port = bind_unused_port()
    encrypted = HTTPServer(client.application, ssl_options=certificate.context)
    encrypted.add_socket(listening)
    context = ssl.create_default_context(cafile=certificate.file)
    for number, options in ((sockets[0].getsockname()[1], {}), (tls_port, {"ssl": context})):
        async with connected(number, **options) as connection:
            connection.send("Upload", f"Content-Length: {LIMIT}", body=b"x" * LIMIT)
            assert (await connection.answer()).status == 200
            connection.send("Upload", f"Content-Length: {LIMIT + 1}", body=b"x" * 50)
            assert (await connection.answer()).status == 413
    encrypted.stop()
    await encrypted.close_all_connections()
    await draining.drain(1)


# --- forms -----------------------------------------------------------------------------------


def parts(number: int, *, filename: str = "") -> bytes:
    named = f'; filename="{filename}"' if filename else ""
    lines = [
        f'--b\r\nContent-Disposition: form-data; name="f{index}"{named}\r\n\r\nx\r\n'
        for index in range(number)
    ]
    return "".join([*lines, "--b--\r\n"]).encode()


MULTIPART = "multipart/form-data; boundary=b"
URLENCODED = "application/x-www-form-urlencoded"


@pytest.mark.parametrize(
    ("kind", "body", "said"),
    [
        (MULTIPART, parts(101), "The form has too many fields."),
        (MULTIPART, parts(101, filename="a"), "The form has too many fields."),
        (URLENCODED, b"a=1&" * 1001, "The form has too many fields."),
        (MULTIPART, b"--b\r\nx", "The form cannot be read."),
        ("multipart/form-data", b"", "The form cannot be read."),
        (MULTIPART, parts(1, filename="a" * 11_000), "The form cannot be read."),
    ],
    ids=["parts", "files", "fields", "torn", "no boundary", "long name"],
)
async def test_a_form_that_is_too_much_or_none_is_a_clear_400(
    port: int, kind: str, body: bytes, said: str
) -> None:
    async with connected(port) as connection:
        length = f"Content-Length: {len(body)}"
        connection.send("Large", f"Content-Type: {kind}", length, body=body)
        answer = await connection.answer()
        assert answer.status == 400
        assert said in answer.body
    assert calls == []


async def test_a_form_within_the_bounds_is_read(port: int) -> None:
    for kind, body in (
        (MULTIPART, parts(99, filename="a")),
        (URLENCODED, b"&".join([b"a=1"] * 1000)),
    ):
        async with connected(port) as connection:
            length = f"Content-Length: {len(body)}"
            connection.send("Large", f"Content-Type: {kind}", length, body=body)
            answer = await connection.answer()
        assert answer.status == 200
        assert len(json.loads(answer.body)["files"]) == (99 if kind == MULTIPART else 0)


def test_on_the_loop_that_servers_run_on_the_answer_arrives_too(tmp_path: Path) -> None:
    async def work() -> Answer:
        overrides = {"server.max_body_size": LIMIT, "session.store": "memory://"}
        settings = Settings.load("testing", project_dir=tmp_path, overrides=overrides)
        site = Application(settings, modules=[SITE])
        async with serve([(site, 0)]) as ports, connected(ports[0]) as connection:
            connection.send("Upload", CHUNKED, body=chunked(*[100_000] * 40))
            return await connection.rest()

    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        assert runner.run(work()).status == 413
