"""Turn a driver's error into one line that says what happened and what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy.exc import (
    DBAPIError,
    MissingGreenlet,
    PendingRollbackError,
    SQLAlchemyError,
)
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm.exc import DetachedInstanceError, StaleDataError

from tornkit._text import printable
from tornkit.errors import DatabaseError, StaleData, TornkitError

if TYPE_CHECKING:
    from tornkit.databases.base import Backend

__all__ = ["annotate", "explain", "first_line"]

_LAZY = (
    "tornkit: an attribute or a relation was not loaded, and cannot be loaded on the side; "
    "ask for it in the query with selectinload() or joinedload()"
)


def explain(error: BaseException, *, name: str, backend: Backend) -> DatabaseError | None:
    """Return the `DatabaseError` that says what ``error`` means.

    None where it is no fault of the database: a broken constraint, a wrong statement.
    """
    place = f"database {name!r}"
    said = _of_sqlalchemy(error, place, backend)
    if said is not None:
        return said
    cause = error.orig if isinstance(error, DBAPIError) else error
    if cause is None or isinstance(cause, TornkitError):
        return None
    fault = backend.explain(cause)
    if fault is None and isinstance(cause, ConnectionError):
        return DatabaseError(
            f"{place}: the connection broke ({first_line(cause, backend)})",
            check_id="databases.unavailable",
        )
    if fault is None:
        return None
    return DatabaseError(
        f"{place}: {fault.what} ({first_line(cause, backend)})",
        hint=fault.hint,
        check_id="databases.unavailable",
    )


def _of_sqlalchemy(error: BaseException, place: str, backend: Backend) -> DatabaseError | None:
    """Return what an error means that no driver raised."""
    if isinstance(error, PendingRollbackError):
        return DatabaseError(
            f"{place}: a statement failed inside the block and its error was caught:"
            " nothing was committed",
            hint="let the error leave the block, or wrap the risky statement in"
            " `async with session.begin_nested()`",
        )
    if isinstance(error, StaleDataError):
        return StaleData(
            f"{place}: a row was changed or deleted by somebody else meanwhile"
            f" ({first_line(error, backend)})",
            hint="read it again, and let whoever changes it see what it has become",
        )
    if isinstance(error, PoolTimeout):
        return DatabaseError(
            f"{place}: no connection became free within {backend.options.pool_timeout:g} s",
            hint="look for a block that stays open too long, or that waits for another block",
            check_id="databases.unavailable",
        )
    return None


def annotate(error: BaseException) -> None:
    """Add to an error about a lazy load what can be done about it."""
    if isinstance(error, MissingGreenlet | DetachedInstanceError):
        error.add_note(_LAZY)


def first_line(error: BaseException, backend: Backend) -> str:
    """Return the error's own first line, without the password of the URL."""
    cause: BaseException = error
    if isinstance(error, SQLAlchemyError):
        cause = getattr(error, "orig", None) or error
    # Drivers of MySQL give (number, words).
    words = str(cause.args[-1]) if len(cause.args) > 1 else str(cause)
    line = next((line.strip() for line in words.splitlines() if line.strip()), "no reason given")
    password = backend.url.password
    if password:
        line = line.replace(str(password), "***")
    return printable(line, limit=200)
