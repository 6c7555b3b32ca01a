"""Whatever clients do, and however they leave: nothing stays behind, and the server can stop."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import itertools
import logging
import socket
import struct
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import tornado.web
from tornado.netutil import bind_sockets

from tests.server.http1.sites import LOOPS, client_tls, get, server_tls
from tornkit.server.draining import DrainingHTTPServer
from tornkit.server.http1.connection import Connection
from tornkit.server.http1.exchange import Exchange
from tornkit.server.http1.streams import Stream

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator, Iterator

HEAD = "POST {} HTTP/1.1\r\nHost: a\r\n{}\r\n\r\n"


class Answers(tornado.web.RequestHandler):
    """Answers in the way that its path names."""

    async def get(self, way: str) -> None:
        if way.startswith("raise"):
            if way == "raise-late":
                await self.flush()
            raise LookupError(way)
        if way.startswith("detach"):
            stream: Any = self.detach()
            if way == "detach-twice":
                self.request.connection.detach()  # type: ignore[union-attr]
            if way == "detach-read":
                with contextlib.suppress(tornado.iostream.StreamClosedError):
                    await stream.read_bytes(5)
            stream.close()
            return
        if way == "short":
            self.set_header("Content-Length", "10")
        if way == "long":
            self.set_header("Content-Length", "1")
        if way == "close":
            self.request.connection.stream.close()  # type: ignore[union-attr]
        if way == "slow":
            await asyncio.sleep(0.005)
        if way == "never":
            await asyncio.Event().wait()
        while way == "endless":
            self.write(bytes(100_000))
            await self.flush()
        self.write(bytes(3_000_000) if way == "large" else "fine")


@tornado.web.stream_request_body
class Takes(tornado.web.RequestHandler):
    """Takes a body in the way that its path names."""

    async def prepare(self) -> None:
        way = self.path_args[0]
        if way == "raise":
            raise LookupError
        if way == "early":
            self.finish("no")
        if way == "detach":
            self.detach().close()
        if way == "slow":
            await asyncio.sleep(0.002)
        if way == "never":
            await asyncio.Event().wait()

    async def data_received(self, chunk: bytes) -> None:
        way = self.path_args[0]
        if way == "raise-late":
            raise LookupError
        if way == "slow":
            await asyncio.sleep(0.002)
        if way == "never-late":
            await asyncio.Event().wait()

    def post(self, way: str) -> None:
        self.write("taken")


SITE = tornado.web.Application([("/take/(.*)", Takes), ("/(.*)", Answers)])
GETS = [
    *["", "raise", "raise-late", "detach", "detach-read", "detach-twice", "short", "long"],
    *["close", "slow", "large"],
]
POSTS = ["", "raise", "raise-late", "early", "detach", "slow"]
WAYS: dict[str, bytes] = {
    "nothing": b"",
    "half a head": b"GET / HT",
    "no head": b"\0\r\n\r\n",
    "long head": b"GET / HTTP/1.1\r\nX: " + b"x" * 70_000,
    "two framings": HEAD.format(
        "/", "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n"
    ).encode(),
    "pipelined": get() * 30,
    "pipelined slow": get("/slow") * 3,
    "expects": HEAD.format("/take/", "Content-Length: 5\r\nExpect: 100-continue").encode(),
    **{f"GET {way}": get(f"/{way}") for way in GETS},
    **{
        f"POST {way} {size}": HEAD.format(f"/take/{way}", "Content-Length: 50").encode()
        + bytes(size)
        for way in POSTS
        for size in (25, 50)
    },
    **{
        f"chunks {body[:9]!r}": HEAD.format("/take/slow", "Transfer-Encoding: chunked").encode()
        + body
        for body in (b"5\r\nab", b"z\r\n", b"0\r\nX: y\r\n\r\n", b"0" * 100)
    },
}
NEVER = {
    "GET never": get("/never"),
    "GET never, pipelined": get("/never") * 3,
    "GET endless": get("/endless"),
    "POST never": HEAD.format("/take/never", "Content-Length: 50").encode() + bytes(25),
    "POST never-late": HEAD.format("/take/never-late", "Content-Length: 50").encode() + bytes(25),
}
LEAVE = ["reset", "close", "end", "wait"]

pytestmark = pytest.mark.slow
on_each_loop = pytest.mark.parametrize("loop", LOOPS)
on_each_transport = pytest.mark.parametrize("tls", [False, True], ids=["plain", "TLS"])


@pytest.fixture(autouse=True)
def silence() -> Iterator[None]:
    """Keep no log, for the tracebacks in it hold what they came through."""
    logging.disable()
    yield
    logging.disable(logging.NOTSET)


@contextlib.asynccontextmanager
async def serving(tls: bool, **options: Any) -> AsyncIterator[tuple[DrainingHTTPServer, int]]:
    more = {"ssl_options": server_tls()} if tls else {}
    server = DrainingHTTPServer(SITE, max_body_size=1_000_000, **options, **more)
    (opened,) = bind_sockets(0, "127.0.0.1")
    server.add_socket(opened)
    try:
        yield server, opened.getsockname()[1]
    finally:
        server.stop()
        await server.close_all_connections()


async def abuse(port: int, data: bytes, leave: str, tls: ssl.SSLContext | None) -> None:
    """Send something, and leave in some way."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=tls)
    with contextlib.suppress(OSError, TimeoutError):
        writer.write(data)
        if leave in ("end", "wait"):
            if leave == "end" and writer.can_write_eof():
                writer.write_eof()
            await asyncio.wait_for(reader.read(1000), 0.03)
        else:
            await asyncio.sleep(0.002)
        opened = writer.get_extra_info("socket")
        if leave == "reset" and opened is not None:  # the server may have been quicker
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        if leave == "close":
            writer.close()
            return
    writer.transport.abort()


