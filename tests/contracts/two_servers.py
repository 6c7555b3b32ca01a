"""Tornado's server and ours beside each other, and what each makes of the same bytes."""

from __future__ import annotations

import asyncio
import contextlib
import re
import socket
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import tornado.httpserver
from tornado.httputil import (
    HTTPHeaders,
    HTTPMessageDelegate,
    HTTPServerConnectionDelegate,
    ResponseStartLine,
)
from tornado.testing import bind_unused_port

from tornkit.server.http1 import HTTPServer

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop
    from collections.abc import Callable, Iterator, Sequence

    from tornado.http1connection import HTTP1Connection
    from tornado.httputil import RequestStartLine

SENTINEL = b"GET /sentinel HTTP/1.1\r\nHost: s\r\nConnection: close\r\n\r\n"
_QUIET = 0.02  # seconds without an answer, after which no more is expected
_STATUS = re.compile(rb"HTTP/1\.1 (\d\d\d) ")


@dataclass
class Seen:
    """A request as an application sees it."""

    line: tuple[str, str, str]
    headers: list[tuple[str, str]]
    body: bytes = b""
    end: str = ""

    def ends_connection(self) -> bool:
        """Tell whether it asks for the end of its connection."""
        wish = ",".join(value for name, value in self.headers if name == "Connection").lower()
        method, _, version = self.line
        if version == "HTTP/1.1":
            return wish == "close"
        names = {name for name, _ in self.headers}
        has_end = method in ("GET", "HEAD") or names & {"Content-Length", "Transfer-Encoding"}
        return not has_end or wish != "keep-alive"


@dataclass
class Site(HTTPServerConnectionDelegate):
    """Answers every request at once, and remembers it."""

    seen: list[Seen] = field(default_factory=list)

    def start_request(self, server_conn: object, request_conn: Any) -> HTTPMessageDelegate:
        return _Recorder(self, request_conn)


class _Recorder(HTTPMessageDelegate):
    def __init__(self, site: Site, connection: HTTP1Connection) -> None:
        self.site, self.connection = site, connection

    def headers_received(self, start_line: Any, headers: HTTPHeaders) -> None:
        line: RequestStartLine = start_line
        # Tornado rewrites some headers later; what counts is what the application is given.
        self.seen = Seen((line.method, line.path, line.version), list(headers.get_all()))
        self.site.seen.append(self.seen)

    def data_received(self, chunk: bytes) -> None:
        self.seen.body += chunk

    def finish(self) -> None:
        self.seen.end = "finished"
        headers = HTTPHeaders({"Content-Length": "2"})
        self.connection.write_headers(ResponseStartLine("", 200, "OK"), headers)
        self.connection.write(b"" if self.seen.line[0] == "HEAD" else b"ok")
        self.connection.finish()

    def on_connection_close(self) -> None:
        self.seen.end = "closed"
        self.seen.body = b""  # how much came before is a matter of timing


@dataclass(frozen=True)
class Outcome:
    """What a server made of some bytes: requests, the statuses of its answers, and the end."""

    requests: list[Seen]
    statuses: list[int]
    reset: bool

    def agrees(self, theirs: Outcome) -> bool:
        """Tell whether the servers agree.

        Both may close with input unread, and the reset which that makes can overtake answers;
        ours does so only where there is no answer.
        """
        expected = _wanted(theirs.statuses)
        if self.statuses[:-1] == expected and self.statuses[-1:] in ([400], [431]):
            expected = self.statuses  # Tornado closes without a word where a line has no end
        lengths = [(self.reset, self.statuses), (theirs.reset, expected)]
        heard = min([len(statuses) for reset, statuses in lengths if reset], default=None)
        return (
            self.requests == _up_to_the_end(theirs.requests)
            and self.statuses[:heard] == expected[:heard]
            and (not self.reset or not theirs.statuses)
        )


def _wanted(statuses: list[int]) -> list[int]:
    """Leave out the answers that ask for a body which is then refused."""
    return [code for at, code in enumerate(statuses) if statuses[at : at + 2] != [100, 400]]


def _up_to_the_end(requests: list[Seen]) -> list[Seen]:
    """Leave out requests after the one that ends its connection.

    Tornado runs those that have already arrived, though it cannot answer them; RFC 9112,
    section 9.6, forbids it.
    """
    for at, seen in enumerate(requests):
        if seen.ends_connection():
            return requests[: at + 1]
    return requests


@contextlib.contextmanager
def two_servers(factory: Callable[[], AbstractEventLoop], **options: Any) -> Iterator[Pair]:
    """Serve on Tornado's server and on ours, which runs on a loop of ``factory``.

    The options are those of Tornado's server. That is on a loop of its own, for on uvloop it
    stalls now and then where its input comes in small pieces.
    """
    theirs = _serving(tornado.httpserver.HTTPServer, asyncio.SelectorEventLoop, options)
    with theirs as tornados, _serving(HTTPServer, factory, options) as ours:
        yield Pair(tornados, ours)


@dataclass(frozen=True)
class Pair:
    """Ask either server."""

    tornados: Callable[[Sequence[bytes]], Outcome]
    ours: Callable[[Sequence[bytes]], Outcome]


@contextlib.contextmanager
def _serving(
    kind: type[tornado.httpserver.HTTPServer],
    factory: Callable[[], AbstractEventLoop],
    options: dict[str, Any],
) -> Iterator[Callable[[Sequence[bytes]], Outcome]]:
    async def start() -> int:
        opened, port = bind_unused_port()
        server.add_socket(opened)
        return port

    async def stop() -> None:
        server.stop()
        await server.close_all_connections()

    with asyncio.Runner(loop_factory=factory) as runner:
        site = Site()
        server = kind(site, **options)
        port = runner.run(start())
        try:
            yield lambda pieces: runner.run(_ask(site, port, pieces))
        finally:
            runner.run(stop())


async def _ask(site: Site, port: int, pieces: Sequence[bytes]) -> Outcome:
    site.seen.clear()
    loop = asyncio.get_running_loop()
    answer, reset = b"", False
    with socket.socket() as client:
        client.setblocking(False)
        await loop.sock_connect(client, ("127.0.0.1", port))
        try:
            for piece in pieces:
                await loop.sock_sendall(client, piece)
                for _ in range(3):  # let the server, which is on the same loop, read it
                    await asyncio.sleep(0)
            with contextlib.suppress(TimeoutError):
                while more := await asyncio.wait_for(loop.sock_recv(client, 65536), _QUIET):
                    answer += more
            for _ in range(10):
                await asyncio.sleep(0)
            client.shutdown(socket.SHUT_WR)  # what is incomplete remains so
            async with asyncio.timeout(10):
                while more := await loop.sock_recv(client, 65536):
                    answer += more
        except TimeoutError:
            raise
        except OSError:
            reset = True
    return Outcome(list(site.seen), [int(code) for code in _STATUS.findall(answer)], reset)
