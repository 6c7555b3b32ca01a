"""SQL databases for tests: files copied from a template, databases of the run's own on servers."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING
from urllib.parse import quote

from sqlalchemy import URL, exists, inspect, literal, make_url, select, table, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import create_async_engine

from tornkit.errors import DatabaseError

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    from sqlalchemy import Connection

    from tornkit.databases import SQLDatabase

__all__ = ["SQLiteFile", "ServerDatabase"]

# Tables whose next row would not be number 1.
_NUMBERED = {
    "postgresql": "SELECT t.relname FROM pg_sequences s JOIN pg_depend d ON d.objid ="
    " format('%I.%I', s.schemaname, s.sequencename)::regclass AND d.deptype IN ('a', 'i')"
    " JOIN pg_class t ON t.oid = d.refobjid"
    " WHERE s.schemaname = current_schema AND s.last_value IS NOT NULL",
    "mysql": "SELECT table_name FROM information_schema.tables"
    " WHERE table_schema = DATABASE() AND auto_increment > 1",
}
_HISTORIES = ("alembic_version", "tornkit_alembic_version")


class SQLiteFile:
    """A file that is migrated once and copied for each test.

    Args:
        name: the bind.
        folder: where it is kept during the run.
    """

    def __init__(self, name: str, folder: Path) -> None:
        self._template = folder / f"{name}.db"
        self.url = _sqlite(self._template)

    def copy(self, folder: Path) -> str:
        """Return the URL of a copy in the folder of a test."""
        shutil.copyfile(self._template, folder / self._template.name)
        return _sqlite(folder / self._template.name)

    async def drop(self) -> None:
        """Leave the file to pytest, which keeps the folders of its last runs."""


class ServerDatabase:
    """A database of the run's own beside the configured one.

    Args:
        database: the configured one, not opened.
        url: its URL, with the password.
    """

    def __init__(self, database: SQLDatabase, url: str) -> None:
        self._configured = database.backend.url
        self._place = f"database {database.name!r}: a database for tests", database.url
        self._name = _own_name(self._configured.database or "tornkit", database.name)
        own = make_url(url).set(database=self._name)
        self.url = own.render_as_string(hide_password=False)

    async def create(self) -> None:
        """Create it, in place of what an earlier run of this process id has left.

        Raises:
            DatabaseError: the server does not answer or does not let a database be created.
        """
        try:
            await self.drop()
            await _as_admin(self._configured, "CREATE DATABASE", self._name)
        except (SQLAlchemyError, OSError) as error:
            what, where = self._place
            raise DatabaseError(
                f"{what} cannot be created on {where}: {error.__cause__ or error}",
                hint="see that the server runs and that its user may create databases, or name"
                " another one in settings.testing.toml",
            ) from error

    def copy(self, folder: Path) -> str:
        """Return its URL, the same for all tests."""
        return self.url

    async def empty(self, database: SQLDatabase) -> None:
        """Empty its tables, those of ``database``, which is open."""
        async with database.engine.begin() as connection:
            await connection.run_sync(_truncate)

    async def drop(self) -> None:
        """Drop it."""
        await _as_admin(self._configured, "DROP DATABASE IF EXISTS", self._name)


def _sqlite(file: Path) -> str:
    return f"sqlite:///{quote(str(file))}"  # "%" and "?" mean something in URLs


def _own_name(configured: str, bind: str) -> str:
    """Return a name that no other database has; servers cut what is longer than 63 bytes."""
    ending = f"_test_{os.getpid()}_{bind[:20]}"
    return configured.encode()[: 63 - len(ending)].decode(errors="ignore") + ending


async def _as_admin(url: URL, statement: str, name: str) -> None:
    maintenance = "postgres" if url.get_backend_name() == "postgresql" else None
    server = URL.create(
        url.drivername, url.username, url.password, url.host, url.port, maintenance, url.query
    )
    engine = create_async_engine(server, isolation_level="AUTOCOMMIT")
    try:
        async with engine.connect() as connection:
            quoted = engine.dialect.identifier_preparer.quote(name)
            await connection.exec_driver_sql(f"{statement} {quoted}")
    finally:
        await engine.dispose()


def _truncate(connection: Connection) -> None:
    quote = connection.dialect.identifier_preparer.quote
    names = [each for each in inspect(connection).get_table_names() if each not in _HISTORIES]
    tables = [quote(name) for name in _used(connection, names)]
    if not tables:
        return
    if connection.dialect.name == "postgresql":
        connection.execute(text(f"TRUNCATE {', '.join(tables)} RESTART IDENTITY CASCADE"))
        return
    connection.execute(text("SET FOREIGN_KEY_CHECKS = 0"))
    for each in tables:
        connection.execute(text(f"TRUNCATE {each}"))
    connection.execute(text("SET FOREIGN_KEY_CHECKS = 1"))


def _used(connection: Connection, names: Collection[str]) -> list[str]:
    """Return the tables that have rows, or have given numbers to rows that were rolled back.

    Emptying takes a server some milliseconds for each table, and most tests touch few.
    """
    if not names:
        return []
    rows = [exists(select(literal(1)).select_from(table(name))) for name in names]
    found = connection.execute(select(*rows)).one()
    used = {name for name, has_rows in zip(names, found, strict=True) if has_rows}
    used |= set(connection.scalars(text(_NUMBERED[connection.dialect.name])))
    return [name for name in names if name in used]
