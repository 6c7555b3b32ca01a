"""A server that stops loses no request: real sockets, real bytes."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import time
from typing import TYPE_CHECKING, Literal

import pytest
import tornado.web
import tornado.websocket

from tornkit.server import Options, bind, start, stop

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tornkit.server import DrainingServer


@pytest.fixture(params=["tornkit", "tornado"], autouse=True)
def kind(request: pytest.FixtureRequest) -> None:
    """Let every test here run on our HTTP server and on Tornado's."""
    Site.server_kind = request.param


class Held(tornado.web.RequestHandler):
    """Answers when the test says so."""

    def initialize(self, started: asyncio.Event, go: asyncio.Event) -> None:
        self.started, self.go = started, go

    async def get(self) -> None:
        self.started.set()
        await self.go.wait()
        self.write("whole")


class Quick(tornado.web.RequestHandler):
    def get(self) -> None:
        self.write("quick")

    def post(self) -> None:
        self.write(str(len(self.request.body)))


class Large(tornado.web.RequestHandler):
    def initialize(self, size: int) -> None:
        self.size = size

    def get(self) -> None:
        self.write(bytes(self.size))


class Echo(tornado.websocket.WebSocketHandler):
    async def on_message(self, message: str | bytes) -> None:
        await self.write_message(message)


class Site:
    server_kind: Literal["tornkit", "tornado"]

    def __init__(self, options: Options) -> None:
        self.started, self.go = asyncio.Event(), asyncio.Event()
        events = {"started": self.started, "go": self.go}
        self.application = tornado.web.Application(
            [("/", Quick), ("/held", Held, events), ("/ws", Echo)]
        )
        sockets = bind("127.0.0.1", 0)
        self.port = sockets[0].getsockname()[1]
        options = dataclasses.replace(options, engine=self.server_kind)
        self.server: DrainingServer = start(self.application, sockets, options)

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection("127.0.0.1", self.port)

    async def ask(self, path: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await self.connect()
        writer.write(request(path))
        await writer.drain()
        return reader, writer


@contextlib.asynccontextmanager
async def serving(options: Options | None = None) -> AsyncIterator[Site]:
    site = Site(options or Options())
    try:
        yield site
    finally:
        site.go.set()
        await site.server.drain(1)


def request(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()


async def one_answer(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
    return head + await reader.readexactly(length)


async def test_a_request_in_flight_finishes_and_its_connection_is_told_to_close() -> None:
    async with serving() as site:
        reader, writer = await site.ask("/held")
        await site.started.wait()
        assert site.server.in_flight == 1
        stopping = asyncio.create_task(site.server.drain(10))
        await asyncio.sleep(0)  # drain() closes the port in its first step
        with pytest.raises(OSError):
            await site.connect()
        site.go.set()
        answer = await reader.read()  # to the end: the connection is closed
        assert await stopping == 0
        assert answer.endswith(b"whole")
        assert b"Connection: close" in answer
        writer.close()


async def test_an_idle_connection_is_closed_at_once() -> None:
    async with serving() as site:
        reader, writer = await site.ask("/")
        assert (await one_answer(reader)).endswith(b"quick")
        assert site.server.in_flight == 0
        began = time.monotonic()
        assert await site.server.drain(10) == 0
        assert time.monotonic() - began < 1
        assert await reader.read() == b""
        writer.close()


async def test_a_request_that_waits_in_the_kernel_is_answered() -> None:
    async with serving() as site:
        reader, writer = await site.ask("/")
        await one_answer(reader)
        writer.write(request("/"))
        await writer.drain()  # it is in our kernel now; Tornado has not looked yet
        assert await site.server.drain(10) == 0
        assert (await reader.read()).endswith(b"quick")
        writer.close()


async def test_what_takes_too_long_is_cut_off_and_counted(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with serving() as site:
        reader, writer = await site.ask("/held")
        await site.started.wait()
        await stop([site.server], 0.05)
        assert "1 requests did not finish" in caplog.text
        assert await reader.read() == b""
        writer.close()


async def test_half_a_request_does_not_hold_up_the_end() -> None:
    async with serving() as site:
        reader, writer = await site.connect()
        writer.write(b"GET / HTTP/1.1\r\nHost:")
        await writer.drain()
        began = time.monotonic()
        await site.server.drain(10)
        assert time.monotonic() - began < 2
        assert await reader.read() == b""
        writer.close()


async def test_a_websocket_is_not_in_flight_and_is_closed_in_the_end() -> None:
    async with serving() as site:
        url = f"ws://127.0.0.1:{site.port}/ws"
        client = await tornado.websocket.websocket_connect(url)
        await client.write_message("hello")
        assert await client.read_message() == "hello"
        assert site.server.in_flight == 0
        assert await site.server.drain(10) == 0
        assert await asyncio.wait_for(client.read_message(), 5) is None
        client.close()


async def test_many_requests_on_one_connection_are_counted_one_by_one() -> None:
    async with serving() as site:
        reader, writer = await site.connect()
        for _ in range(3):
            writer.write(request("/"))
            await writer.drain()
            await one_answer(reader)
            assert site.server.in_flight == 0
        writer.close()


async def test_a_body_past_the_limit_is_refused() -> None:
    async with serving(Options(max_body_size=10)) as site:
        reader, writer = await site.connect()
        head = b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 11\r\n\r\n"
        writer.write(head + b"x" * 11)
        await writer.drain()
        assert b"200 OK" not in await reader.read()
        writer.close()


async def test_an_answer_on_its_way_to_a_slow_client_arrives_whole() -> None:
    size = 20 * 1024 * 1024
    async with serving() as site:
        site.application.add_handlers(r".*", [("/large", Large, {"size": size})])
        reader, writer = await site.ask("/large")
        await reader.readuntil(b"\r\n\r\n")
        stopping = asyncio.create_task(site.server.drain(10))
        assert len(await reader.readexactly(size)) == size
        assert await stopping == 0
        writer.close()


async def test_an_answer_that_nobody_takes_is_given_up() -> None:
    async with serving() as site:
        site.application.add_handlers(r".*", [("/large", Large, {"size": 20 * 1024 * 1024})])
        reader, writer = await site.ask("/large")
        await reader.readuntil(b"\r\n\r\n")
        began = time.monotonic()
        await site.server.drain(0.2)
        assert time.monotonic() - began < 2
        writer.close()
