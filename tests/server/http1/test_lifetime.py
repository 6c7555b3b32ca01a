"""A connection ends when it has to, and not before its answer has arrived."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from typing import TYPE_CHECKING, Any

import pytest
import tornado.web

from tests.server.http1.sites import (
    answer,
    client_tls,
    connected,
    get,
    run,
    running,
    server_tls,
    serving,
    until,
)
from tornkit.server.http1 import HTTPServer

if TYPE_CHECKING:
    from tests.server.http1.sites import Run

__all__ = ["run"]

MEGABYTE = 1024 * 1024
CHUNKED = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"


class Hello(tornado.web.RequestHandler):
    def get(self) -> None:
        self.write("hello")

    post = get


class Large(tornado.web.RequestHandler):
    def get(self) -> None:
        self.write(bytes(8 * MEGABYTE))


@tornado.web.stream_request_body
class Refuse(tornado.web.RequestHandler):
    def prepare(self) -> None:
        self.set_status(403)
        self.finish("no")

    def data_received(self, chunk: bytes) -> None:
        raise AssertionError


@tornado.web.stream_request_body
class Slow(tornado.web.RequestHandler):
    async def prepare(self) -> None:
        await asyncio.sleep(0.005)

    async def data_received(self, chunk: bytes) -> None:
        await asyncio.sleep(0.005)


SITE = tornado.web.Application(
    [("/", Hello), ("/large", Large), ("/refuse", Refuse), ("/slow", Slow)]
)


@pytest.mark.parametrize(
    "half",
    [b"GET / HT", CHUNKED + b"5", CHUNKED + b"5\r\nab", CHUNKED + b"1\r\nx\r\n0\r\n"],
    ids=["head", "chunk size", "chunk", "last chunk"],
)
def test_half_a_request_ends_with_its_input(run: Run, half: bytes) -> None:
    async def main() -> None:
        async with serving(SITE) as port, connected(port) as (reader, writer):
            writer.write(half)
            await asyncio.sleep(0.01)
            writer.write_eof()
            assert await asyncio.wait_for(reader.read(), 1) == b""

    run(main())


def test_pipelined_requests_are_answered_though_the_input_has_ended(run: Run) -> None:
    async def main() -> None:
        async with serving(SITE) as port, connected(port) as (reader, writer):
            writer.write(get("/large") * 3)
            writer.write_eof()
            for _ in range(3):
                assert b"200 OK" in await reader.readuntil(b"\r\n\r\n")
                await reader.readexactly(8 * MEGABYTE)
            assert await reader.read() == b""

    run(main())


@pytest.mark.parametrize("body", [b"z\r\n", b"0\r\nX: y\r\n\r\n"], ids=["size", "trailer"])
def test_a_client_that_goes_while_it_is_refused_is_forgotten(
    run: Run, body: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        async with running(SITE) as (server, port):
            for _ in range(5):
                async with connected(port) as (_, writer):
                    writer.write(CHUNKED.replace(b"/ ", b"/slow ") + body)
                    await asyncio.sleep(0.002)
                    writer.close()
            await asyncio.sleep(0.02)
            await asyncio.wait_for(until(lambda: not server._connections), 1)
            assert not server._open

    run(main())
    assert "exception" not in caplog.text.lower()


@pytest.mark.slow
def test_an_early_answer_arrives_over_tls_while_the_client_still_sends(run: Run) -> None:
    async def main() -> None:
        async with (
            serving(SITE, ssl_options=server_tls()) as port,
            connected(port, ssl=client_tls()) as (reader, writer),
        ):
            size = 9 * MEGABYTE
            head = f"PUT /refuse HTTP/1.1\r\nHost: a\r\nContent-Length: {size}\r\n\r\n"
            writer.write(head.encode())
            with contextlib.suppress(OSError):
                for _ in range(9):
                    writer.write(bytes(MEGABYTE))
                    await writer.drain()
            assert (await answer(reader)).endswith(b"no")
            assert await reader.read() == b""

    run(main())


@pytest.mark.slow
@pytest.mark.parametrize("last", [True, False], ids=["last", "kept"])
def test_a_slow_client_gets_all_of_a_large_answer_over_tls(
    last: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Beneath TLS, asyncio gives what is unsent at the end so long; uvloop has no such knob.
    monkeypatch.setattr("asyncio.constants.SSL_SHUTDOWN_TIMEOUT", 0.2)

    async def main() -> None:
        options = {"ssl_options": server_tls(), "idle_connection_timeout": 0.2}
        async with serving(SITE, **options) as port, slow_client(port) as client:
            reader, writer = client
            writer.write(get("/large", *(["Connection: close"] if last else [])))
            size = 8 * MEGABYTE + len(await reader.readuntil(b"\r\n\r\n"))
            while size > 64 * 1024:
                piece = await reader.read(MEGABYTE // 8)
                assert piece, f"{size} bytes are missing"
                size -= len(piece)
                await asyncio.sleep(0.02)

    asyncio.run(main())


@contextlib.asynccontextmanager
async def slow_client(port: int) -> Any:
    """Connect over TLS with little room for what comes."""
    with socket.socket() as opened:  # which a loop that ends may leave open
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        opened.connect(("127.0.0.1", port))
        reader, writer = await asyncio.open_connection(
            sock=opened, ssl=client_tls(), server_hostname="a", limit=4096
        )
        try:
            yield reader, writer
        finally:
            writer.transport.abort()


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "TLS"])
def test_no_further_request_is_run_until_a_large_answer_is_taken(run: Run, tls: bool) -> None:
    asked = 0

    class Counted(Large):
        def prepare(self) -> None:
            nonlocal asked
            asked += 1

    async def main() -> None:
        options = {"ssl_options": server_tls()} if tls else {}
        site = tornado.web.Application([("/", Counted)])
        async with (
            serving(site, **options) as port,
            connected(port, ssl=client_tls() if tls else None, limit=4096) as (_, writer),
        ):
            writer.write(get() * 20)
            await asyncio.sleep(0.05)
            assert asked <= 2  # the system's buffers may hold the first

    run(main())


def test_all_connections_can_be_closed_while_a_handler_takes_one_over(run: Run) -> None:
    async def main() -> None:
        taken = asyncio.Event()

        class Takes(tornado.web.RequestHandler):
            def get(self) -> None:
                self.detach()
                taken.set()

        server = HTTPServer(tornado.web.Application([("/", Takes)]))
        server.listen(0, "127.0.0.1")
        (opened,) = server._sockets.values()
        async with connected(opened.getsockname()[1]) as (_, writer):
            writer.write(get())
            # Tornado runs a handler one turn after its request has been read.
            await until(lambda: any(not each.idle for each in server._connections))  # type: ignore[attr-defined]
            assert not taken.is_set()
            server.stop()
            await asyncio.wait_for(server.close_all_connections(), 1)
            await taken.wait()

    run(main())


def test_a_handler_that_writes_without_end_lets_others_have_their_turn(run: Run) -> None:
    async def main() -> None:
        turns: list[int] = []

        class Endless(tornado.web.RequestHandler):
            async def get(self) -> None:
                for number in range(5):
                    asyncio.get_running_loop().call_soon(turns.append, number)
                    self.write("x")
                    await self.flush()
                    assert len(turns) >= number

        async with (
            serving(tornado.web.Application([("/", Endless)])) as port,
            connected(port) as (reader, writer),
        ):
            writer.write(get())
            await reader.readuntil(b"0\r\n\r\n")
            assert turns == [0, 1, 2, 3, 4]

    run(main())
