"""Read the body of a request, of a given length or in chunks, from the bytes that are there.

The rules are Tornado's, which are stricter than RFC 9112: no transfer coding but chunked,
no chunk extensions, no trailers.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Protocol

from tornado.http1connection import is_transfer_encoding_chunked, parse_hex_int, parse_int
from tornado.httputil import HTTPInputError
from tornado.iostream import UnsatisfiableReadError

from tornkit.server.http1.reading import cut

if TYPE_CHECKING:
    from tornado.httputil import HTTPHeaders

__all__ = ["Body", "ChunkedBody", "FixedBody", "Limits", "body_of"]

_LONGEST_SIZE_LINE = 64  # bytes, with its line end
_CHUNK_WORK = 1024  # reading the size of a chunk takes as long as so many bytes
_MOST_CHUNKS = 256  # chunks joined into one piece


class Limits(Protocol):
    """Where the largest size of a body is asked for; it may change while it arrives."""

    _max_body_size: int


class Body(Protocol):
    """A body that is arriving.

    Attributes:
        done: whether all of it has been taken.
        work: how much was done since somebody set it to 0, in bytes.
    """

    done: bool
    work: int

    def take(self, inbox: bytearray) -> bytes | None:
        """Take the next piece out of ``inbox``; None where more has to arrive, or it is done.

        Raises:
            HTTPInputError: what arrived is no such body, or it is too long.
            UnsatisfiableReadError: a line has no end.
        """


def body_of(headers: HTTPHeaders, limits: Limits, chunk_size: int) -> Body | None:
    """Return the body that the headers announce, or None.

    Raises:
        HTTPInputError: they contradict themselves, or announce too much.
    """
    length = _length(headers)
    if length is not None and length > limits._max_body_size:
        raise HTTPInputError("Content-Length too long")
    if is_transfer_encoding_chunked(headers):
        return ChunkedBody(limits, chunk_size)
    return FixedBody(length, chunk_size) if length is not None else None


def _length(headers: HTTPHeaders) -> int | None:
    if "Content-Length" not in headers:
        return None
    given = headers["Content-Length"]
    if "," in given:
        # Some proxies repeat the header. Equal values are harmless, others are an attack.
        values = re.split(r",[ \t]*", given)
        if any(value != values[0] for value in values):
            raise HTTPInputError(f"Multiple unequal Content-Lengths: {given!r}")
        headers["Content-Length"] = given = values[0]
    try:
        return parse_int(given)
    except ValueError:
        raise HTTPInputError(f"Only integer Content-Length is allowed: {given}") from None


class FixedBody:
    """A body of a known length."""

    __slots__ = ("_chunk_size", "_left", "done", "work")

    def __init__(self, length: int, chunk_size: int) -> None:
        self._left = length
        self._chunk_size = chunk_size
        self.done = not length
        self.work = 0

    def take(self, inbox: bytearray) -> bytes | None:
        """Take a piece; see `Body`."""
        if self.done or not inbox:
            return None
        piece = cut(inbox, min(self._left, self._chunk_size))
        self._left -= len(piece)
        self.work += len(piece)
        self.done = not self._left
        return piece


class ChunkedBody:
    """A body in chunks; how it was cut into chunks means nothing, and is not kept."""

    __slots__ = ("_chunk_size", "_left", "_limits", "_open", "_pending", "_total", "done", "work")

    def __init__(self, limits: Limits, chunk_size: int) -> None:
        self._limits = limits
        self._chunk_size = chunk_size
        self._pending = bytearray()
        self._total = 0
        self._left = 0  # bytes of the current chunk
        self._open = False  # within a chunk, or before the line end that closes it
        self.done = False
        self.work = 0

    def take(self, inbox: bytearray) -> bytes | None:
        """Take a piece; see `Body`."""
        pending = self._pending
        chunks = 0
        while not self.done and len(pending) < self._chunk_size and chunks < _MOST_CHUNKS:
            if self._left:
                if not inbox:
                    break
                piece = cut(inbox, min(self._left, self._chunk_size))
                self._left -= len(piece)
                self.work += len(piece)
                pending += piece
            elif self._open:
                if not self._close(inbox):
                    break
            elif self._begin(inbox):
                chunks += 1
                self.work += _CHUNK_WORK
            else:
                break
        return cut(pending, self._chunk_size) if pending else None

    def _begin(self, inbox: bytearray) -> bool:
        """Read the size of the next chunk; tell whether all of it was there."""
        end = inbox.find(b"\r\n", 0, _LONGEST_SIZE_LINE)
        if end < 0:
            if len(inbox) > _LONGEST_SIZE_LINE:
                raise UnsatisfiableReadError("the size of a chunk has no end")
            return False
        try:
            size = parse_hex_int(inbox[:end].decode("utf-8"))
        except ValueError:  # UnicodeDecodeError is one
            raise HTTPInputError("invalid chunk size") from None
        self._total += size
        if self._total > self._limits._max_body_size:
            raise HTTPInputError("chunked body too large")
        if not size and len(inbox) < end + 4:
            return False
        del inbox[: end + 2]
        if size:
            self._left, self._open = size, True
            return True
        if inbox[:2] != b"\r\n":
            raise HTTPInputError("improperly terminated chunked request")
        del inbox[:2]
        self.done = True
        return True

    def _close(self, inbox: bytearray) -> bool:
        """Read the line end after a chunk; tell whether it was there."""
        if len(inbox) < 2:
            return False
        if inbox[:2] != b"\r\n":
            raise HTTPInputError("improperly terminated chunk")
        del inbox[:2]
        self._open = False
        return True
