"""A connection over TLS as a stream."""

from __future__ import annotations

import gc
from collections import deque
from typing import TYPE_CHECKING, Any, cast

from tornkit.server.http1.streams import Stream

if TYPE_CHECKING:
    import asyncio

__all__ = ["TLSStream"]

_PIECE = 65536  # bytes


class TLSStream(Stream):
    """A connection over TLS that was accepted.

    The transport encrypts at once whatever it is given, however much that is, and does not
    tell how much of it waits in the transport beneath; nor does closing it wait for more than
    half a minute. So it is given pieces, the rest is kept here, and the one beneath is asked.
    """

    __slots__ = ("_beneath", "_closing", "_queue", "_queued")

    def __init__(self, *args: Any) -> None:
        """Take what `Stream` takes."""
        super().__init__(*args)
        self._beneath: asyncio.Transport | None = None
        self._queue: deque[memoryview] = deque()
        self._queued = 0
        self._closing = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin, with the limit of a plain connection instead of eight times that."""
        cast("asyncio.Transport", transport).set_write_buffer_limits(_PIECE)
        self._beneath = _beneath(transport)
        super().connection_made(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget what was not sent."""
        self._beneath = None
        self._queue.clear()
        self._queued = 0
        super().connection_lost(exc)

    def resume_writing(self) -> None:
        """Go on with what waits here, before writers do."""
        self.write_paused = False
        self._push()
        if not self.write_paused:
            super().resume_writing()

    def send(self, data: bytes) -> asyncio.Future[None]:
        """Write, and return what to wait for before more is written."""
        if len(data) <= _PIECE and not self._queue:
            return super().send(data)
        self._queue.append(memoryview(data))
        self._queued += len(data)
        self._push()
        return super().send(b"")

    def unsent(self) -> int:
        """Return how many bytes the other end has not taken yet."""
        beneath = 0 if self._beneath is None else self._beneath.get_write_buffer_size()
        return self._queued + super().unsent() + beneath

    def _close_transport(self) -> None:
        if self._queue:
            self._closing = True
        else:
            super()._close_transport()

    def _push(self) -> None:
        queue = self._queue
        while queue and not self.write_paused:
            piece = queue.popleft()
            if len(piece) > _PIECE:
                queue.appendleft(piece[_PIECE:])
                piece = piece[:_PIECE]
            self._queued -= len(piece)
            self._transport.write(piece)
        if self._closing and not queue:
            super()._close_transport()


def _beneath(transport: asyncio.BaseTransport) -> asyncio.Transport | None:
    """Return the transport of what is encrypted, for which neither event loop has a public name.

    Where it is not found, what waits there is not known, and nothing else is lost.
    """
    protocol = getattr(transport, "_ssl_protocol", None)
    if protocol is not None:  # asyncio's
        return getattr(protocol, "_transport", None)
    for protocol in gc.get_referents(transport):  # uvloop's have no names at all
        if type(protocol).__name__ == "SSLProtocol":
            for each in gc.get_referents(protocol):
                if each is not transport and hasattr(each, "get_write_buffer_size"):
                    return cast("asyncio.Transport", each)
    return None
