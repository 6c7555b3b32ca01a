"""An HTTP server that knows which requests are in flight, and can be emptied."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import weakref
from typing import TYPE_CHECKING, Any, cast

from tornado import httpserver
from tornado.httputil import HTTPMessageDelegate
from tornado.iostream import SSLIOStream

from tornkit.server import http1
from tornkit.server.http1.streams import Stream
from tornkit.server.proxies import Client, TrustedProxies, client_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from tornado.http1connection import HTTP1Connection, HTTP1ServerConnection
    from tornado.httpserver import _HTTPRequestContext
    from tornado.httputil import (
        HTTPConnection,
        HTTPHeaders,
        RequestStartLine,
        ResponseStartLine,
    )
    from tornado.iostream import IOStream
    from tornado.websocket import WebSocketProtocol

    from tornkit.server.http1.connection import Connection
    from tornkit.server.http1.exchange import Exchange
    from tornkit.server.http1.sockets import TLSSocket

__all__ = ["DrainingHTTPServer", "DrainingServer", "DrainingTornadoServer"]

logger = logging.getLogger("tornkit.server")

# How long a connection that has begun to send a request may take to finish its headers.
_HEADER_GRACE = 0.5
_STEP = 0.005  # seconds between two looks at connections that end by themselves
_AT_ONCE = 50  # WebSockets that are closed before others have their turn
_FAREWELL = 5.0  # seconds that clients have to answer a goodbye, as in Tornado
_TELL_GRACE = 0.5  # seconds in which handlers hear of the end of a WebSocket that was cut


class DrainingServer(httpserver.HTTPServer):
    """An HTTP server with a graceful end.

    A request is in flight from its headers until its answer is complete; a WebSocket until
    its handshake is done. Our own server says goodbye to open WebSockets.
    """

    def initialize(
        self, *args: Any, trusted_proxies: TrustedProxies | None = None, **kwargs: Any
    ) -> None:
        """Take the arguments of Tornado's server, and the proxies whose headers are believed."""
        super().initialize(*args, **kwargs)
        self._trusted_proxies = trusted_proxies or TrustedProxies()
        self._in_flight: dict[object, HTTP1Connection] = {}
        self._draining = False
        self._empty = asyncio.Event()  # set when the last request has ended, after the end began

    @property
    def in_flight(self) -> int:
        """How many requests are being answered."""
        return len(self._in_flight)

    def on_close(self, server_conn: object) -> None:
        """Forget a connection."""
        self._ended(server_conn)
        super().on_close(server_conn)

    def _began(
        self, server_conn: object, connection: HTTP1Connection, headers: HTTPHeaders
    ) -> None:
        context: _HTTPRequestContext = connection.context  # type: ignore[assignment]
        _set_client(context, headers, self._trusted_proxies)
        self._in_flight[server_conn] = connection

    def _ended(self, server_conn: object) -> None:
        self._in_flight.pop(server_conn, None)
        if self._draining and not self._in_flight:
            self._empty.set()

    async def drain(self, patience: float) -> int:
        """Stop accepting, let requests in flight finish, close every connection.

        Args:
            patience: seconds that the requests have, and WebSockets to close.

        Returns:
            How many requests were cut off because they had not finished by then.
        """
        end = asyncio.get_running_loop().time() + patience
        self._draining = True
        self.stop()
        self.conn_params.no_keep_alive = True
        for connection in self._in_flight.values():
            # Makes Tornado send "Connection: close" where the headers are still to come.
            connection._disconnect_on_finish = True
        for server_conn in self._connections - self._in_flight.keys():
            if not self._has_input(server_conn):
                server_conn.stream.close()
        await self._say_goodbye()
        # A request that has reached this machine but not yet us counts as in flight.
        await _until(lambda: not self._unsettled(), min(patience, _HEADER_GRACE))
        with contextlib.suppress(TimeoutError):
            while self._in_flight:
                self._empty.clear()
                await asyncio.wait_for(self._empty.wait(), end - asyncio.get_running_loop().time())
        unfinished = self.in_flight
        await _until(lambda: not self._sending(), end - asyncio.get_running_loop().time())
        unfinished += sum(each.stream.writing() for each in self._unsettled())
        await self.close_all_connections()
        await self._end_the_rest(end)
        return unfinished

    async def _say_goodbye(self) -> None:
        """Tell those who have taken a connection over that it is about to end."""

    async def _end_the_rest(self, end: float) -> None:
        """Close the connections that were taken over, at ``end`` at the latest."""
        raise NotImplementedError

    def _has_input(self, server_conn: HTTP1ServerConnection) -> bool:
        """Tell whether bytes of a request wait in our buffer or in the kernel's."""
        raise NotImplementedError

    def _unsettled(self) -> set[HTTP1ServerConnection]:
        """Return the connections without a request in flight that may still bring one."""
        return self._connections - self._in_flight.keys()

    def _sending(self) -> bool:
        """Tell whether a finished answer is still on its way out of this process."""
        return any(each.stream.writing() for each in self._unsettled())


