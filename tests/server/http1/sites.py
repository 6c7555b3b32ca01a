"""Serve something on our server, on each event loop, and talk to it in bytes."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import tornado.test
from tornado.netutil import bind_sockets

from tornkit.server import new_event_loop
from tornkit.server.http1 import HTTPServer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine, Iterator

    Run = Callable[[Coroutine[Any, Any, None]], None]

_CERTIFICATES = Path(tornado.test.__file__).parent
CERTIFICATE, KEY = _CERTIFICATES / "test.crt", _CERTIFICATES / "test.key"
LOOPS = {"asyncio": asyncio.SelectorEventLoop, "uvloop": new_event_loop}


@pytest.fixture(params=LOOPS)
def run(request: pytest.FixtureRequest) -> Iterator[Run]:
    """Run a coroutine on each event loop, within ten seconds."""
    with asyncio.Runner(loop_factory=LOOPS[request.param]) as runner:
        yield lambda test: runner.run(asyncio.wait_for(test, 10))


@contextlib.asynccontextmanager
async def serving(site: Any, **options: Any) -> AsyncIterator[int]:
    """Serve inside the block; give the port."""
    async with running(site, **options) as (_, port):
        yield port


@contextlib.asynccontextmanager
async def running(
    site: Any, kind: type[HTTPServer] = HTTPServer, **options: Any
) -> AsyncIterator[tuple[HTTPServer, int]]:
    """Serve inside the block; give the server, too."""
    server = kind(site, **options)
    sockets = bind_sockets(0, "127.0.0.1")
    server.add_sockets(sockets)
    try:
        yield server, sockets[0].getsockname()[1]
    finally:
        server.stop()
        await server.close_all_connections()


@contextlib.asynccontextmanager
async def connected(
    port: int, **options: Any
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """Connect inside the block."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, **options)
    try:
        yield reader, writer
    finally:
        writer.transport.abort()


async def answer(reader: asyncio.StreamReader) -> bytes:
    """Read one answer with a Content-Length."""
    head = await reader.readuntil(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
    return head + await reader.readexactly(length)


async def until(true: Callable[[], object]) -> None:
    """Let the loop turn until something holds."""
    while not true():  # noqa: ASYNC110  what is waited for has no event
        await asyncio.sleep(0)


def get(path: str = "/", *headers: str) -> bytes:
    """Return a GET."""
    return "\r\n".join([f"GET {path} HTTP/1.1", "Host: a", *headers, "", ""]).encode()


def server_tls() -> ssl.SSLContext:
    """Return a context for a server that asks for a certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATE, KEY)
    context.load_verify_locations(CERTIFICATE)
    context.verify_mode = ssl.CERT_OPTIONAL
    return context


def client_tls(certificate: bool = False) -> ssl.SSLContext:
    """Return a context for a client that believes everybody."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if certificate:
        context.load_cert_chain(CERTIFICATE, KEY)
    return context
