"""Tornado's WebSockets and ours beside each other, and what each makes of the same bytes."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import tornado.httpserver
import tornado.web
from tornado.testing import bind_unused_port
from tornado.websocket import WebSocketClosedError

from tests.server.raw_websockets import CLOSE, DEFLATE, Frame, Recorder, frames_of, request
from tornkit.server.http1 import HTTPServer

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop
    from collections.abc import Callable, Iterator, Sequence

    Ask = Callable[[str, Sequence[bytes]], "Outcome"]

LIMIT = 300


class Echo(Recorder):
    """Remembers everything, and sends messages back."""

    def on_message(self, message: str | bytes) -> None:
        super().on_message(message)
        with contextlib.suppress(WebSocketClosedError):
            self.write_message(message, binary=isinstance(message, bytes))


class SlowEcho(Recorder):
    """Does the same, in its own time."""

    async def on_message(self, message: str | bytes) -> None:
        await asyncio.sleep(0)
        super().on_message(message)
        with contextlib.suppress(WebSocketClosedError):
            await self.write_message(message, binary=isinstance(message, bytes))


class DeflatingEcho(Echo):
    """Compresses."""

    def get_compression_options(self) -> dict[str, Any]:
        return {}


@dataclass(frozen=True)
class Outcome:
    """What a handler has seen, what the client was sent, and whether by a reset it lost some."""

    seen: list[Any]
    frames: list[Frame]
    reset: bool

    @property
    def refusal(self) -> bytes | None:
        """Return the code that a close frame gives as its last, if it is one of a mistake."""
        if self.frames and self.frames[-1].opcode == CLOSE:
            code = self.frames[-1].payload[:2]
            return code if code in (b"\x03\xea", b"\x03\xef") else None
        return None


@dataclass(frozen=True)
class Pair:
    """Ask either server; say which handler, and send some pieces."""

    tornados: Ask
    ours: Ask


@contextlib.contextmanager
def two_servers(factory: Callable[[], AbstractEventLoop]) -> Iterator[Pair]:
    """Serve on Tornado's server, and on ours on a loop of ``factory``."""
    theirs = _serving(tornado.httpserver.HTTPServer, asyncio.SelectorEventLoop)
    with theirs as tornados, _serving(HTTPServer, factory) as ours:
        yield Pair(tornados, ours)


@contextlib.contextmanager
def _serving(
    kind: type[tornado.httpserver.HTTPServer], factory: Callable[[], AbstractEventLoop]
) -> Iterator[Ask]:
    seen: list[Any] = []

    async def start() -> int:
        opened, port = bind_unused_port()
        server.add_socket(opened)
        return port

    async def stop() -> None:
        server.stop()
        await server.close_all_connections()

    kinds = {"/echo": Echo, "/slow": SlowEcho, "/deflate": DeflatingEcho}
    application = tornado.web.Application(
        [(path, handler, {"seen": seen}) for path, handler in kinds.items()],
        websocket_max_message_size=LIMIT,
        log_function=lambda _: None,
    )
    with asyncio.Runner(loop_factory=factory) as runner:
        server = kind(application)
        port = runner.run(start())
        try:
            yield lambda path, pieces: runner.run(_ask(seen, port, path, pieces))
        finally:
            runner.run(stop())


async def _ask(seen: list[Any], port: int, path: str, pieces: Sequence[bytes]) -> Outcome:
    seen.clear()
    loop = asyncio.get_running_loop()
    answer, reset = b"", False
    with socket.socket() as client:
        client.setblocking(False)
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # no piece waits
        await loop.sock_connect(client, ("127.0.0.1", port))
        await loop.sock_sendall(client, request(path, DEFLATE))
        while b"\r\n\r\n" not in answer:
            answer += await loop.sock_recv(client, 65536)
        answer = answer.partition(b"\r\n\r\n")[2]
        try:
            for piece in pieces:
                await loop.sock_sendall(client, piece)
                for _ in range(2):  # let the server, which is on the same loop, read it
                    await asyncio.sleep(0)
            # Tornado's may take the end for the loss of a client that it still answers, so it
            # comes after that: a frame has six bytes or more, and takes some turns of the loop.
            for _ in range(min(200, sum(map(len, pieces)) // 6 * 5)):
                await asyncio.sleep(0)
            client.shutdown(socket.SHUT_WR)
            async with asyncio.timeout(10):
                while more := await loop.sock_recv(client, 65536):
                    answer += more
        except TimeoutError:
            raise
        except OSError:
            reset = True
    async with asyncio.timeout(10):
        while not seen or seen[-1][:1] != ("close",):  # noqa: ASYNC110  it has no event
            await asyncio.sleep(0)
    return Outcome(list(seen), frames_of(answer), reset)
