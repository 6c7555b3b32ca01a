"""Count what engines run, and log what takes long or is asked again and again.

A query is a statement that was handed to the driver; `executemany` counts as one, the
beginning and end of transactions as none. Its time ends with the driver's answer: rows that
are fetched one by one come later. Parameters are never logged.
"""

from __future__ import annotations

import logging
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import event

from tornkit._text import printable
from tornkit._work import CountedWork, current_work

if TYPE_CHECKING:
    from sqlalchemy import Engine
    from sqlalchemy.engine import ExceptionContext
    from sqlalchemy.ext.asyncio import AsyncEngine

    from tornkit._work import Work

__all__ = ["REPEATED", "is_query", "observe", "one_line"]

REPEATED: Final = 10
"""How often one piece of work may run the same query before that is logged."""

LONGEST: Final = 500
"""How many characters of a statement are logged."""

_CONTROL: Final = frozenset({"BEGIN", "SAVEP", "RELEA", "ROLLB"})

logger = logging.getLogger("tornkit.databases")


def observe(engine: AsyncEngine | Engine, name: str, *, slow_query: float | None = None) -> None:
    """Count the queries of an engine into the current `Work`.

    Engines made from this one by ``execution_options`` are observed with it. A query that one
    `CountedWork` runs for the tenth time is logged as a warning.

    Args:
        engine: the engine.
        name: what messages call its database.
        slow_query: the seconds from which on a statement is logged as a warning.
    """
    target = getattr(engine, "sync_engine", engine)
    limit = float("inf") if slow_query is None else slow_query

    # Both are called with the connection, the cursor, the statement, its parameters, the
    # context, and whether these parameters are many.
    def begin(*call: Any) -> None:
        call[4].tornkit_began = perf_counter()

    def end(*call: Any) -> None:
        statement, context = call[2], call[4]
        began = context.tornkit_began
        if began is None:
            return  # the engine that this one was made from is observed too
        context.tornkit_began = None
        seconds = perf_counter() - began
        work = current_work.get()
        if work is not None and statement[:5] not in _CONTROL:
            work.queries += 1
            work.query_seconds += seconds
            if type(work) is CountedWork:
                _count(work, statement)
        if seconds >= limit:
            _tell(work, name, statement, seconds)

    def fail(failure: ExceptionContext) -> None:
        context = failure.execution_context
        if failure.statement is not None and getattr(context, "tornkit_began", None) is not None:
            end(None, None, failure.statement, None, context)

    event.listen(target, "before_cursor_execute", begin)
    event.listen(target, "after_cursor_execute", end)
    event.listen(target, "handle_error", fail)


def is_query(statement: str) -> bool:
    """Tell whether a statement is more than the beginning or end of a transaction."""
    return statement[:5] not in _CONTROL


def one_line(statement: str, *, limit: int = LONGEST) -> str:
    """Return a statement on one line, cut, and fit to be printed."""
    return printable(" ".join(statement[: 4 * limit].split()), limit=limit)


def _count(work: CountedWork, statement: str) -> None:
    times = work.statements.get(statement, 0) + 1
    work.statements[statement] = times
    if times == REPEATED and statement.lstrip()[:6].upper() == "SELECT":
        logger.warning(
            "the same query ran %d times in %s: %s; load the rows at once, with selectinload()"
            " or in_()",
            times,
            work.name,
            one_line(statement),
        )


def _tell(work: Work | None, name: str, statement: str, seconds: float) -> None:
    logger.warning(
        "slow query%s: %.0f ms on database %r: %s",
        "" if work is None else f" in {work.name}",
        seconds * 1000,
        name,
        one_line(statement),
    )
