"""Databases for tests: migrated once in a test run, fresh for each test.

SQLite files are copied from a migrated template. On a server, a database of the run's own
is created beside the configured one, emptied before each test and dropped at the end.
"""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING
from urllib.parse import quote

from sqlalchemy import URL, inspect, make_url, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import create_async_engine

from tornkit.errors import DatabaseError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from sqlalchemy import Connection

    from tornkit.databases import Databases, SQLDatabase

__all__ = ["TestDatabases"]

_HISTORIES = ("alembic_version", "tornkit_alembic_version")


class TestDatabases:
    """Give each test databases of its own.

    Args:
        folder: where SQLite templates are kept during the run.
    """

    __test__ = False  # pytest would take the name for a test class

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._urls: dict[str, str] = {}
        self._servers: dict[str, tuple[URL, str]] = {}  # bind: the configured URL, our database

    @property
    def urls(self) -> dict[str, str]:
        """The test URL of each bind; empty before `prepare`."""
        return dict(self._urls)

    async def prepare(self, databases: Databases, urls: Mapping[str, str]) -> None:
        """Create a database for each bind; whoever calls this migrates them.

        Args:
            databases: the configured ones, not opened.
            urls: their URLs, with passwords.

        Raises:
            DatabaseError: a server does not answer or does not let a database be created.
        """
        for bind, database in databases.items():
            if database.dialect == "sqlite":
                self._urls[bind] = _sqlite(self._folder / f"{bind}.db")
            else:
                self._urls[bind] = await self._create(database, urls[bind])

    def copies(self, folder: Path) -> dict[str, str]:
        """Return the URLs for one test, with SQLite files copied into the test's folder."""
        urls = dict(self._urls)
        for bind in urls:
            template = self._folder / f"{bind}.db"
            if bind not in self._servers:
                shutil.copyfile(template, folder / f"{bind}.db")
                urls[bind] = _sqlite(folder / f"{bind}.db")
        return urls

    async def empty(self, databases: Databases) -> None:
        """Empty the tables of server databases, which tests share."""
        for bind in self._servers:
            await _empty(databases[bind])

    async def drop(self) -> None:
        """Drop what `prepare` created on servers."""
        for url, name in self._servers.values():
            await _as_admin(url, f"DROP DATABASE IF EXISTS {name}")

    async def _create(self, database: SQLDatabase, url: str) -> str:
        configured = database.backend.url
        name = f"{configured.database or 'tornkit'}_test_{os.getpid()}"
        try:
            await _as_admin(configured, f"DROP DATABASE IF EXISTS {name}")
            await _as_admin(configured, f"CREATE DATABASE {name}")
        except (SQLAlchemyError, OSError) as error:
            raise DatabaseError(
                f"database {database.name!r}: a database for tests cannot be created on "
                f"{database.url}: {error.__cause__ or error}",
                hint="start the server, or name another one in settings.testing.toml",
            ) from error
        self._servers[database.name] = (configured, name)
        return make_url(url).set(database=name).render_as_string(hide_password=False)


def _sqlite(file: Path) -> str:
    return f"sqlite:///{quote(str(file))}"  # "%" and "?" mean something in URLs


async def _as_admin(url: URL, statement: str) -> None:
    maintenance = "postgres" if url.get_backend_name() == "postgresql" else None
    server = URL.create(
        url.drivername, url.username, url.password, url.host, url.port, maintenance, url.query
    )
    engine = create_async_engine(server, isolation_level="AUTOCOMMIT")
    try:
        async with engine.connect() as connection:
            await connection.execute(text(statement))
    finally:
        await engine.dispose()


async def _empty(database: SQLDatabase) -> None:
    async with database.engine.begin() as connection:
        await connection.run_sync(_truncate)


def _truncate(connection: Connection) -> None:
    quote = connection.dialect.identifier_preparer.quote
    names = inspect(connection).get_table_names()
    tables = [quote(name) for name in names if name not in _HISTORIES]
    if not tables:
        return
    if connection.dialect.name == "postgresql":
        connection.execute(text(f"TRUNCATE {', '.join(tables)} RESTART IDENTITY CASCADE"))
        return
    connection.execute(text("SET FOREIGN_KEY_CHECKS = 0"))
    for table in tables:
        connection.execute(text(f"TRUNCATE {table}"))
    connection.execute(text("SET FOREIGN_KEY_CHECKS = 1"))
