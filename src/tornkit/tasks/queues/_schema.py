"""The tables of the SQLite queue, and whether a file has them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tornkit.errors import TaskError

if TYPE_CHECKING:
    import sqlite3

__all__ = ["prepare", "prepare_to_read"]

_MARK: Final = 0x746B7471
"""What SQLite's ``application_id`` of such a file is."""
_VERSION: Final = 1

_STATEMENTS: Final = (
    # Times are milliseconds; when a job is due or expires is seconds.
    """
    CREATE TABLE jobs (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        key TEXT NOT NULL UNIQUE,
        function TEXT NOT NULL,
        owner TEXT,
        job BLOB NOT NULL,
        status TEXT NOT NULL,
        priority INTEGER NOT NULL,
        scheduled REAL NOT NULL,
        queued INTEGER NOT NULL,
        ttl INTEGER NOT NULL,
        attempts INTEGER NOT NULL DEFAULT 0,
        lost INTEGER NOT NULL DEFAULT 0,
        started INTEGER NOT NULL DEFAULT 0,
        touched INTEGER NOT NULL DEFAULT 0,
        lease INTEGER NOT NULL DEFAULT 0,
        worker_id TEXT,
        completed INTEGER NOT NULL DEFAULT 0,
        expires REAL,
        progress REAL NOT NULL DEFAULT 0,
        message TEXT,
        result TEXT,
        error TEXT
    )
    """,
    "CREATE INDEX jobs_due ON jobs (priority, scheduled, number) WHERE status = 'queued'",
    "CREATE INDEX jobs_running ON jobs (touched) WHERE status IN ('active', 'aborting')",
    "CREATE INDEX jobs_status ON jobs (status, number)",
    "CREATE INDEX jobs_function ON jobs (function, number)",
    "CREATE INDEX jobs_owner ON jobs (owner, number) WHERE owner IS NOT NULL",
    "CREATE INDEX jobs_expires ON jobs (expires) WHERE expires IS NOT NULL",
    "CREATE TABLE schedules (name TEXT PRIMARY KEY, tick REAL NOT NULL) WITHOUT ROWID",
    "CREATE TABLE workers (id TEXT PRIMARY KEY, info TEXT NOT NULL, expires REAL NOT NULL)",
)


def prepare(connection: sqlite3.Connection) -> None:
    """Make the tables in a new file.

    Raises:
        TaskError: the file is another program's, or of a later version of tornkit.
    """
    connection.execute("BEGIN IMMEDIATE")
    try:
        _prepare(connection)
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:  # a full disk has ended it
            connection.execute("ROLLBACK")
        raise


def prepare_to_read(connection: sqlite3.Connection) -> None:
    """Have a connection refuse to write."""
    connection.execute("PRAGMA query_only = ON")


def _prepare(connection: sqlite3.Connection) -> None:
    mark, version = (
        connection.execute(f"PRAGMA {name}").fetchone()[0]
        for name in ("application_id", "user_version")
    )
    if mark == _MARK and version == _VERSION:
        return
    if mark == _MARK:
        raise TaskError(
            f"the file of the task queue has tables of version {version}, this tornkit knows "
            f"{_VERSION}",
            hint="run the version of tornkit that made it, or another file",
        )
    if connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone():
        raise TaskError(
            "the file of the task queue is another program's",
            hint="name a file of its own, such as sqlite:///data/tasks.db",
        )
    for statement in _STATEMENTS:
        connection.execute(statement)
    connection.execute(f"PRAGMA application_id = {_MARK}")
    connection.execute(f"PRAGMA user_version = {_VERSION}")
