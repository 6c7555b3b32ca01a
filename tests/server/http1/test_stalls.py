"""A client that takes nothing of its answer is closed, and a slow one is not."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from typing import TYPE_CHECKING, Any

import pytest
import tornado.web
from tornado.iostream import StreamClosedError
from tornado.netutil import bind_unix_socket

from tests.server.http1.sites import client_tls, get, run, running, server_tls
from tornkit.server.http1 import HTTPServer, stalls
from tornkit.server.http1.stalls import StallWatch

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.server.http1.sites import Run

__all__ = ["run"]

MEGABYTE = 1024 * 1024
PATIENCE = 0.15


class Flushing(tornado.web.RequestHandler):
    async def get(self) -> None:
        with contextlib.suppress(StreamClosedError):
            for _ in range(20):
                self.write(bytes(MEGABYTE))
                await self.flush()


class AtOnce(tornado.web.RequestHandler):
    def get(self) -> None:
        self.write(bytes(20 * MEGABYTE))


class Taken(tornado.web.RequestHandler):
    async def get(self) -> None:
        stream: Any = self.detach()
        await stream.write(bytes(20 * MEGABYTE))


SITE = tornado.web.Application([("/flushing", Flushing), ("/once", AtOnce), ("/taken", Taken)])


@contextlib.asynccontextmanager
async def client_of(port: int, room: int = 4096) -> AsyncIterator[socket.socket]:
    """Connect with little room for what comes."""
    with socket.socket() as opened:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, room)
        opened.setblocking(False)
        await asyncio.get_running_loop().sock_connect(opened, ("127.0.0.1", port))
        yield opened


async def all_closed(server: HTTPServer, seconds: float) -> bool:
    """Tell whether every connection ends in time."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            while server._open:  # noqa: ASYNC110  what is waited for has no event
                await asyncio.sleep(0.01)
    return not server._open


@pytest.mark.slow
@pytest.mark.parametrize("path", ["/flushing", "/once"])
@pytest.mark.parametrize("end", [[], ["Connection: close"]], ids=["kept", "last"])
def test_who_takes_nothing_is_closed(
    run: Run, path: str, end: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        async with (
            running(SITE, stall_timeout=PATIENCE) as (server, port),
            client_of(port) as client,
        ):
            await asyncio.get_running_loop().sock_sendall(client, get(path, *end))
            await asyncio.sleep(0.05)
            assert server._open
            assert await all_closed(server, 5 * PATIENCE)

    with caplog.at_level(logging.INFO, "tornado.general"):
        run(main())
    assert "127.0.0.1 took none of " in caplog.text
    assert "bytes for 0.15 s, closing connection" in caplog.text


@pytest.mark.slow
@pytest.mark.parametrize("path", ["/flushing", "/once"])
def test_who_takes_nothing_over_tls_is_closed(run: Run, path: str) -> None:
    async def main() -> None:
        options: dict[str, Any] = {"ssl_options": server_tls(), "stall_timeout": PATIENCE}
        async with running(SITE, **options) as (server, port), client_of(port) as opened:
            reader, writer = await asyncio.open_connection(
                sock=opened, ssl=client_tls(), server_hostname="a", limit=4096
            )
            writer.write(get(path))
            await reader.read(10)
            await asyncio.sleep(0.05)
            assert server._open
            assert await all_closed(server, 10 * PATIENCE)
            writer.transport.abort()

    run(main())


@pytest.mark.slow
def test_who_takes_nothing_from_a_unix_socket_is_closed(run: Run, tmp_path: Path) -> None:
    async def main() -> None:
        server = HTTPServer(SITE, stall_timeout=PATIENCE)
        server.add_socket(bind_unix_socket(str(tmp_path / "s")))
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(tmp_path / "s"))
            client.sendall(get("/flushing"))
            await asyncio.sleep(0.05)
            assert server._open
            assert await all_closed(server, 5 * PATIENCE)
        server.stop()

    run(main())


@pytest.mark.slow
@pytest.mark.parametrize("path", ["/flushing", "/once"])
def test_who_takes_a_little_all_the_time_is_left_alone(run: Run, path: str) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        async with (
            running(SITE, stall_timeout=0.5) as (server, port),  # TCP itself waits for up to 0.2
            client_of(port, room=32768) as client,
        ):
            await loop.sock_sendall(client, get(path))
            for _ in range(40):  # far less than the kernel holds
                assert await loop.sock_recv(client, 8192)
                await asyncio.sleep(0.05)
            assert server._open

    run(main())


@pytest.mark.slow
def test_who_took_a_connection_over_waits_as_long_as_it_likes(run: Run) -> None:
    async def main() -> None:
        async with (
            running(SITE, stall_timeout=PATIENCE) as (server, port),
            client_of(port) as client,
        ):
            await asyncio.get_running_loop().sock_sendall(client, get("/taken"))
            assert not await all_closed(server, 5 * PATIENCE)

    run(main())


@pytest.mark.slow
def test_without_a_limit_nobody_is_closed(run: Run) -> None:
    async def main() -> None:
        options: dict[str, Any] = {"stall_timeout": None, "idle_connection_timeout": PATIENCE}
        async with running(SITE, **options) as (server, port), client_of(port) as client:
            await asyncio.get_running_loop().sock_sendall(client, get("/once"))
            assert not await all_closed(server, 5 * PATIENCE)

    run(main())


class Sender:
    """Sends what the test says."""

    def __init__(self) -> None:
        self.left, self.aborted = 100, False

    def unsent(self) -> int:
        return self.left

    def abort(self) -> None:
        self.aborted = True


async def test_it_looks_again_as_long_as_something_is_taken(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(stalls, "_TCP_INFO", None)  # as on other systems
    loop = asyncio.get_running_loop()
    with socket.socket() as opened:
        sender = Sender()
        watch = StallWatch(sender, opened, 0.001)
        watch.begin(loop)
        for _ in range(5):
            sender.left -= 1
            watch.begin(loop)  # changes nothing
            watch._look(loop)
            assert not sender.aborted
        watch._look(loop)
        assert sender.aborted


async def test_nobody_is_watched_when_all_is_sent_or_the_connection_has_ended() -> None:
    loop = asyncio.get_running_loop()
    with socket.socket() as opened:
        sender = Sender()
        watch = StallWatch(sender, opened, 100)
        watch.begin(loop)
        watch.end()
        assert watch._timer is None
        watch.begin(loop)
        sender.left = 0
        watch._look(loop)
        assert watch._timer is None
        assert not sender.aborted
