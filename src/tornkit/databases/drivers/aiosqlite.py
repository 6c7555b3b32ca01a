"""aiosqlite's connection, with a deadline for every statement."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from functools import partial
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

import aiosqlite

from tornkit.databases.deadlines import Watch

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

__all__ = ["Connection", "begin", "connector", "cut"]


class Connection(aiosqlite.Connection):
    """A connection whose statement is interrupted when it takes too long, or is cancelled."""

    watch: Watch | None = None
    reads = False
    must_begin = True

    async def _execute(self, *args: Any, **options: Any) -> Any:
        # Whatever is asked of the file goes through here to the connection's thread.
        watch = self.watch
        if watch is None:
            return await super()._execute(*args, **options)  # type: ignore[no-untyped-call]
        watch.begin()
        try:
            return await super()._execute(*args, **options)  # type: ignore[no-untyped-call]
        except sqlite3.Error as error:
            watch.judge(error)
            raise
        except asyncio.CancelledError:
            cut(self)  # the thread would go on, and closing would wait for it
            raise
        finally:
            watch.end()

    @property
    def is_clean(self) -> bool:
        """Whether no transaction is open."""
        return self._connection is None or not self._connection.in_transaction

    @property
    def is_lost(self) -> bool:
        """Whether SQLite has rolled back by itself, as it does on a full disk."""
        return self.is_clean


async def begin(connection: Connection) -> None:
    """Begin a transaction; one that writes waits for the file's lock first, not half-way."""
    # A cursor of SQLAlchemy would go to the connection's thread and back three times.
    await connection.execute("BEGIN" if connection.reads else "BEGIN IMMEDIATE")


def connector(*, answering: float) -> Callable[..., Awaitable[Connection]]:
    """Return what opens a file, and has statements end within ``answering`` seconds."""

    async def connect(database: str, **options: Any) -> Connection:
        connection = Connection(partial(_File, database, **options), iter_chunk_size=64)
        # A thread that is left over must not keep the process from ending.
        thread: Any = getattr(connection, "_thread", connection)
        thread.daemon = True
        await connection
        connection.watch = Watch(connection, answering, cut)
        return connection

    return connect


def cut(connection: aiosqlite.Connection) -> None:
    """Interrupt the statement that is running, if one is."""
    if connection._connection is not None:
        connection._connection.interrupt()


class _File(sqlite3.Connection):
    """A connection that always rolls back, and lets go of the file's lock when it is closed.

    SQLite keeps a closed connection, and its transaction, alive while a statement of it is:
    the one that a cancelled task left behind would lock all other writers out.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._cursors: WeakSet[sqlite3.Cursor] = WeakSet()

    def cursor(self, *args: Any, **options: Any) -> Any:
        """Return a cursor, and remember it."""
        cursor = super().cursor(*args, **options)
        self._cursors.add(cursor)
        return cursor

    def rollback(self) -> None:
        """Roll back, also after an interruption."""
        try:
            super().rollback()
        except sqlite3.OperationalError:
            # While a cursor is not read to its end, an interruption holds for what follows.
            for cursor in list(self._cursors):
                cursor.close()
            super().rollback()

    def close(self) -> None:
        """Roll back, and close."""
        with contextlib.suppress(sqlite3.Error):
            self.rollback()
        super().close()
