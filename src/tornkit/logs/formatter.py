"""Records as lines that nobody can forge."""

from __future__ import annotations

import logging
import time

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
        head = (
            f"{self._time(record)} {record.levelname:<7} {_escape(record.name)} "
            f"[{_escape(str(getattr(record, 'request_id', NO_REQUEST)))}]"
        )
        lines = _lines(record.getMessage()) or [""]
        if record.exc_info and not record.exc_text:
            record.exc_text = self.formatException(record.exc_info)
        if record.exc_text:
            lines += _lines(record.exc_text)
        if record.stack_info:
            lines += _lines(self.formatStack(record.stack_info))
        first, *rest = lines
        return "\n".join([f"{head} {first}", *(_INDENT + line for line in rest)])

    def _time(self, record: logging.LogRecord) -> str:
        moment = time.localtime(record.created)
        if self.brief:
            return time.strftime("%H:%M:%S", moment)
        zone = time.strftime("%z", moment)
        seconds = time.strftime("%Y-%m-%dT%H:%M:%S", moment)
        return f"{seconds}.{int(record.msecs):03d}{zone} {record.process}"


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
