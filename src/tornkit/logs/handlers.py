"""Where lines go: to a stream or a file, those of the access log a few at a time.

A record of the logging module costs more than many an answer. Where a line of the access log
would be seen by these handlers alone it never becomes one: its text waits for a moment, and
is written together with those of other requests.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from collections import deque
from logging.handlers import RotatingFileHandler
from typing import TYPE_CHECKING, Any, Protocol
from weakref import WeakSet

from tornkit.logs._context import RequestIdFilter
from tornkit.logs.formatter import LineFormatter

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Line", "LineFile", "LineStream", "Lines"]

_PATIENCE = 0.1  # seconds that a line may wait
_MOST = 500  # lines that may wait


class Line(Protocol):
    """A line to be written.

    Attributes:
        level: its level.
        logger: the name of its logger.
        moment: when it was made, in seconds since the epoch.
        request_id: the request that it is about.
    """

    level: int
    logger: str
    moment: float
    request_id: str

    def text(self) -> str:
        """Return what it says, without anything unprintable.

        It is asked for when the line is written: the work for many at once costs a third.
        """


class Lines(logging.Handler):
    """Write records, and before them the lines that wait.

    Attributes:
        takes_lines: whether `write_line` may be used.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Take the arguments of the handler beside this one."""
        self._waiting: deque[Line] = deque()
        self._loop: asyncio.AbstractEventLoop | None = None  # where a timer runs
        self.takes_lines = False
        super().__init__(*args, **kwargs)
        _all.add(self)

    def _look(self) -> None:
        """Note whether a line looks as its record would, which no filter of others must see."""
        self.takes_lines = (
            type(self.formatter) is LineFormatter
            and self.level <= logging.INFO
            and all(type(each) is RequestIdFilter for each in self.filters)
        )

    def setFormatter(self, fmt: logging.Formatter | None) -> None:  # noqa: N802  logging's name
        """Let ``fmt`` write the records."""
        super().setFormatter(fmt)
        self._look()

    def setLevel(self, level: int | str) -> None:  # noqa: N802  as above
        """Leave out what is below ``level``."""
        super().setLevel(level)
        self._look()

    def addFilter(self, filter: Any) -> None:  # noqa: A002, N802  as above
        """Let a filter see the records."""
        super().addFilter(filter)
        self._look()

    def removeFilter(self, filter: Any) -> None:  # noqa: A002, N802  as above
        """Let a filter see no more records."""
        super().removeFilter(filter)
        self._look()

    def write_line(self, line: Line) -> None:
        """Write a line soon, an error at once."""
        self._waiting.append(line)
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            self._write_waiting()
            return
        if line.level >= logging.ERROR or len(self._waiting) > _MOST:
            self._write_waiting()
        elif self._loop is not loop:  # nobody waits yet, or a loop that may have ended
            self._loop = loop
            loop.call_later(_PATIENCE, self._on_timer)

    def _on_timer(self) -> None:
        self._loop = None
        self._write_waiting()

    def format(self, record: logging.LogRecord) -> str:
        """Return a record as text."""
        return record.text if isinstance(record, _Waited) else super().format(record)

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record, after the lines that wait."""
        if self._waiting:
            lines = list(self._take_lines())
            super().emit(_Waited(lines))
        if not isinstance(record, _Waited):
            super().emit(record)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802  as above
        """Report what could not be written; one line that cannot be takes no others with it."""
        is_text = isinstance(sys.exception(), UnicodeError)
        if is_text and isinstance(record, _Waited) and len(record.lines) > 1:
            for line in record.lines:
                super().emit(_Waited([line]))
        else:
            super().handleError(record)

    def _take_lines(self) -> Iterator[str]:
        formatter = self.formatter
        head = formatter.head if isinstance(formatter, LineFormatter) else LineFormatter().head
        while self._waiting:  # to which another thread may add meanwhile
            line = self._waiting.popleft()
            name = logging.getLevelName(line.level)
            yield f"{head(name, line.logger, line.moment, str(line.request_id))} {line.text()}"

    def flush(self) -> None:
        """Write the lines that wait."""
        self._write_waiting()
        super().flush()

    def close(self) -> None:
        """Write the lines that wait, and end."""
        self._write_waiting()
        super().close()

    def _write_waiting(self) -> None:
        if self._waiting:
            self.acquire()
            try:
                self.emit(_Waited([]))
            finally:
                self.release()


class LineStream(Lines, logging.StreamHandler[Any]):
    """Write to a stream."""


class LineFile(Lines, RotatingFileHandler):
    """Write to a file, and begin another one when it is large."""


class _Waited(logging.LogRecord):
    """Lines that have waited, for a handler to write as it writes anything."""

    def __init__(self, lines: list[str]) -> None:
        self.lines = lines
        self.text = "\n".join(lines)
        super().__init__("", logging.INFO, "", 0, self.text[:1000], (), None)


def _forget_waiting() -> None:
    """Leave the lines of a process to itself, after a fork."""
    for handler in _all:
        handler._waiting.clear()
        handler._loop = None


_all: WeakSet[Lines] = WeakSet()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_waiting)