class DrainingHTTPServer(DrainingServer, http1.HTTPServer):
    """The server of `tornkit.server.http1`, with a graceful end."""

    def initialize(self, *args: Any, **kwargs: Any) -> None:
        """Take what both servers take that this one is made of."""
        super().initialize(*args, **kwargs)
        self._taken_over: set[Stream] = set()  # open, and not HTTP's any more
        self._leaving: weakref.WeakSet[WebSocketProtocol] = weakref.WeakSet()  # said goodbye

    def on_close(self, server_conn: object) -> None:
        """Forget a connection, which has ended, or was taken over, as by a WebSocket."""
        super().on_close(server_conn)
        stream = cast("Connection", server_conn).stream
        if stream.taken_over:
            self._taken_over.add(stream)
            if self._draining:
                # The handshake is under way; what opens it runs before the next turn.
                stream.loop.call_soon(self._send_away, stream)

    def start_request(
        self, server_conn: object, request_conn: HTTPConnection
    ) -> HTTPMessageDelegate:
        """Begin with a request, whose headers are there."""
        exchange: Exchange = request_conn  # type: ignore[assignment]
        self._began(server_conn, exchange, exchange._request_headers)
        return super().start_request(server_conn, request_conn)

    def on_answer(self, connection: Connection) -> None:
        """Take note that a request is answered."""
        self._ended(connection)

    def _has_input(self, server_conn: HTTP1ServerConnection) -> bool:
        connection = cast("Connection", server_conn)
        return not connection.idle or _in_the_kernel(connection.stream.socket)

    def _unsettled(self) -> set[HTTP1ServerConnection]:
        others = super()._unsettled()
        return {each for each in others if not cast("Connection", each).settled}

    def _lost(self, stream: Stream) -> None:
        super()._lost(stream)
        self._taken_over.discard(stream)

    async def _say_goodbye(self) -> None:
        await _in_turns(self._send_away, self._taken_over)

    def _send_away(self, stream: Stream) -> None:
        if stream.websocket is not None:
            # Not above: a program without WebSockets need not import them.
            from tornkit.server.websockets.goodbye import say_goodbye  # noqa: PLC0415

            self._leaving.add(stream.websocket)
            say_goodbye(stream.websocket)

    async def _end_the_rest(self, end: float) -> None:
        for stream in list(self._taken_over):
            if stream.websocket is None:  # it knows no goodbye
                stream.close()
        time = asyncio.get_running_loop().time
        await _until(
            lambda: not any(map(_unfinished, self._taken_over)), min(_FAREWELL, end - time())
        )
        # Some do not answer because they are gone, others because they still read.
        await _until(lambda: not any(map(Stream.writing, self._taken_over)), end - time())
        late = sum(map(_unfinished, self._taken_over))
        if late:
            logger.info("%d WebSockets did not close in time and were cut off", late)
        await _in_turns(Stream.abort, self._taken_over)
        await self._tell_handlers()

    async def _tell_handlers(self) -> None:
        """Wait until handlers know that their WebSockets have ended; busy ones not for long."""
        if self._leaving:
            from tornkit.server.websockets.goodbye import knows_the_end  # noqa: PLC0415

            await _until(lambda: all(map(knows_the_end, self._leaving)), _TELL_GRACE)


class DrainingTornadoServer(DrainingServer):
    """Tornado's own server, with a graceful end."""

    def initialize(self, *args: Any, **kwargs: Any) -> None:
        """Take what both servers take that this one is made of."""
        super().initialize(*args, **kwargs)
        self._streams: weakref.WeakSet[IOStream] = weakref.WeakSet()

    def handle_stream(self, stream: IOStream, address: tuple[Any, ...]) -> None:
        """Serve a connection, remembering its stream: a WebSocket leaves Tornado's list."""
        self._streams.add(stream)
        super().handle_stream(stream, address)

    def start_request(
        self, server_conn: object, request_conn: HTTPConnection
    ) -> HTTPMessageDelegate:
        """Wait for the next request of a connection; the one before it is answered."""
        self._ended(server_conn)
        waiting = cast("HTTP1ServerConnection", server_conn)
        if self._draining and not self._has_input(waiting):
            waiting.stream.close()
        delegate = super().start_request(server_conn, request_conn)
        connection = cast("HTTP1Connection", request_conn)
        return _Counted(delegate, lambda headers: self._began(server_conn, connection, headers))

    def _has_input(self, server_conn: HTTP1ServerConnection) -> bool:
        stream = server_conn.stream
        if stream.closed():
            return False
        if stream._read_buffer:
            return True
        return not isinstance(stream, SSLIOStream) and _in_the_kernel(stream.socket)

    async def _end_the_rest(self, end: float) -> None:
        for stream in list(self._streams):
            stream.close()


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


def _in_the_kernel(connection: socket.socket | TLSSocket | None) -> bool:
    """Tell whether the kernel holds input; of TLS, whose records say nothing, it is not asked."""
    if not isinstance(connection, socket.socket):
        return False
    try:
        return bool(connection.recv(1, socket.MSG_PEEK))
    except OSError:
        return False


def _unfinished(stream: Stream) -> bool:
    """Tell whether something is lost by closing a connection at once."""
    return not stream.closed() or stream.writing()


async def _in_turns(do: Callable[[Stream], None], streams: Iterable[Stream]) -> None:
    """Do something to many streams, and let others have their turn in between."""
    for number, stream in enumerate(list(streams), 1):
        do(stream)
        if number % _AT_ONCE == 0:
            await asyncio.sleep(0)


async def _until(true: Callable[[], bool], patience: float) -> None:
    """Wait for something that gives no notice."""
    loop = asyncio.get_running_loop()
    end = loop.time() + patience
    while not true() and loop.time() < end:  # noqa: ASYNC110  there is no event to wait for
        await asyncio.sleep(_STEP)