def left_behind() -> dict[str, int]:
    """Count what connections are made of."""
    gc.collect()
    kinds = (Connection, Stream, Exchange, Answers, Takes, asyncio.Task)
    found = {kind.__name__: 0 for kind in kinds}
    for each in gc.get_objects():
        for kind in kinds:
            if isinstance(each, kind):
                found[kind.__name__] += 1
    found["descriptors"] = sum(1 for _ in Path("/proc/self/fd").iterdir())
    return found


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
@on_each_loop
@on_each_transport
@pytest.mark.parametrize("leave", LEAVE)
def test_nothing_stays_behind(loop: str, tls: bool, leave: str) -> None:
    context = client_tls() if tls else None

    async def main() -> None:
        async with serving(tls, idle_connection_timeout=1, body_timeout=1) as (server, port):
            await abuse(port, get(), "wait", context)
            await asyncio.sleep(0.1)
            before = left_behind()
            for data in WAYS.values():
                await asyncio.gather(*(abuse(port, data, leave, context) for _ in range(5)))
            for _ in range(60):
                await asyncio.sleep(0.05)
                after = left_behind()
                if all(after[kind] <= before[kind] for kind in before):
                    break
            else:
                pytest.fail(f"before {before}, after {after}")
            assert not server._connections
            assert not server._open
            assert not server.in_flight

    with asyncio.Runner(loop_factory=LOOPS[loop]) as runner:
        runner.run(main())


@on_each_loop
@on_each_transport
@pytest.mark.parametrize("end", ["close", "drain"])
def test_it_can_stop_whatever_is_going_on(loop: str, tls: bool, end: str) -> None:
    async def stop_after(data: bytes, delay: float) -> None:
        async with serving(tls) as (server, port):
            _, writer = await asyncio.open_connection(
                "127.0.0.1", port, ssl=client_tls() if tls else None
            )
            writer.write(data)
            await asyncio.sleep(delay)
            async with asyncio.timeout(2):
                if end == "drain":
                    await server.drain(0.05)
                else:
                    server.stop()
                    await server.close_all_connections()
            assert not server._connections
            assert not server.in_flight
            writer.transport.abort()

    async def main() -> None:
        for (name, data), delay in itertools.product({**WAYS, **NEVER}.items(), (0, 0.01)):
            try:
                await stop_after(data, delay)
            except (TimeoutError, AssertionError) as error:
                raise AssertionError(f"{name} after {delay} s") from error

    with asyncio.Runner(loop_factory=LOOPS[loop]) as runner:
        runner.run(main())
