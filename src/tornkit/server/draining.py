"""An HTTP server that knows which requests are in flight, and can be emptied."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import weakref
from typing import TYPE_CHECKING, Any, cast

from tornado.httpserver import HTTPServer
from tornado.httputil import HTTPMessageDelegate
from tornado.iostream import SSLIOStream

from tornkit.server.proxies import Client, TrustedProxies, client_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tornado.http1connection import HTTP1Connection, HTTP1ServerConnection
    from tornado.httpserver import _HTTPRequestContext
    from tornado.httputil import (
        HTTPConnection,
        HTTPHeaders,
        RequestStartLine,
        ResponseStartLine,
    )
    from tornado.iostream import IOStream

__all__ = ["DrainingServer"]

# How long a connection that has begun to send a request may take to finish its headers.
_HEADER_GRACE = 0.5


class DrainingServer(HTTPServer):
    """Tornado's HTTP server, with a graceful end.

    A request is in flight from its headers to the last byte of its answer; a WebSocket
    until its handshake is done.
    """

    def initialize(
        self, *args: Any, trusted_proxies: TrustedProxies | None = None, **kwargs: Any
    ) -> None:
        """Take the arguments of Tornado's server, and the proxies whose headers are believed."""
        super().initialize(*args, **kwargs)
        self._trusted_proxies = trusted_proxies or TrustedProxies()
        self._in_flight: dict[object, HTTP1Connection] = {}
        self._streams: weakref.WeakSet[IOStream] = weakref.WeakSet()
        self._draining = False
        self._empty = asyncio.Event()
        self._empty.set()

    @property
    def in_flight(self) -> int:
        """How many requests are being answered."""
        return len(self._in_flight)

    def handle_stream(self, stream: IOStream, address: tuple[Any, ...]) -> None:
        """Serve a connection, remembering its stream: a WebSocket leaves Tornado's list."""
        self._streams.add(stream)
        super().handle_stream(stream, address)

    def start_request(
        self, server_conn: object, request_conn: HTTPConnection
    ) -> HTTPMessageDelegate:
        """Wait for the next request of a connection; the one before it is answered."""
        self._ended(server_conn)
        if self._draining and not _has_input(_stream(server_conn)):
            _stream(server_conn).close()
        delegate = super().start_request(server_conn, request_conn)
        connection = cast("HTTP1Connection", request_conn)
        return _Counted(delegate, lambda headers: self._began(server_conn, connection, headers))

    def on_close(self, server_conn: object) -> None:
        """Forget a connection."""
        self._ended(server_conn)
        super().on_close(server_conn)

    def _began(
        self, server_conn: object, connection: HTTP1Connection, headers: HTTPHeaders
    ) -> None:
        context = cast("_HTTPRequestContext", connection.context)
        _set_client(context, headers, self._trusted_proxies)
        self._in_flight[server_conn] = connection
        self._empty.clear()

    def _ended(self, server_conn: object) -> None:
        self._in_flight.pop(server_conn, None)
        if not self._in_flight:
            self._empty.set()

    async def drain(self, patience: float) -> int:
        """Stop accepting, let requests in flight finish, close every connection.

        Args:
            patience: seconds that the requests have.

        Returns:
            How many requests were cut off because they had not finished by then.
        """
        self._draining = True
        self.stop()
        self.conn_params.no_keep_alive = True
        for connection in self._in_flight.values():
            # Makes Tornado send "Connection: close" where the headers are still to come.
            connection._disconnect_on_finish = True
        for server_conn in self._connections - self._in_flight.keys():
            if not _has_input(server_conn.stream):
                server_conn.stream.close()
        # A request that has reached this machine but not yet Tornado counts as in flight.
        deadline = asyncio.get_running_loop().time() + min(patience, _HEADER_GRACE)
        while self._connections - self._in_flight.keys():
            if asyncio.get_running_loop().time() >= deadline:
                break
            await asyncio.sleep(0.005)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._empty.wait(), patience)
        unfinished = self.in_flight
        await self.close_all_connections()
        for stream in list(self._streams):
            stream.close()
        return unfinished


class _Counted(HTTPMessageDelegate):
    """Passes everything on, and tells when the headers are there."""

    __slots__ = ("_began", "_inner")

    def __init__(self, inner: HTTPMessageDelegate, began: Callable[[HTTPHeaders], None]) -> None:
        self._inner = inner
        self._began = began

    def headers_received(
        self, start_line: RequestStartLine | ResponseStartLine, headers: HTTPHeaders
    ) -> Awaitable[None] | None:
        self._began(headers)
        return self._inner.headers_received(start_line, headers)

    def data_received(self, chunk: bytes) -> Awaitable[None] | None:
        return self._inner.data_received(chunk)

    def finish(self) -> None:
        self._inner.finish()

    def on_connection_close(self) -> None:
        self._inner.on_connection_close()


def _set_client(
    context: _HTTPRequestContext, headers: HTTPHeaders, trusted: TrustedProxies
) -> None:
    """Let the next request know its client; what the one before was told is not kept."""
    if not trusted and not context._orig_remote_ip.startswith("::ffff:"):
        return
    has_address = context.address_family in (socket.AF_INET, socket.AF_INET6)
    peer = Client(context._orig_remote_ip if has_address else "", context._orig_protocol)
    client = client_of(
        peer,
        headers.get_list("X-Forwarded-For"),
        headers.get_list("X-Forwarded-Proto"),
        trusted,
    )
    context.remote_ip = client.address or context._orig_remote_ip
    context.protocol = client.protocol


def _stream(server_conn: object) -> IOStream:
    return cast("HTTP1ServerConnection", server_conn).stream


def _has_input(stream: IOStream) -> bool:
    """Tell whether bytes of a request wait in Tornado's buffer or in the kernel's."""
    if stream.closed():
        return False
    if stream._read_buffer:
        return True
    if isinstance(stream, SSLIOStream):
        return False  # TLS records say nothing about requests
    try:
        return bool(stream.socket.recv(1, socket.MSG_PEEK))
    except OSError:
        return False
