"""What who takes a connection over reads it by: half of the interface of `IOStream`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from tornado.iostream import StreamBufferFullError, StreamClosedError, UnsatisfiableReadError
from tornado.log import gen_log

from tornkit.server.http1.reading import Reader

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

__all__ = ["ReadableStream"]

_Result = TypeVar("_Result")

_READ_AHEAD = 65536  # bytes that may wait for somebody to read them


class ReadableStream:
    """A stream that is read by asking for bytes.

    Attributes:
        error: why the connection has ended, where there is a reason.
        loop: the event loop.
        max_buffer_size: how many bytes may wait to be read.
        read_paused: whether the other end has to wait with what it sends.
    """

    __slots__ = ("_closed", "_reader", "error", "loop", "max_buffer_size", "read_paused")

    def __init__(self, loop: asyncio.AbstractEventLoop, max_buffer_size: int) -> None:
        """Begin with nothing to read."""
        self.loop = loop
        self.max_buffer_size = max_buffer_size
        self.error: BaseException | None = None
        self.read_paused = False
        self._closed = False
        self._reader: Reader | None = None

    def close(self, exc_info: Any = False) -> None:
        """End the connection."""
        raise NotImplementedError

    def pause_reading(self) -> None:
        """Let the other end wait with what it wants to send."""
        raise NotImplementedError

    def want_more(self) -> None:
        """Read on."""
        raise NotImplementedError

    def hold(self, unread: bytes | bytearray) -> None:
        """Keep ``unread`` for who reads the stream."""
        self._reader = Reader(self.loop, unread, self.max_buffer_size)

    def reading(self) -> bool:
        """Tell whether somebody waits for bytes."""
        return self._reader is not None and self._reader.waiting

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

    def _feed(self, data: bytes) -> None:
        """Take what has arrived."""
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
