"""SQLite through aiosqlite: one writer at a time, and readers that never wait for it.

Every process has one connection that writes and a few that read (``query_only``). Writers
queue in order inside the process, so that only one connection of each process contends for
the file's lock, with ``BEGIN IMMEDIATE`` and a busy timeout: no transaction is ever caught
half-way. Commits are WAL with ``synchronous = NORMAL``: they survive the death of any
process; a power cut may take back the last of them, but never tears the file.

``sqlite:///:memory:`` is one database per bind and process, gone when it is closed; there
a reader and a writer do wait for each other.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import sqlite3
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import URL, event
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

from tornkit.databases.base import POOL_TIMEOUT, Backend, Engines, Fault
from tornkit.databases.pools import ShieldedPool

if TYPE_CHECKING:
    from collections.abc import Hashable
    from typing import Any

    import aiosqlite
    from sqlalchemy import Connection
    from sqlalchemy.ext.asyncio import AsyncConnection
    from sqlalchemy.pool import ConnectionPoolEntry

__all__ = ["BUSY_TIMEOUT", "SQLiteBackend"]

BUSY_TIMEOUT = 30.0
"""Seconds that a writer waits for the writers of other processes."""

READERS = 4
MORE_READERS = 12

_numbers = itertools.count(1)

_FAULTS = {
    "SQLITE_BUSY": Fault(
        f"the file stayed locked for {BUSY_TIMEOUT:g} s",
        "look for a block that stays open too long, or another program that holds the file",
    ),
    "SQLITE_LOCKED": Fault("a table is locked", "look for a block that stays open too long"),
    "SQLITE_FULL": Fault("the disk is full", "free some space"),
    "SQLITE_IOERR": Fault("the disk fails", "look at the disk and the system's log"),
    "SQLITE_CANTOPEN": Fault(
        "the file cannot be opened", "check that its folder exists and may be written to"
    ),
    "SQLITE_PERM": Fault("the file may not be used", "check who owns it"),
    "SQLITE_READONLY": Fault(
        "it cannot be written to", "write in a block that is not read_only, in a writable file"
    ),
    "SQLITE_NOTADB": Fault("the file is not a SQLite database", "check the URL"),
    "SQLITE_CORRUPT": Fault("the file is damaged", "restore it from a backup"),
}


class SQLiteBackend(Backend):
    """SQLite, the embedded default."""

    driver = "sqlite+aiosqlite"
    package = "aiosqlite"
    batch = True
    one_writer = True

    def __init__(self, url: URL) -> None:
        self.in_memory = url.database in (None, "", ":memory:")
        self._anchor: sqlite3.Connection | None = None
        if self.in_memory:
            name = f"file:/tornkit-{os.getpid()}-{next(_numbers)}"
            url = url.set(database=name).update_query_dict({"vfs": "memdb", "uri": "true"})
        super().__init__(url)

    async def prepare(self) -> None:
        """Make the file's folder, or hold the memory's database in being."""
        if self.in_memory:
            # A cancelled statement costs its connection; this one keeps the data alive.
            self._anchor = sqlite3.connect(
                f"{self.url.database}?vfs=memdb", uri=True, check_same_thread=False
            )
        elif self.url.database and not self.url.database.startswith("file:"):
            folder = Path(self.url.database).parent
            await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True)

    async def release(self) -> None:
        """Let the memory's database go."""
        if self._anchor is not None:
            self._anchor.close()
            self._anchor = None

    def engines(self) -> Engines:
        """Make one engine of a single connection, and one of several that only read."""
        writer = self._engine(pool_size=1, max_overflow=0)
        reader = self._engine(pool_size=READERS, max_overflow=MORE_READERS)
        _listen(writer, begin="BEGIN IMMEDIATE", pragmas=("foreign_keys = ON",))
        _listen(reader, begin="BEGIN", pragmas=("foreign_keys = ON", "query_only = ON"))
        self.guard_commits(writer)
        return Engines(writer, reader)

    def migration_engine(self) -> AsyncEngine:
        """Make an engine without foreign keys.

        A table is altered by copying it and dropping the old one; with foreign keys on,
        the drop would delete the rows of other tables that point to it.
        """
        engine = create_async_engine(
            self.url,
            connect_args={"isolation_level": None, "timeout": BUSY_TIMEOUT},
            poolclass=NullPool,
        )
        _listen(engine, begin="BEGIN IMMEDIATE", pragmas=("foreign_keys = OFF",))
        return engine

    def _engine(self, *, pool_size: int, max_overflow: int) -> AsyncEngine:
        return create_async_engine(
            self.url,
            # None turns off the driver's own idea of when a transaction begins.
            connect_args={
                "isolation_level": None,
                "timeout": BUSY_TIMEOUT,
                "factory": _Connection,
            },
            poolclass=ShieldedPool,
            pool_size=pool_size,
            max_overflow=max_overflow,
            pool_timeout=POOL_TIMEOUT,
            hide_parameters=True,
        )

    async def violations(self, connection: AsyncConnection) -> set[Hashable]:
        """Return what ``PRAGMA foreign_key_check`` finds."""
        found = await connection.exec_driver_sql("PRAGMA foreign_key_check")
        return {tuple(row) for row in found}

    def is_lost(self, connection: Connection) -> bool:
        """Tell whether SQLite has rolled back by itself, as it does on a full disk."""
        driver: Any = connection.connection.driver_connection
        return not driver.in_transaction

    def explain(self, error: BaseException) -> Fault | None:
        """Look the error's name up; extended names count as their first two words."""
        name = getattr(error, "sqlite_errorname", None)
        if not isinstance(name, str):
            return None
        return _FAULTS.get("_".join(name.split("_")[:2]))


class _Connection(sqlite3.Connection):
    """A connection that lets go of the file's lock when it is closed.

    SQLite keeps a closed connection, and its transaction, alive while a statement of it is:
    the one that a cancelled task left behind would lock all other writers out.
    """

    def close(self) -> None:
        """Roll back, and close."""
        with contextlib.suppress(sqlite3.Error):
            self.rollback()
        super().close()


def _listen(engine: AsyncEngine, *, begin: str, pragmas: tuple[str, ...]) -> None:
    def on_connect(connection: Any, record: ConnectionPoolEntry) -> None:
        connection.run_async(partial(_set_up, pragmas=pragmas))

    def on_begin(connection: Connection) -> None:
        connection.exec_driver_sql(begin)

    event.listen(engine.sync_engine, "connect", on_connect)
    event.listen(engine.sync_engine, "begin", on_begin)


async def _set_up(connection: aiosqlite.Connection, pragmas: tuple[str, ...]) -> None:
    await _to_wal(connection)
    for pragma in ("synchronous = NORMAL", *pragmas):
        await (await connection.execute(f"PRAGMA {pragma}")).close()


async def _to_wal(connection: aiosqlite.Connection) -> None:
    """Switch to WAL; the busy timeout does not cover the switch itself."""
    deadline = asyncio.get_running_loop().time() + BUSY_TIMEOUT
    while True:
        try:
            await (await connection.execute("PRAGMA journal_mode = WAL")).close()
        except sqlite3.OperationalError as error:
            late = asyncio.get_running_loop().time() > deadline
            if late or not (error.sqlite_errorname or "").startswith("SQLITE_BUSY"):
                raise
            await asyncio.sleep(0.02)
        else:
            return
