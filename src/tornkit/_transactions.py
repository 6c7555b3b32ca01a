"""Short transactions for stores that live in a SQL database, whichever room they belong to."""

from __future__ import annotations

from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from sqlalchemy import delete, false, select
from sqlalchemy.dialects import mysql, postgresql, sqlite
from sqlalchemy.exc import DBAPIError, ProgrammingError, SQLAlchemyError, StatementError

from tornkit._text import printable
from tornkit._uninterrupted import uninterrupted
from tornkit.errors import DatabaseError, StoreUnavailable, TornkitError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Sequence
    from contextlib import AbstractAsyncContextManager

    from sqlalchemy import Column, ColumnElement, Executable, Insert, Row, Table
    from sqlalchemy.ext.asyncio import AsyncConnection

__all__ = ["Connect", "Transactions", "upsert"]

T = TypeVar("T")

# How often a transaction is tried that a database breaks off to resolve a deadlock.
_ATTEMPTS = 5
# Clearing is as many transactions, for each must be over in time.
_CLEAR_BATCH = 500
_TIE_STATES = frozenset({"40001", "40P01"})  # PostgreSQL: serialization failure, deadlock
_TIE_NUMBERS = frozenset({1020, 1213})  # MariaDB and MySQL: changed since read, deadlock


class Connect(Protocol):
    """Give a connection in a short transaction of its own, committed on leaving."""

    def __call__(self, *, write: bool) -> AbstractAsyncContextManager[AsyncConnection]:
        """Begin; ``write`` tells whether anything will be changed."""


class Transactions:
    """Read and write by short transactions; whatever fails is a `StoreUnavailable`.

    Args:
        connect: see `Connect`; an open ``SQLDatabase.connect`` fits. It raises
            `DatabaseError` when the database fails or keeps it waiting too long.
        purpose: what messages call the store, such as ``session store``.
    """

    def __init__(self, connect: Connect, *, purpose: str) -> None:
        self._connect = connect
        self._purpose = purpose

    async def read(self, query: Executable) -> Sequence[Row[Any]]:
        """Return the rows of a query."""
        with self._as_unavailable():
            async with self._connect(write=False) as connection:
                # aiosqlite would go on with a statement that nobody awaits, and psycopg would
                # ask a server that may be silent to stop it.
                return (await uninterrupted(connection.execute(query))).all()

    async def write(self, work: Callable[[AsyncConnection], Awaitable[T]]) -> T:
        """Run a transaction; again, a few times, when the database chose it to break a tie."""
        with self._as_unavailable():
            for attempts_left in reversed(range(_ATTEMPTS)):
                try:
                    async with self._connect(write=True) as connection:
                        # As above; aiosqlite would also hold the file's lock meanwhile.
                        return await uninterrupted(work(connection))
                except (SQLAlchemyError, TornkitError) as error:
                    if not (attempts_left and _is_tie(error)):
                        raise
            raise AssertionError("the last attempt returns or raises")

    async def delete(self, key: Column[str], which: ColumnElement[bool]) -> int:
        """Delete rows of the table that ``key`` is a column of; return how many."""

        async def work(connection: AsyncConnection) -> int:
            return (await connection.execute(delete(key.table).where(which))).rowcount

        return await self.write(work)

    async def clear(self, key: Column[str], which: ColumnElement[bool]) -> int:
        """Delete rows, however many there are, by their primary key; return how many."""
        some = select(key).where(which).limit(_CLEAR_BATCH)
        cleared = 0
        while True:
            keys = [row[0] for row in await self.read(some)]
            if keys:
                cleared += await self.delete(key, key.in_(keys) & which)
            if len(keys) < _CLEAR_BATCH:
                return cleared

    @contextmanager
    def _as_unavailable(self) -> Iterator[None]:
        try:
            yield
        except (SQLAlchemyError, DatabaseError, OSError) as error:
            if isinstance(error, StoreUnavailable):
                raise
            # The cause is kept for the log, where what is stored has no business.
            if isinstance(error, StatementError):
                error.hide_parameters = True
            origin = (error.orig if isinstance(error, DBAPIError) else None) or error
            reason = next(iter(str(origin).splitlines()), "")
            unmigrated = isinstance(error, ProgrammingError) or "no such table" in reason
            raise StoreUnavailable(
                f"the {self._purpose} does not answer: {type(origin).__name__}: "
                f"{printable(reason, limit=200)}",
                hint="if its tables are missing, run: tornkit db upgrade" if unmigrated else "",
            ) from error


def _is_tie(error: BaseException | None) -> bool:
    """Tell whether a deadlock is at the bottom of it, whatever ``connect`` made of that."""
    while error is not None and not isinstance(error, DBAPIError):
        error = error.__cause__
    driver = getattr(error, "orig", None)
    number = next(iter(getattr(driver, "args", ())), None)
    return getattr(driver, "sqlstate", None) in _TIE_STATES or number in _TIE_NUMBERS


@cache
def upsert(dialect: str, table: Table, column: str, *, keep: bool = False) -> Insert:
    """Return what makes a row, or gives the row of that primary key a new value.

    Args:
        dialect: the name of the connection's dialect.
        table: where the row belongs.
        column: what gets the value.
        keep: leave the value of a row that is there, and only lock the row.
    """
    own = table.c[column]
    if dialect in ("mysql", "mariadb"):
        made = mysql.insert(table)
        return made.on_duplicate_key_update({column: own if keep else made.inserted[column]})
    conflicting = postgresql.insert(table) if dialect == "postgresql" else sqlite.insert(table)
    return conflicting.on_conflict_do_update(
        index_elements=[*table.primary_key.columns],
        set_={column: own if keep else conflicting.excluded[column]},
        where=false() if keep else None,
    )
