"""Records as lines that nobody can forge."""

from __future__ import annotations

import logging
import os
import time
from functools import lru_cache

from tornkit.logs._context import NO_REQUEST

__all__ = ["LineFormatter"]

_INDENT = "    | "


class LineFormatter(logging.Formatter):
    """Write ``time LEVEL logger [request id] message``.

    Unprintable characters are escaped. Further lines of a message or a traceback are
    indented, so that what a visitor sent never looks like a record of its own.

    Args:
        brief: the time without date, zone and process id, for a terminal in development.
    """

    def __init__(self, *, brief: bool = False) -> None:
        super().__init__()
        self.brief = brief

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as text."""
        request_id = str(getattr(record, "request_id", NO_REQUEST))
        head = self.head(record.levelname, record.name, record.created, request_id)
        lines = _lines(record.getMessage()) or [""]
        if record.exc_info and not record.exc_text:
            record.exc_text = self.formatException(record.exc_info)
        if record.exc_text:
            lines += _lines(record.exc_text)
        if record.stack_info:
            lines += _lines(self.formatStack(record.stack_info))
        first, *rest = lines
        return "\n".join([f"{head} {first}", *(_INDENT + line for line in rest)])

    def head(self, level: str, logger: str, moment: float, request_id: str) -> str:
        """Return what stands before the message."""
        second = int(moment)
        when, where = _parts(second, level, logger, os.getpid(), self.brief)
        if not self.brief:
            # A float of this size is exact to a fraction of a microsecond only.
            when = f"{when}.{int((moment - second + 1e-6) * 1000) % 1000:03d}"
        return f"{when}{where} [{_escape(request_id)}]"


@lru_cache(16)
def _parts(second: int, level: str, logger: str, process: int, brief: bool) -> tuple[str, str]:
    """Return what is the same for all lines of a second: before and after its fraction."""
    local = time.localtime(second)
    where = f"{level:<7} {_escape(logger)}"
    if brief:
        return time.strftime("%H:%M:%S", local), f" {where}"
    zone = time.strftime("%z", local)
    return time.strftime("%Y-%m-%dT%H:%M:%S", local), f"{zone} {process} {where}"


def _lines(text: str) -> list[str]:
    return [_escape(line) for line in text.rstrip("\n").split("\n")]


def _escape(text: str) -> str:
    """Escape what does not print, tabs aside."""
    if text.isprintable():
        return text
    return "".join(
        char
        if char.isprintable() or char == "\t"
        else char.encode("unicode_escape").decode("ascii")
        for char in text
    )
