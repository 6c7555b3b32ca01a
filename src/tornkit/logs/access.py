"""One line for each request, and its arguments at DEBUG."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any, Protocol

from tornkit._text import printable
from tornkit._work import current_work
from tornkit.logs._context import request_id as current_request_id
from tornkit.logs._masking import mask, mask_query
from tornkit.logs.handlers import Lines

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["log_access", "log_arguments", "log_request", "shown_target"]

logger = logging.getLogger("tornkit.access")

LONGEST_TARGET = 2000
LONGEST_ARGUMENTS = 2000


class Request(Protocol):
    """What is logged of Tornado's HTTPServerRequest."""

    @property
    def method(self) -> str | None:
        """The method, as it was sent."""

    @property
    def uri(self) -> str | None:
        """The path with its query."""

    @property
    def remote_ip(self) -> str | None:
        """The address of the client."""

    def request_time(self) -> float:
        """Return the seconds since the request came in."""


def log_access(
    *,
    method: str,
    target: str,
    status: int,
    seconds: float,
    remote_ip: str,
    request_id: str | None = None,
    note: str = "",
) -> None:
    """Log one request: ``GET /teacher/?page=2 200 3.1 ms 127.0.0.1``.

    Answers of 5xx are errors, all others information. ``target`` is the path with its
    query; what is named like a secret in it is hidden, control characters are escaped.
    ``note`` is what else there is to say.
    """
    level = logging.ERROR if status >= 500 else logging.INFO
    if not logger.isEnabledFor(level):
        return
    identity = request_id or current_request_id.get()
    line = _Line(level, identity, method, target, status, seconds, remote_ip, note)
    handlers = _line_handlers()
    if handlers is None:
        logger.log(level, "%s", line.text(), extra={"request_id": identity})
        return
    for handler in handlers:
        handler.write_line(line)


class _Line:
    """A line of the access log."""

    __slots__ = ("_words", "level", "moment", "request_id")
    logger = logger.name

    def __init__(self, level: int, request_id: str, *words: Any) -> None:
        self.level = level
        self.moment = time.time()
        self.request_id = request_id
        self._words = words

    def text(self) -> str:
        method, target, status, seconds, remote_ip, note = self._words
        asked = f"{method} {target}"
        if "?" in target or len(asked) > LONGEST_TARGET or not asked.isprintable():
            asked = f"{printable(method, limit=20)} {shown_target(target)}"
        line = f"{asked} {status} {seconds * 1000:.1f} ms {printable(remote_ip or '-')}"
        return f"{line} {note}" if note else line


def _line_handlers() -> list[Lines] | None:
    """Return who writes the access log, or None where somebody wants to see its records."""
    found: list[Lines] = []
    asked: logging.Logger | None = logger
    while asked is not None:
        for handler in asked.handlers:
            if not (isinstance(handler, Lines) and handler.takes_lines):
                return None
            found.append(handler)
        asked = asked.parent if asked.propagate else None
    return found if found and not logger.filters else None


def shown_target(target: str) -> str:
    """Return a path with its query as logs show it: printable, cut, nothing private in it."""
    return printable(mask_query(target) if "?" in target else target, limit=LONGEST_TARGET)


def log_request(request: Request, status: int) -> None:
    """Log a finished request of Tornado's; call it while its request id is set."""
    if status < 500 and not logger.isEnabledFor(logging.INFO):
        return
    log_access(
        method=request.method or "-",
        target=request.uri or "-",
        status=status,
        seconds=request.request_time(),
        remote_ip=request.remote_ip or "-",
        note=_queries(),
    )


def _queries() -> str:
    """Return what the request has asked databases for, where that is counted."""
    work = current_work.get()
    if work is None or not work.queries:
        return ""
    counted = "1 query" if work.queries == 1 else f"{work.queries} queries"
    return f"({counted}, {work.query_seconds * 1000:.0f} ms)"


def log_arguments(arguments: Mapping[str, Any]) -> None:
    """Log a request's arguments at DEBUG, private ones hidden; values may be Tornado's bytes."""
    if logger.isEnabledFor(logging.DEBUG) and arguments:
        shown = {printable(key): _text(value) for key, value in mask(arguments).items()}
        logger.debug("arguments %s", printable(shown, limit=LONGEST_ARGUMENTS))


def _text(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    if isinstance(value, list):
        items = [_text(item) for item in value]
        return items[0] if len(items) == 1 else items
    return value
