"""Calls by Tornado's client that end when their caller does.

By itself a call of Tornado's client goes on after its task was cancelled, and keeps its place
until it is answered. Here the connection is cut, and the place is free at once.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Final

from tornado.iostream import StreamClosedError
from tornado.simple_httpclient import SimpleAsyncHTTPClient, _HTTPConnection
from tornado.tcpclient import TCPClient

if TYPE_CHECKING:
    import ssl

    from tornado.httpclient import HTTPRequest, HTTPResponse
    from tornado.iostream import IOStream

__all__ = ["Calls", "Exchange"]

_UNLIMITED: Final = 2**62  # bytes; an exchange counts for itself
_GRACE: Final = 1.0  # seconds that closing waits for calls that it has cut


class Exchange:
    """One request and what has come of its answer.

    Attributes:
        connected: whether the service took the connection.
        too_large: whether the answer was cut because it is longer than the limit.
        body: what has arrived of it, unpacked.
    """

    def __init__(self, limit: int, *, has_body: bool) -> None:
        self.connected = False
        self.too_large = False
        self.body = bytearray()
        self._limit = limit
        self._has_body = has_body
        self._cut = False
        self._connecting: asyncio.Future[IOStream] | None = None
        self._stream: IOStream | None = None

    async def connect(self, connecting: asyncio.Future[IOStream]) -> IOStream:
        """Wait for the connection; what happens to it from now on, `cut` ends."""
        self._connecting = connecting
        if self._cut:
            connecting.cancel()
        try:
            stream = await connecting
        except asyncio.CancelledError:
            # It was cut. Tornado's client ends orderly on errors only.
            raise StreamClosedError from None
        if self._cut:
            stream.close()
            raise StreamClosedError
        self.connected, self._stream = True, stream
        return stream

    def cut(self) -> None:
        """Close the connection, or stop making it; the call then fails at once."""
        self._cut = True
        if self._connecting is not None:
            self._connecting.cancel()
        if self._stream is not None:
            self._stream.close()

    def read_header(self, line: str) -> None:
        """Take note of a line of the head."""
        name, _, value = line.partition(":")
        if name.lower() == "content-length" and self._has_body:
            length = value.strip()
            if length.isascii() and length.isdigit() and self._is_beyond(length.lstrip("0")):
                self._refuse()

    def read_body(self, chunk: bytes) -> None:
        """Keep a part of the body."""
        if self._cut:
            return
        self.body += chunk
        if len(self.body) > self._limit:
            self._refuse()

    def _is_beyond(self, length: str) -> bool:
        # Python reads no number of thousands of digits.
        return len(length) > len(str(self._limit)) or int(length or "0") > self._limit

    def _refuse(self) -> None:
        self.too_large = True
        self.body.clear()
        self.cut()


_current: ContextVar[Exchange] = ContextVar("_current")


class _Connections(TCPClient):
    """Tell the exchange that runs of its connection."""

    async def connect(self, *given: Any, **more: Any) -> IOStream:
        return await _current.get().connect(asyncio.ensure_future(super().connect(*given, **more)))


class _Connection(_HTTPConnection):
    """End the call also where an error closes the connection amid a body.

    Tornado's raises that error where nobody is to catch it, and the call goes on for ever.
    """

    def on_connection_close(self) -> None:
        error = self.stream.error
        if error is None:
            super().on_connection_close()
        elif self.final_callback is not None:
            self._handle_exception(type(error), error, error.__traceback__)


class _Client(SimpleAsyncHTTPClient):
    def _connection_class(self) -> type[_HTTPConnection]:
        return _Connection


class Calls:
    """The calls to one service; at most ``limit`` at a time."""

    def __init__(self, limit: int) -> None:
        self._free = asyncio.Semaphore(limit)
        self._running: dict[asyncio.Future[HTTPResponse], Exchange] = {}
        self._client = _Client(force_instance=True, max_clients=limit, max_body_size=_UNLIMITED)
        self._client.tcp_client.close()
        self._client.tcp_client = _Connections(resolver=self._client.resolver)

    async def wait(self) -> None:
        """Wait until there is place for one more call; `run` gives the place back."""
        await self._free.acquire()

    async def run(self, request: HTTPRequest, exchange: Exchange) -> HTTPResponse:
        """Make a call, in the place that `wait` has got; cut it if the caller is cancelled.

        Raises:
            OSError: or another error of Tornado's client, also `asyncio.CancelledError`.
        """
        request.header_callback = exchange.read_header
        request.streaming_callback = exchange.read_body
        token = _current.set(exchange)  # the client's own task inherits it
        try:
            call = asyncio.ensure_future(self._client.fetch(request, raise_error=False))
        except BaseException:
            self._free.release()
            raise
        finally:
            _current.reset(token)
        self._running[call] = exchange
        call.add_done_callback(self._done)
        try:
            return await asyncio.shield(call)
        except asyncio.CancelledError:
            exchange.cut()
            raise

    def _done(self, call: asyncio.Future[HTTPResponse]) -> None:
        del self._running[call]
        self._free.release()
        if not call.cancelled():
            call.exception()  # whoever cares has got it

    async def touch(self, host: str, port: int, tls: ssl.SSLContext | None) -> None:
        """Open a connection and close it."""
        client = TCPClient(resolver=self._client.resolver)
        (await client.connect(host, port, ssl_options=tls)).close()

    async def close(self) -> None:
        """Cut every call; those who wait for one get an error."""
        running = list(self._running.items())
        for _, exchange in running:
            exchange.cut()
        with suppress(TimeoutError):
            async with asyncio.timeout(_GRACE):
                await asyncio.gather(*(call for call, _ in running), return_exceptions=True)
        self._client.close()
