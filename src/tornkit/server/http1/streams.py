"""One connection as a stream, with the interface of `tornado.iostream.IOStream`.

Beneath it is a transport of the event loop, so that TLS and plain connections are alike.
While HTTP is spoken the bytes go to the HTTP connection; a detached stream is read by its
new owner, such as a WebSocket.
"""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, cast

from tornado.concurrent import future_set_result_unless_cancelled
from tornado.ioloop import IOLoop
from tornado.iostream import (
    StreamBufferFullError,
    StreamClosedError,
    UnsatisfiableReadError,
)
from tornado.log import gen_log

from tornkit.server.http1.reading import Reader
from tornkit.server.http1.sockets import TLSSocket

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Receiver", "Stream"]

_Result = TypeVar("_Result")

_READ_AHEAD = 65536  # bytes that may wait for somebody to read them
_DEFAULT_BUFFER = 100 * 1024 * 1024  # bytes, as in Tornado
# How often a closed connection whose last bytes are unsent is asked whether they move.
_STALL_CHECK = 30.0  # seconds


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


class Stream(asyncio.Protocol):
    """A connection that was accepted.

    Attributes:
        socket: the socket of the connection; for TLS one that also answers
            ``getpeercert()``. It must not be read or written.
        error: why the connection has ended, where there is a reason.
        ended: whether the other end has stopped sending.
        loop: the event loop.
        max_buffer_size: how many bytes may wait to be read.
        read_paused: whether the other end has to wait with what it sends.
        write_paused: whether what is written has to wait.
    """

    __slots__ = (
        "__weakref__",
        "_close_callback",
        "_closed",
        "_done",
        "_nodelay",
        "_reader",
        "_receiver",
        "_socket",
        "_transport",
        "_waiting",
        "ended",
        "error",
        "loop",
        "max_buffer_size",
        "read_paused",
        "write_paused",
    )

    def __init__(
        self,
        opened: socket.socket,
        done: asyncio.Future[None],
        max_buffer_size: int | None = None,
    ) -> None:
        """Take an accepted socket, and a future that is done, for what needs no waiting."""
        self.loop = done.get_loop()
        self.error: BaseException | None = None
        self.max_buffer_size = max_buffer_size or _DEFAULT_BUFFER
        self.ended = False
        self.write_paused = False
        self.read_paused = False
        self._done = done
        self._socket = opened
        self._transport: asyncio.Transport = cast("asyncio.Transport", None)
        self._receiver: Receiver | None = None
        self._closed = False
        self._nodelay = True  # as transports set it
        self._close_callback: Callable[[], None] | None = None
        self._waiting: list[asyncio.Future[None]] = []
        self._reader: Reader | None = None

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
            return
        reader = self._unread()
        try:
            reader.feed(data)
        except UnsatisfiableReadError as error:
            gen_log.info("Unsatisfiable read, closing connection: %s", error)
            self.close(error)
        except StreamBufferFullError as error:
            gen_log.error("Reached maximum read buffer size")
            self.close(error)
        if len(reader.inbox) > _READ_AHEAD and not reader.waiting:
            self.pause_reading()

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
        if self._receiver is not None:
            self._receiver.gone()
            self._receiver = None

    def pause_writing(self) -> None:
        """Let writers wait."""
        self.write_paused = True

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
        self.hold(unread)
        self.want_more()

    def hold(self, unread: bytes | bytearray) -> None:
        """Keep ``unread`` for who reads the stream."""
        self._reader = Reader(self.loop, unread, self.max_buffer_size)

    def send(self, data: bytes) -> asyncio.Future[None]:
        """Write, and return what to wait for before more is written."""
        self._transport.write(data)
        if not self.write_paused:
            return self._done
        future: asyncio.Future[None] = self.loop.create_future()
        self._waiting.append(future)
        return future

    def unsent(self) -> int:
        """Return how many bytes the other end has not taken yet."""
        return self._transport.get_write_buffer_size()

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
        if self._closed or not self._transport.can_write_eof():
            return False
        self.want_more()
        if self._closed:
            return False
        self._transport.write_eof()
        return True

    def abort(self) -> None:
        """Close at once; what is unsent is lost."""
        if self._transport is not None:
            self._transport.abort()
        self._shut(None)

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

    def reading(self) -> bool:
        """Tell whether somebody waits for bytes."""
        return self._reader is not None and self._reader.waiting

    def writing(self) -> bool:
        """Tell whether bytes wait to be sent."""
        return not self._closed and self.unsent() > 0

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
            unsent = self.unsent()
            self._transport.close()
            if unsent:
                self.loop.call_later(_STALL_CHECK, self._end_stall, unsent)
        self._shut(None)

    def read_bytes(self, num_bytes: int, partial: bool = False) -> asyncio.Future[bytes]:
        """Read so many bytes; with ``partial``, at least one and at most so many."""
        return self._started(self._unread().read_bytes(num_bytes, partial))

    def read_until(self, delimiter: bytes, max_bytes: int | None = None) -> asyncio.Future[bytes]:
        """Read up to the end of ``delimiter``, which must come within ``max_bytes``."""
        return self._satisfiable(lambda: self._unread().read_until(delimiter, max_bytes))

    def read_until_regex(
        self, regex: bytes, max_bytes: int | None = None
    ) -> asyncio.Future[bytes]:
        """Read up to the end of the first match, which must come within ``max_bytes``."""
        return self._satisfiable(lambda: self._unread().read_until_regex(regex, max_bytes))

    def read_into(self, buf: bytearray, partial: bool = False) -> asyncio.Future[int]:
        """Fill ``buf``; with ``partial``, put at least one byte into it. Return how many."""
        return self._started(self._unread().read_into(buf, partial))

    def read_until_close(self) -> asyncio.Future[bytes]:
        """Read all that comes before the end."""
        return self._started(self._unread().read_until_close(self._closed))

    def _unread(self) -> Reader:
        if self._reader is None:
            self._reader = Reader(self.loop, b"", self.max_buffer_size)
        return self._reader

    def _started(self, future: asyncio.Future[_Result]) -> asyncio.Future[_Result]:
        """Make sure that what is waited for can come.

        Raises:
            StreamClosedError: the connection has ended.
        """
        if not future.done():
            if self._closed:
                self._unread().end(self.error)
                raise StreamClosedError(real_error=self.error)
            self.want_more()
        elif self.read_paused and len(self._unread().inbox) < _READ_AHEAD:
            self.want_more()
        return future

    def _satisfiable(self, start: Callable[[], asyncio.Future[bytes]]) -> asyncio.Future[bytes]:
        try:
            return self._started(start())
        except UnsatisfiableReadError as error:
            gen_log.info("Unsatisfiable read, closing connection: %s", error)
            self.close(error)
            failed: asyncio.Future[bytes] = self.loop.create_future()
            failed.set_exception(StreamClosedError(real_error=error))
            failed.exception()
            return failed

    # The end.

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

    def _end_stall(self, before: int) -> None:
        unsent = self.unsent()
        if unsent >= before:
            self._transport.abort()
        elif unsent:
            self.loop.call_later(_STALL_CHECK, self._end_stall, unsent)
