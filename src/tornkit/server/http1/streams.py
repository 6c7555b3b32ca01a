"""One connection as a stream, with the interface of `tornado.iostream.IOStream`.

Beneath it is a transport of the event loop, so that TLS and plain connections are alike.
While HTTP is spoken the bytes go to the HTTP connection; a detached stream is read by its
new owner, such as a WebSocket.
"""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING, Any, Protocol, cast

from tornado.concurrent import future_set_result_unless_cancelled
from tornado.ioloop import IOLoop
from tornado.iostream import (
    StreamClosedError,
)

from tornkit.server.http1.readable import ReadableStream
from tornkit.server.http1.sockets import TLSSocket
from tornkit.server.http1.stalls import StallWatch

if TYPE_CHECKING:
    from collections.abc import Callable

    from tornado.websocket import WebSocketProtocol

__all__ = ["Receiver", "Stream"]

_DEFAULT_BUFFER = 100 * 1024 * 1024  # bytes, as in Tornado
_STALL_TIMEOUT = 30.0  # seconds


class Receiver(Protocol):
    """Who gets what arrives."""

    def connected(self) -> None:
        """Begin."""

    def received(self, data: bytes) -> None:
        """Take what has arrived."""

    def busy(self) -> bool:
        """Tell whether something that arrived has to be dealt with."""

    def writable(self) -> None:
        """Go on: what was to be sent is, mostly."""

    def shut(self) -> None:
        """End: nothing can be read or written."""

    def gone(self) -> None:
        """Forget the connection: its socket is closed."""


