"""Read the heads of frames, and tell what no client may send (RFC 6455, section 5)."""

from __future__ import annotations

from struct import Struct

__all__ = ["BINARY", "CLOSE", "CONTROL", "DEFLATED", "FINAL", "OPCODE", "PING", "PONG"]
__all__ += ["RESERVED", "TEXT", "BadFrame", "check_code", "read_head", "text_of"]

# Parts of the first byte.
FINAL = 0x80
DEFLATED = 0x40  # RFC 7692, section 6
RESERVED = 0x70
OPCODE = 0x0F
CONTROL = 0x08
TEXT, BINARY, CLOSE, PING, PONG = 0x1, 0x2, 0x8, 0x9, 0xA

_MASKED = 0x80  # in the second byte
# What the second byte says where the length follows it: its form, and the least it may be.
_LENGTHS = {126: (Struct(">H"), 126), 127: (Struct(">Q"), 65536)}
# RFC 6455, section 7.4, and what was registered since; the others are never sent.
_CODES = frozenset({*range(1000, 1004), *range(1007, 1015), *range(3000, 5000)})


class BadFrame(Exception):
    """What has arrived breaks the rules.

    Attributes:
        code: what to close the connection with.
        reason: the same in words.
    """

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


def read_head(data: bytes, at: int) -> tuple[int, int, int] | None:
    """Return a frame's first byte, and where its payload begins and ends.

    None says that the length has not arrived; the mask, which is the last part of the head, may
    not have either.

    Raises:
        BadFrame: no client may send such a head.
    """
    if len(data) < at + 2:
        return None
    first, length = data[at], data[at + 1] - _MASKED
    if length < 0:
        raise BadFrame(1002, "a frame is not masked")
    begin = at + 6
    if length >= 126:
        if first & CONTROL:
            raise BadFrame(1002, "a control frame is too long")
        form, least = _LENGTHS[length]
        begin += form.size
        if len(data) < begin - 4:
            return None
        (length,) = form.unpack_from(data, at + 2)
        if length < least:
            raise BadFrame(1002, "the length of a frame is not in its shortest form")
    return first, begin, begin + length


def check_code(code: int) -> None:
    """Make sure that a client may give ``code`` as why it closes.

    Raises:
        BadFrame: the code is reserved, or not defined.
    """
    if code not in _CODES:
        raise BadFrame(1002, "the code of a close frame is not a valid one")


def text_of(payload: bytes | bytearray) -> str:
    """Return what UTF-8 says.

    Raises:
        BadFrame: it is not UTF-8.
    """
    try:
        return payload.decode()
    except UnicodeDecodeError:
        raise BadFrame(1007, "a text is not valid UTF-8") from None
