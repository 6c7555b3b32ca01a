"""A detached connection is a stream as Tornado's protocols know it, over TLS too."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from typing import TYPE_CHECKING, Any

import pytest
import tornado.web
import tornado.websocket
from tornado.httpclient import HTTPRequest
from tornado.iostream import StreamClosedError

from tests.server.http1.sites import client_tls, connected, get, run, server_tls, serving

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from tests.server.http1.sites import Run
    from tornkit.server.http1.streams import Stream

__all__ = ["run"]


class Detach(tornado.web.RequestHandler):
    """Gives its connection to the test."""

    def initialize(self, use: Callable[[Stream], Awaitable[None]]) -> None:
        self.use = use

    async def get(self) -> None:
        stream: Any = self.detach()
        await self.use(stream)


@contextlib.asynccontextmanager
async def detached(
    use: Callable[[Stream], Awaitable[None]], tls: bool
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    site = tornado.web.Application([("/", Detach, {"use": use})])
    options = {"ssl_options": server_tls()} if tls else {}
    async with (
        serving(site, **options) as port,
        connected(port, ssl=client_tls() if tls else None) as both,
    ):
        yield both


each_transport = pytest.mark.parametrize("tls", [False, True], ids=["plain", "TLS"])


@each_transport
def test_it_is_read_in_every_way_of_an_iostream(run: Run, tls: bool) -> None:
    async def use(stream: Stream) -> None:
        assert await stream.read_until(b"\n") == b"one\n"
        assert await stream.read_until_regex(rb"[0-9]+;") == b"a12;"
        assert await stream.read_bytes(3) == b"xyz"
        assert await stream.read_bytes(100, partial=True) == b"12345678"
        await stream.write(b"more")
        buffer = bytearray(4)
        assert await stream.read_into(buffer) == 4
        assert buffer == b"four"
        assert not stream.reading()
        rest = stream.read_until_close()
        assert stream.reading()
        await stream.write(memoryview(b" ready"))
        assert await rest == b"the rest"
        assert stream.closed()

    async def main() -> None:
        async with detached(use, tls) as (reader, writer):
            # The first bytes come with the request: none of them may be lost.
            writer.write(get() + b"one\na12;xyz12345678")
            assert await reader.readexactly(4) == b"more"
            writer.write(b"four")
            assert await reader.readexactly(6) == b" ready"
            writer.write(b"the rest")
            await writer.drain()
            if tls:
                writer.close()
            else:
                writer.write_eof()
            with contextlib.suppress(ConnectionError, ssl.SSLError):
                await reader.read()

    run(main())


@each_transport
def test_who_waits_for_bytes_learns_of_the_end(run: Run, tls: bool) -> None:
    async def main() -> None:
        began, closed, failed = asyncio.Event(), asyncio.Event(), asyncio.Event()

        async def use(stream: Stream) -> None:
            stream.set_close_callback(closed.set)
            began.set()
            with pytest.raises(StreamClosedError):
                await stream.read_bytes(10)
            with pytest.raises(StreamClosedError):
                stream.write(b"x")
            with pytest.raises(StreamClosedError):
                await stream.read_bytes(10)
            assert await stream.read_bytes(3) == b"few"
            failed.set()

        async with detached(use, tls) as (_, writer):
            writer.write(get() + b"few")
            await began.wait()
            writer.close()
            await closed.wait()
            await failed.wait()

    run(main())


def test_a_delimiter_must_come_in_time(run: Run) -> None:
    async def main() -> None:
        done = asyncio.Event()

        async def use(stream: Stream) -> None:
            with pytest.raises(StreamClosedError):
                await stream.read_until(b"\n", max_bytes=5)
            assert stream.closed()
            done.set()

        async with detached(use, tls=False) as (reader, writer):
            writer.write(get() + b"0123456789")
            assert await reader.read() == b""
            await done.wait()

    run(main())


def test_two_cannot_read_at_once(run: Run) -> None:
    async def main() -> None:
        done = asyncio.Event()

        async def use(stream: Stream) -> None:
            first = stream.read_bytes(1)
            with pytest.raises(AssertionError, match="Already reading"):
                stream.read_bytes(1)
            stream.close()
            with pytest.raises(StreamClosedError):
                await first
            done.set()

        async with detached(use, tls=False) as (_, writer):
            writer.write(get())
            await done.wait()

    run(main())


@pytest.mark.slow
def test_who_is_not_read_has_to_wait(run: Run) -> None:
    async def main() -> None:
        go, size = asyncio.Event(), 30 * 1024 * 1024
        read = 0

        async def use(stream: Stream) -> None:
            nonlocal read
            await go.wait()
            while read < size:
                read += len(await stream.read_bytes(65536, partial=True))
            await stream.write(b"done")

        async with detached(use, tls=False) as (reader, writer):
            writer.write(get())
            writer.write(bytes(size))
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(writer.drain(), 0.3)
            go.set()
            await writer.drain()
            assert await reader.readexactly(4) == b"done"

    run(main())


class Echo(tornado.websocket.WebSocketHandler):
    async def on_message(self, message: str | bytes) -> None:
        await self.write_message(message, binary=isinstance(message, bytes))


@each_transport
def test_a_websocket_works(run: Run, tls: bool) -> None:
    async def main() -> None:
        options = {"ssl_options": server_tls()} if tls else {}
        async with serving(tornado.web.Application([("/ws", Echo)]), **options) as port:
            url = f"{'wss' if tls else 'ws'}://127.0.0.1:{port}/ws"
            request = HTTPRequest(url, ssl_options=client_tls() if tls else None)
            client = await tornado.websocket.websocket_connect(request)
            for message in ("hello", b"\x00" * 300_000, "é" * 70_000):
                await client.write_message(message, binary=isinstance(message, bytes))
                assert await client.read_message() == message
            client.close()
            assert await client.read_message() is None

    run(main())


def test_it_says_what_it_is(run: Run) -> None:
    async def main() -> None:
        seen = []

        class Look(tornado.web.RequestHandler):
            def get(self) -> None:
                stream: Stream = self.request.connection.stream  # type: ignore[union-attr]
                assert stream.socket is not None
                seen.append((stream.socket.getpeername()[0], stream.closed(), stream.writing()))
                stream.set_nodelay(False)
                stream.set_nodelay(True)
                stream.close()
                assert stream.socket is None

        async with (
            serving(tornado.web.Application([("/", Look)])) as port,
            connected(port) as (reader, writer),
        ):
            writer.write(get())
            assert await reader.read() == b""
            assert seen == [("127.0.0.1", False, False)]

    run(main())
