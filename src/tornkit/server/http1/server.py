"""The HTTP/1 server: `tornado.httpserver.HTTPServer` on transports of the event loop."""

from __future__ import annotations

import asyncio
import math
import ssl
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar, cast

from tornado import httpserver
from tornado.httpserver import _HTTPRequestContext
from tornado.log import app_log, gen_log
from tornado.netutil import ssl_options_to_context
from tornado.routing import Router

from tornkit._requests import Dispatch
from tornkit.server.http1.accepting import Acceptor, open_files
from tornkit.server.http1.connection import Connection
from tornkit.server.http1.streams import Stream
from tornkit.server.http1.tls import TLSStream

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterable

    from tornado.http1connection import HTTP1ServerConnection
    from tornado.httputil import HTTPConnection, HTTPMessageDelegate
    from tornado.iostream import IOStream

__all__ = ["HTTPServer"]

_Number = TypeVar("_Number", int, float)

_HANDSHAKE_TIMEOUT = 60.0  # seconds
_IDLE_WHEN_FULL = 5.0  # seconds
_OTHER_FILES = 256


class HTTPServer(httpserver.HTTPServer):
    """Serve an application over HTTP/1, several times faster than Tornado's own server.

    Its interface is that of `tornado.httpserver.HTTPServer`, whose arguments it takes, and two
    more.

    Args:
        max_connections: how many connections may be open; more have to wait until one ends.
        stall_timeout: how many seconds a client may take nothing of an answer.

    Example:
        ``HTTPServer(tornado.web.Application(routes)).listen(8888)``
    """

    def initialize(
        self,
        *args: Any,
        max_connections: int | None = 10_000,
        stall_timeout: float | None = 30.0,
        **kwargs: Any,
    ) -> None:
        """Take the arguments of Tornado's server, and limits that it does not have."""
        super().initialize(*args, **kwargs)
        self.max_connections = _positive("max_connections", max_connections)
        self.stall_timeout = _positive("stall_timeout", stall_timeout)
        self._acceptor = Acceptor(self._handle_connection, self._full, self._make_room)
        self._open: set[Stream] = set()
        self._affordable = math.inf
        self._arriving: set[asyncio.Task[None]] = set()
        self._done: asyncio.Future[None] | None = None
        self._tls: ssl.SSLContext | None = None

    def add_sockets(self, sockets: Iterable[socket.socket]) -> None:
        """Accept the connections of listening sockets."""
        # What a request needs has to be open, too: files, databases, other servers.
        self._affordable = open_files() - min(open_files() // 4, _OTHER_FILES)
        for each in sockets:
            self._sockets[each.fileno()] = each
            self._handlers[each.fileno()] = self._acceptor.add(each)

    async def close_all_connections(self) -> None:
        """Close every connection that speaks HTTP, and wait until they are closed."""
        for task in list(self._arriving):
            task.cancel()
        await asyncio.gather(*self._arriving, return_exceptions=True)
        await super().close_all_connections()

    def start_request(
        self, server_conn: object, request_conn: HTTPConnection
    ) -> HTTPMessageDelegate:
        """Return who answers the next request."""
        router = self.request_callback
        if (
            isinstance(router, Router)
            and type(router).start_request is Router.start_request
            and not self.xheaders
        ):
            return Dispatch(router, server_conn, request_conn)
        return super().start_request(server_conn, request_conn)

    def opened(self, connection: Connection) -> None:
        """Remember a connection until `on_close`."""
        self._connections.add(cast("HTTP1ServerConnection", connection))

    def on_answer(self, connection: Connection) -> None:
        """Do nothing; a subclass may count."""

    def _handle_connection(self, connection: socket.socket, address: Any) -> None:
        """Serve a connection that was accepted."""
        loop = asyncio.get_running_loop()
        stream = self._new_stream(loop, connection, address)
        self._open.add(stream)
        task = loop.create_task(self._connect(connection, address, stream))
        self._arriving.add(task)
        task.add_done_callback(self._arriving.discard)

    async def _connect(self, opened: socket.socket, address: Any, stream: Stream) -> None:
        loop = asyncio.get_running_loop()
        try:
            opened.setblocking(False)
            tls = self._context()
            patience = min(_HANDSHAKE_TIMEOUT, self.conn_params.header_timeout or math.inf)
            await loop.connect_accepted_socket(
                lambda: stream, opened, ssl=tls, ssl_handshake_timeout=patience if tls else None
            )
        except ssl.SSLError as error:
            gen_log.warning("SSL Error on %s %s: %s", opened.fileno(), address, error)
            opened.close()
        except OSError:  # the other end has gone; TimeoutError is one, too
            opened.close()
        except Exception:  # noqa: BLE001  the next connection may fare better
            app_log.exception("Error in connection callback")
            opened.close()
        finally:
            if not stream.connected:
                self._lost(stream)

    def _lost(self, stream: Stream) -> None:
        """Forget a connection that has ended, whoever used it last."""
        self._open.discard(stream)
        self._acceptor.connection_ended()

    def _full(self) -> str | None:
        """Tell why no further connection may be opened, if none may."""
        count = len(self._open)
        if self.max_connections is None or count < min(self.max_connections, self._affordable):
            return None
        if count >= self.max_connections:
            return f"{count} are open, which is max_connections"
        return f"{count} are open, and this process may open {open_files()} files in all"

    def _make_room(self) -> None:
        """Close connections that are not in use; a busy server does not wait long for them."""
        for each in list(self._connections):
            connection = cast("Connection", each)
            if connection.idle_for() >= _IDLE_WHEN_FULL:
                connection.stream.close()

    def _new_stream(
        self, loop: asyncio.AbstractEventLoop, opened: socket.socket, address: Any
    ) -> Stream:
        if self._done is None or self._done.get_loop() is not loop:
            self._done = loop.create_future()
            self._done.set_result(None)
        kind = Stream if self.ssl_options is None else TLSStream
        stream = kind(opened, self._done, self.max_buffer_size, self.stall_timeout, self._lost)
        protocol = self.protocol or ("http" if self.ssl_options is None else "https")
        context = _HTTPRequestContext(
            cast("IOStream", _Opened(opened)), address, protocol, self.trusted_downstream
        )
        Connection(self, stream, self.conn_params, context)
        return stream

    def _context(self) -> ssl.SSLContext | None:
        if self._tls is None and self.ssl_options is not None:
            self._tls = ssl_options_to_context(self.ssl_options, server_side=True)
        return self._tls


def _positive(name: str, value: _Number | None) -> _Number | None:
    if value is not None and value <= 0:
        raise ValueError(f"{name} is {value}; expected more than 0, or None for no limit")
    return value


class _Opened(NamedTuple):
    """As much of a stream as Tornado's request context looks at."""

    socket: socket.socket
