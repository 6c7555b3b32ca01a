"""The HTTP/1 server: `tornado.httpserver.HTTPServer` on transports of the event loop."""

from __future__ import annotations

import asyncio
import math
import ssl
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from tornado import httpserver
from tornado.httpserver import _HTTPRequestContext
from tornado.log import app_log, gen_log
from tornado.netutil import ssl_options_to_context

from tornkit.server.http1.connection import Connection
from tornkit.server.http1.streams import Stream

if TYPE_CHECKING:
    import socket

    from tornado.http1connection import HTTP1ServerConnection
    from tornado.iostream import IOStream

__all__ = ["HTTPServer"]

_HANDSHAKE_TIMEOUT = 60.0  # seconds


class HTTPServer(httpserver.HTTPServer):
    """Serve an application over HTTP/1, several times faster than Tornado's own server.

    Its interface is that of `tornado.httpserver.HTTPServer`, whose arguments it takes.

    Example:
        ``HTTPServer(tornado.web.Application(routes)).listen(8888)``
    """

    def initialize(self, *args: Any, **kwargs: Any) -> None:
        """Take the arguments of Tornado's server."""
        super().initialize(*args, **kwargs)
        self._arriving: set[asyncio.Task[None]] = set()
        self._done: asyncio.Future[None] | None = None
        self._tls: ssl.SSLContext | None = None

    async def close_all_connections(self) -> None:
        """Close every connection that speaks HTTP, and wait until they are closed."""
        for task in list(self._arriving):
            task.cancel()
        await asyncio.gather(*self._arriving, return_exceptions=True)
        await super().close_all_connections()

    def opened(self, connection: Connection) -> None:
        """Remember a connection until `on_close`."""
        self._connections.add(cast("HTTP1ServerConnection", connection))

    def on_answer(self, connection: Connection) -> None:
        """Do nothing; a subclass may count."""

    def _handle_connection(self, connection: socket.socket, address: Any) -> None:
        """Serve a connection that was accepted."""
        task = asyncio.get_running_loop().create_task(self._connect(connection, address))
        self._arriving.add(task)
        task.add_done_callback(self._arriving.discard)

    async def _connect(self, opened: socket.socket, address: Any) -> None:
        loop = asyncio.get_running_loop()
        try:
            opened.setblocking(False)
            stream = self._new_stream(loop, opened, address)
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

    def _new_stream(
        self, loop: asyncio.AbstractEventLoop, opened: socket.socket, address: Any
    ) -> Stream:
        if self._done is None or self._done.get_loop() is not loop:
            self._done = loop.create_future()
            self._done.set_result(None)
        stream = Stream(opened, self._done, self.max_buffer_size)
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


class _Opened(NamedTuple):
    """As much of a stream as Tornado's request context looks at."""

    socket: socket.socket