class Stream(ReadableStream, asyncio.Protocol):
    """A connection that was accepted.

    Attributes:
        socket: the socket of the connection; for TLS one that also answers
            ``getpeercert()``. It must not be read or written.
        ended: whether the other end has stopped sending.
        stall_timeout: how many seconds the other end may take nothing of an answer.
        taken_over: whether another protocol than HTTP is spoken now.
        websocket: who speaks it, if it is a WebSocket, until the connection ends.
        write_paused: whether what is written has to wait.
    """

    __slots__ = (
        "__weakref__",
        "_close_callback",
        "_done",
        "_ended",
        "_nodelay",
        "_receiver",
        "_socket",
        "_stall",
        "_transport",
        "_waiting",
        "ended",
        "stall_timeout",
        "taken_over",
        "websocket",
        "write_paused",
    )

    def __init__(
        self,
        opened: socket.socket,
        done: asyncio.Future[None],
        max_buffer_size: int | None = None,
        stall_timeout: float | None = _STALL_TIMEOUT,
        ended: Callable[[Stream], None] = lambda _: None,
    ) -> None:
        """Take an accepted socket, and a future that is done, for what needs no waiting.

        ``ended`` is called when the socket is closed.
        """
        super().__init__(done.get_loop(), max_buffer_size or _DEFAULT_BUFFER)
        self.stall_timeout = stall_timeout
        self.ended = False
        self.taken_over = False
        self.websocket: WebSocketProtocol | None = None
        self.write_paused = False
        self._done = done
        self._ended = ended
        self._socket = opened
        self._transport: asyncio.Transport = cast("asyncio.Transport", None)
        self._receiver: Receiver | None = None
        self._nodelay = True  # as transports set it
        self._close_callback: Callable[[], None] | None = None
        self._waiting: list[asyncio.Future[None]] = []
        self._stall: StallWatch | None = None

    # What the event loop calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = cast("asyncio.Transport", transport)
        if self._closed:
            transport.close()
        elif self._receiver is not None:
            self._receiver.connected()

    def data_received(self, data: bytes) -> None:
        """Hand on what arrived."""
        if self._receiver is not None:
            if not self._closed:
                self._receiver.received(data)
        else:
            self._feed(data)

    def eof_received(self) -> bool:
        """End the connection, for who stops sending does not listen either, as in Tornado.

        What has arrived is dealt with before.
        """
        busy = self._receiver is not None and self._receiver.busy()
        if busy and self._transport.can_write_eof():  # TLS cannot be half closed
            self.ended = True
            return True
        self._shut(None)
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell everybody that there is no connection any more."""
        self._shut(exc)
        if self._stall is not None:
            self._stall.end()
        if self._receiver is not None:
            self._receiver.gone()
            self._receiver = None
        self.websocket = None
        self._ended(self)

    def pause_writing(self) -> None:
        """Let writers wait."""
        self.write_paused = True
        if not self.taken_over:  # a new owner has limits of its own
            self.watch()

    def resume_writing(self) -> None:
        """Let writers go on."""
        self.write_paused = False
        self._wake_writers()
        if self._receiver is not None:
            self._receiver.writable()

    # What the HTTP connection uses.

    def attach(self, receiver: Receiver) -> None:
        """Let ``receiver`` have what arrives."""
        self._receiver = receiver

    def detach(self, unread: bytes | bytearray) -> None:
        """Give the stream a new owner, who reads it; ``unread`` is what comes first."""
        self._receiver = None
        self.taken_over = True
        if self._stall is not None:
            self._stall.end()
        self.hold(unread)
        if not self.ended:  # otherwise it closes when all is read
            self.want_more()

    def hand_over(self, receiver: Receiver) -> bytearray:
        """Let ``receiver`` have what arrives on a detached stream; return what is unread."""
        reader, self._reader = self._unread(), None
        self._receiver = receiver
        return reader.inbox

    def send(self, data: bytes) -> asyncio.Future[None]:
        """Write, and return what to wait for before more is written."""
        self._transport.write(data)
        if not self.write_paused:
            return self._done
        future: asyncio.Future[None] = self.loop.create_future()
        self._waiting.append(future)
        return future

    def turn(self) -> asyncio.Future[None]:
        """Return what to wait for while others have their turn."""
        future: asyncio.Future[None] = self.loop.create_future()
        self.loop.call_soon(future_set_result_unless_cancelled, future, None)
        return future

    def unsent(self) -> int:
        """Return how many bytes the other end has not taken yet."""
        return self._transport.get_write_buffer_size()

    def watch(self) -> None:
        """End the connection if the other end takes nothing of what waits to be sent."""
        if self._stall is None:
            self._stall = StallWatch(self, self._socket, self.stall_timeout)
        self._stall.begin(self.loop)

    def pause_reading(self) -> None:
        """Let the other end wait with what it wants to send."""
        if not self.read_paused and not self._transport.is_closing():
            self._transport.pause_reading()
            self.read_paused = True

    def want_more(self) -> None:
        """Read on; where nothing more comes, close."""
        if self.ended:
            self.close()
        elif self.read_paused:
            self.read_paused = False
            if not self._transport.is_closing():
                self._transport.resume_reading()

    def end_writing(self) -> bool:
        """Say that nothing more comes once all is sent, and read on; not possible over TLS."""
        self.want_more()
        if self._closed or not self._transport.can_write_eof():
            return False
        try:
            self._transport.write_eof()
        except OSError:  # the other end has gone, and that is not known here yet
            self.close()
            return False
        return True

    def abort(self) -> None:
        """Close at once; what is unsent is lost."""
        if self._transport is not None:
            self._transport.abort()
        self._shut(None)

    @property
    def connected(self) -> bool:
        """Tell whether it has been connected; for TLS, whether the handshake is done."""
        return self._transport is not None

    # The interface of IOStream.

    @property
    def io_loop(self) -> IOLoop:
        """Return Tornado's event loop."""
        return IOLoop.current()

    @property
    def socket(self) -> socket.socket | TLSSocket | None:
        """Return the socket, or None after the end."""
        if self._closed:
            return None
        session = self._transport.get_extra_info("ssl_object")
        return self._socket if session is None else TLSSocket(self._socket, session)

    def fileno(self) -> int:
        """Return the descriptor of the socket."""
        return self._socket.fileno()

    def closed(self) -> bool:
        """Tell whether the connection has ended."""
        return self._closed

    def writing(self) -> bool:
        """Tell whether bytes wait to be sent; after `close()`, too."""
        return self.connected and self.unsent() > 0

    def set_close_callback(self, callback: Callable[[], None] | None) -> None:
        """Call ``callback`` once when the connection ends."""
        self._close_callback = callback

    def set_nodelay(self, value: bool) -> None:
        """Send small pieces at once (as from the beginning), or let the system gather them."""
        if value != self._nodelay and not self._closed:
            if self._socket.family in (socket.AF_INET, socket.AF_INET6):
                self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, int(value))
            self._nodelay = value

    def write(self, data: bytes | memoryview) -> asyncio.Future[None]:
        """Send bytes; wait for the future where the other end may be slow.

        Raises:
            StreamClosedError: the connection has ended.
        """
        if self._closed:
            raise StreamClosedError(real_error=self.error)
        return self.send(bytes(data) if isinstance(data, memoryview) else data)

    def close(self, exc_info: Any = False) -> None:
        """End the connection; what was written before is still sent."""
        if isinstance(exc_info, tuple):
            self.error = exc_info[1]
        elif isinstance(exc_info, BaseException):
            self.error = exc_info
        if not self._closed and self._transport is not None:
            if self.unsent():
                self.watch()
            self._close_transport()
        self._shut(None)

    # The end.

    def _close_transport(self) -> None:
        """Close the connection when all is sent."""
        self._transport.close()

    def _shut(self, error: BaseException | None) -> None:
        if self._closed:
            return
        self._closed = True
        self.error = self.error or error
        if self._reader is not None:
            self._reader.end(self.error)
        self._wake_writers()
        callback, self._close_callback = self._close_callback, None
        if callback is not None:
            self.loop.call_soon(callback)
        if self._receiver is not None:
            self.loop.call_soon(self._receiver.shut)

    def _wake_writers(self) -> None:
        waiting, self._waiting = self._waiting, []
        for future in waiting:
            future_set_result_unless_cancelled(future, None)
