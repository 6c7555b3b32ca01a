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
import itertools
import math
import os
import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import URL, event
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

from tornkit.databases.base import Backend, Engines, Fault, SQLOptions
from tornkit.databases.deadlines import mark_late
from tornkit.databases.engines import make_engine
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
"""Seconds that a migration waits for the writers of other processes."""

_numbers = itertools.count(1)

_FAULTS = {
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

    def __init__(self, url: URL, options: SQLOptions | None = None) -> None:
        self.in_memory = url.database in (None, "", ":memory:")
        self._anchor: sqlite3.Connection | None = None
        if self.in_memory:
            name = f"file:/tornkit-{os.getpid()}-{next(_numbers)}"
            url = url.set(database=name).update_query_dict({"vfs": "memdb", "uri": "true"})
        super().__init__(url, options)

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
        return Engines(
            self._engine(1, "foreign_keys = ON", reads=False),
            self._engine(
                self.options.pool_size, "foreign_keys = ON", "query_only = ON", reads=True
            ),
        )

    def cut(self, connection: Any) -> None:
        """Interrupt the statement that is running."""
        from tornkit.databases.drivers import aiosqlite  # noqa: PLC0415 - only where its scheme is used

        aiosqlite.cut(connection)

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
        _set_up(engine, "foreign_keys = OFF", within=BUSY_TIMEOUT)
        event.listen(engine.sync_engine, "begin", _begin_to_write)
        return engine

    def _engine(self, pool_size: int, *pragmas: str, reads: bool) -> AsyncEngine:
        from tornkit.databases.drivers import aiosqlite  # noqa: PLC0415 - only where its scheme is used

        engine = make_engine(
            self.url,
            aiosqlite.connector(answering=self.options.timeout),
            begin=aiosqlite.begin,
            reads=reads,
            # None turns off the driver's own idea of when a transaction begins.
            connect_args={"isolation_level": None, "timeout": self.options.timeout},
            poolclass=ShieldedPool,
            pool_size=pool_size,
            max_overflow=0,
            pool_timeout=self.options.pool_timeout,
            hide_parameters=True,
        )
        _set_up(engine, *pragmas, within=self.connect_timeout)
        self.keep_time(engine, fresh=math.inf)
        return engine

    async def violations(self, connection: AsyncConnection) -> set[Hashable]:
        """Return what ``PRAGMA foreign_key_check`` finds."""
        found = await connection.exec_driver_sql("PRAGMA foreign_key_check")
        return {tuple(row) for row in found}

    def explain(self, error: BaseException) -> Fault | None:
        """Look the error's name up; extended names count as their first two words."""
        name = getattr(error, "sqlite_errorname", None)
        if not isinstance(name, str):
            return None
        name = "_".join(name.split("_")[:2])
        if name == "SQLITE_BUSY":
            return Fault(
                f"the file stayed locked for {self.options.timeout:g} s",
                "look for a block that stays open too long, or another program that holds it",
            )
        return _FAULTS.get(name)


def _set_up(engine: AsyncEngine, *pragmas: str, within: float) -> None:
    """Set every connection up before its first use."""

    async def set_up(connection: aiosqlite.Connection) -> None:
        await _to_wal(connection, within)
        for pragma in ("synchronous = NORMAL", *pragmas):
            await (await connection.execute(f"PRAGMA {pragma}")).close()

    def on_connect(connection: Any, record: ConnectionPoolEntry) -> None:
        connection.run_async(set_up)

    event.listen(engine.sync_engine, "connect", on_connect)


def _begin_to_write(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")


async def _to_wal(connection: aiosqlite.Connection, within: float) -> None:
    """Switch to WAL; the busy timeout does not cover the switch itself."""
    deadline = asyncio.get_running_loop().time() + within
    while True:
        try:
            await (await connection.execute("PRAGMA journal_mode = WAL")).close()
        except sqlite3.OperationalError as error:
            if not (error.sqlite_errorname or "").startswith("SQLITE_BUSY"):
                raise
            if asyncio.get_running_loop().time() > deadline:
                mark_late(error, within)
                raise
            await asyncio.sleep(0.02)
        else:
            return
