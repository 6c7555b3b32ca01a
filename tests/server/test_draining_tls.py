"""What a server that stops still owes a slow client arrives, over TLS too."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from typing import TYPE_CHECKING, Any

import pytest
import tornado.web

from tests.server.http1.sites import client_tls, get, run, server_tls
from tornkit.server import bind, draining

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator

    from tests.server.http1.sites import Run

__all__ = ["run"]


@contextlib.asynccontextmanager
async def serving_tls(
    application: tornado.web.Application,
) -> AsyncIterator[tuple[draining.DrainingHTTPServer, int]]:
    """Serve inside the block; the kernel keeps little of what a client has not taken."""
    (listening,) = bind("127.0.0.1", 0)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    server = draining.DrainingHTTPServer(application, ssl_options=server_tls())
    server.add_sockets([listening])
    try:
        yield server, listening.getsockname()[1]
    finally:
        await server.drain(0)


class SlowClient:
    """Asks over TLS, in a thread, and reads nothing before it is told to."""

    def __init__(self, port: int) -> None:
        self._port = port
        self.go = threading.Event()

    def ask(self) -> bytes:
        """Return all that comes."""
        with socket.socket() as opened:
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            opened.settimeout(8)
            opened.connect(("127.0.0.1", self._port))
            return self._ask(client_tls().wrap_socket(opened))

    def _ask(self, session: ssl.SSLSocket) -> bytes:
        with session:
            session.sendall(get())
            self.go.wait(8)
            pieces = []
            with contextlib.suppress(OSError):
                while piece := session.recv(8192):
                    pieces.append(piece)
            return b"".join(pieces)


class Large(tornado.web.RequestHandler):
    def initialize(self, size: int, answered: asyncio.Event) -> None:
        self.size, self.answered = size, answered

    def get(self) -> None:
        self.write(bytes(self.size))

    def on_finish(self) -> None:
        self.answered.set()


def large(size: int) -> tuple[tornado.web.Application, asyncio.Event]:
    answered = asyncio.Event()
    arguments: dict[str, Any] = {"size": size, "answered": answered}
    return tornado.web.Application([("/", Large, arguments)]), answered


# The first waits in the transport beneath TLS alone, the last in all places.
@pytest.mark.parametrize("size", [50_000, 120_000, 2_000_000])
def test_an_answer_on_its_way_to_a_slow_client_arrives_whole(
    run: Run, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    monkeypatch.setattr(draining, "_HEADER_GRACE", 0.0)  # it must not depend on that

    async def main() -> None:
        application, answered = large(size)
        async with serving_tls(application) as (server, port):
            client = SlowClient(port)
            asking = asyncio.create_task(asyncio.to_thread(client.ask))
            await answered.wait()
            stopping = asyncio.create_task(server.drain(8))
            await asyncio.sleep(0.05)
            assert not stopping.done()
            client.go.set()
            assert await stopping == 0
            head, _, body = (await asking).partition(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200 ")
            assert len(body) == size

    run(main())


def test_an_answer_that_nobody_takes_is_given_up_and_counted(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(draining, "_HEADER_GRACE", 0.0)

    async def main() -> None:
        application, answered = large(50_000)
        async with serving_tls(application) as (server, port):
            client = SlowClient(port)
            asking = asyncio.create_task(asyncio.to_thread(client.ask))
            await answered.wait()
            began = asyncio.get_running_loop().time()
            assert await server.drain(0.1) == 1
            assert asyncio.get_running_loop().time() - began < 1
            client.go.set()
            await asking

    run(main())
