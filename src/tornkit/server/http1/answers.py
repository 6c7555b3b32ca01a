"""Write the head of an answer."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from tornado.escape import native_str

if TYPE_CHECKING:
    from tornado.httputil import HTTPHeaders

__all__ = ["CONTINUE", "REFUSAL", "TOO_LARGE", "answer_head"]

CONTINUE = b"HTTP/1.1 100 (Continue)\r\n\r\n"
REFUSAL = b"HTTP/1.1 400 Bad Request\r\n\r\n"
TOO_LARGE = b"HTTP/1.1 431 Request Header Fields Too Large\r\n\r\n"


def answer_head(code: int, reason: str, headers: HTTPHeaders) -> bytes:
    """Return the bytes of an answer's head.

    Raises:
        ValueError: something would end its line early.
        UnicodeEncodeError: something is not Latin-1.
    """
    lines = [_status_line(code, reason)]
    try:
        lines += [
            name + ": " + value for name, values in headers._as_list.items() for value in values
        ]
    except TypeError:  # Tornado lets bytes slip through here and there
        lines[1:] = [
            f"{native_str(name)}: {native_str(value)}" for name, value in headers.get_all()
        ]
    ends = len(lines) + 1
    lines += ("", "")
    head = "\r\n".join(lines).encode("latin1")
    if head.count(b"\n") != ends or head.count(b"\r") != ends:
        wrong = next(line for line in lines if "\r" in line or "\n" in line)
        raise ValueError(f"Illegal characters (CR or LF) in header: {wrong!r}")
    return head


@lru_cache(256)
def _status_line(code: int, reason: str) -> str:
    line = f"HTTP/1.1 {code:d} {reason}"
    if "\r" in line or "\n" in line:
        raise ValueError(f"Illegal characters (CR or LF) in header: {line!r}")
    return line
