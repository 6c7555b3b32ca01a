"""Hand out bytes as they are asked for, by the rules of `tornado.iostream.IOStream`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from tornado.concurrent import future_set_result_unless_cancelled
from tornado.iostream import StreamBufferFullError, StreamClosedError, UnsatisfiableReadError

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

__all__ = ["Reader", "cut"]

_SMALL = 2048  # bytes; below, copying twice is cheaper than a view


class Reader:
    """What has arrived and was not read, and who waits for more.

    Attributes:
        inbox: what nobody has read yet.
    """

    __slots__ = ("_find", "_future", "_into", "_limit", "_loop", "_until_close", "inbox")

    def __init__(
        self, loop: asyncio.AbstractEventLoop, unread: bytes | bytearray, limit: int
    ) -> None:
        """Start with what is ``unread``; hold ``limit`` bytes at most."""
        self.inbox = bytearray(unread)
        self._loop = loop
        self._limit = limit
        self._future: asyncio.Future[Any] | None = None
        self._find: Callable[[bytearray], int | None] = _nothing
        self._into: bytearray | None = None
        self._until_close = False

    @property
    def waiting(self) -> bool:
        """Tell whether somebody waits for bytes."""
        return self._future is not None

    def feed(self, data: bytes) -> None:
        """Take what has arrived.

        Raises:
            StreamBufferFullError: it is more than may be held.
            UnsatisfiableReadError: what is asked for has not come where it had to.
        """
        self.inbox += data
        if self._future is not None:
            self._serve(self._future)
        if len(self.inbox) > self._limit:
            raise StreamBufferFullError("Reached maximum read buffer size")

    def end(self, error: BaseException | None) -> None:
        """Let nobody wait any longer."""
        future, self._future = self._future, None
        if future is None or future.done():
            return
        if self._until_close and (error is None or isinstance(error, ConnectionError)):
            future.set_result(cut(self.inbox, len(self.inbox)))
        else:
            future.set_exception(StreamClosedError(real_error=error))
            future.exception()  # nobody has to look at it

    def read_bytes(self, size: int, partial: bool) -> asyncio.Future[bytes]:
        """Read ``size`` bytes; with ``partial``, at least one and at most so many."""
        inbox = self.inbox
        if self._future is None and len(inbox) >= size:  # what a WebSocket does all the time
            future: asyncio.Future[bytes] = self._loop.create_future()
            future.set_result(cut(inbox, size))
            return future
        least = min(1, size) if partial else size
        return self._start(lambda inbox: min(len(inbox), size) if len(inbox) >= least else None)

    def read_into(self, buffer: bytearray, partial: bool) -> asyncio.Future[int]:
        """Read into ``buffer`` until it is full, or with ``partial`` not empty."""
        size = len(buffer)
        least = min(1, size) if partial else size
        return self._start(
            lambda inbox: min(len(inbox), size) if len(inbox) >= least else None, into=buffer
        )

    def read_until(self, delimiter: bytes, most: int | None) -> asyncio.Future[bytes]:
        """Read up to the end of ``delimiter``."""

        def find(inbox: bytearray) -> int | None:
            at = inbox.find(delimiter)
            end = at + len(delimiter) if at >= 0 else None
            return _within(most, delimiter, end, inbox)

        return self._start(find)

    def read_until_regex(self, regex: bytes, most: int | None) -> asyncio.Future[bytes]:
        """Read up to the end of the first match."""
        pattern = re.compile(regex)

        def find(inbox: bytearray) -> int | None:
            match = pattern.search(inbox)
            return _within(most, regex, match.end() if match else None, inbox)

        return self._start(find)

    def read_until_close(self, closed: bool) -> asyncio.Future[bytes]:
        """Read all that comes before the end."""
        future: asyncio.Future[bytes]
        if closed:
            future = self._loop.create_future()
            future.set_result(cut(self.inbox, len(self.inbox)))
            return future
        future = self._start(_nothing)
        self._until_close = True
        return future

    def _start(
        self, find: Callable[[bytearray], int | None], into: bytearray | None = None
    ) -> asyncio.Future[Any]:
        assert self._future is None or self._future.cancelled(), "Already reading"  # noqa: S101  as IOStream
        self._find, self._into, self._until_close = find, into, False
        future = self._future = self._loop.create_future()
        self._serve(future)
        return future

    def _serve(self, future: asyncio.Future[Any]) -> None:
        end = self._find(self.inbox)
        if end is None:
            return
        self._future = None
        if self._into is None:
            future_set_result_unless_cancelled(future, cut(self.inbox, end))
        else:
            self._into[:end] = cut(self.inbox, end)
            self._into = None
            future_set_result_unless_cancelled(future, end)


def cut(inbox: bytearray, size: int) -> bytes:
    """Take at most ``size`` bytes from the front of ``inbox``."""
    if size >= len(inbox):
        piece = bytes(inbox)
        inbox.clear()
        return piece
    if size <= _SMALL:
        piece = bytes(inbox[:size])
    else:
        with memoryview(inbox) as whole, whole[:size] as view:
            piece = view.tobytes()
    del inbox[:size]
    return piece


def _nothing(_: bytearray) -> int | None:
    return None


def _within(most: int | None, mark: bytes, end: int | None, inbox: bytearray) -> int | None:
    """Return ``end``, if it is there, and refuse one that is too far away."""
    if most is not None and (len(inbox) if end is None else end) > most:
        raise UnsatisfiableReadError(f"delimiter {mark!r} not found within {most} bytes")
    return end
