"""A message that comes in several frames, or in several pieces of one frame."""

from __future__ import annotations

import codecs
from typing import TYPE_CHECKING

from tornado.util import _websocket_mask

from tornkit.server.websockets.frames import DEFLATED, FINAL, TEXT, BadFrame

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Message"]

_new_decoder = codecs.getincrementaldecoder("utf-8")


class Message:
    """What has come of a message.

    The pieces of a frame are unmasked as they arrive, so that a large one is held but once. Of
    a text they must be UTF-8 so far, so that what is refused in the end is not waited for.

    Attributes:
        first: the first byte of its first frame, which says what it is.
        data: what has come.
        missing: how many bytes of the frame that is arriving are still to come.
    """

    __slots__ = ("_decode", "_final", "_mask", "data", "first", "missing")

    def __init__(self, first: int) -> None:
        """Begin with nothing."""
        self.first = first
        self.data = bytearray()
        self.missing = 0
        self._mask = b""
        self._final = False
        self._decode: Callable[[bytes], str] | None = None
        if first & TEXT and not first & DEFLATED:
            self._decode = _new_decoder().decode

    @property
    def complete(self) -> bool:
        """Tell whether all of it has come."""
        return self._final and not self.missing

    def expect(self, first: int, mask: bytes, length: int) -> None:
        """Begin with its next frame."""
        self._final = bool(first & FINAL)
        self._mask = mask
        self.missing = length

    def take(self, data: bytes, at: int) -> int:
        """Take what belongs to the frame from ``data``; return where it ends there.

        Raises:
            BadFrame: it is no text.
        """
        piece = _websocket_mask(self._mask, data[at : at + self.missing])
        if self._decode is not None:
            try:
                self._decode(piece)
            except UnicodeDecodeError:
                raise BadFrame(1007, "a text is not valid UTF-8") from None
        self.data += piece
        size = len(piece)
        self.missing -= size
        turn = size % 4
        self._mask = self._mask[turn:] + self._mask[:turn]
        return at + size
