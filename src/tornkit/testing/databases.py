"""Databases for tests: made once in a test run, fresh for each test.

SQLite files are copied from a migrated template. On a server, a database of the run's own
is made beside the configured one, emptied before each test and dropped at the end. HTTP
services stay those of the settings.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from tornkit.databases import MongoDatabase, RedisDatabase, SQLDatabase
from tornkit.testing._others import MongoCopy, RedisNumber
from tornkit.testing._sql import ServerDatabase, SQLiteFile

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path
    from typing import Any

    from tornkit.databases import Bind, Databases

__all__ = ["TestDatabases"]


class _Own(Protocol):
    """One database of the run's own."""

    @property
    def url(self) -> str: ...

    def copy(self, folder: Path) -> str: ...

    async def drop(self) -> None: ...


class TestDatabases:
    """Give each test databases of its own.

    Args:
        folder: where SQLite templates are kept during the run.
    """

    __test__ = False  # pytest would take the name for a test class

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._own: dict[str, _Own] = {}
        self._shared: dict[str, ServerDatabase | MongoCopy | RedisNumber] = {}
        self.is_ready = False
        self.failure: Exception | None = None  # why they cannot be made; it is no use to try again

    @property
    def urls(self) -> dict[str, str]:
        """The test URL of each bind; empty before `prepare`."""
        return {name: own.url for name, own in self._own.items()}

    async def prepare(self, databases: Databases, urls: Mapping[str, str]) -> None:
        """Make a database for each bind; whoever calls this migrates them.

        Args:
            databases: the configured ones, not opened.
            urls: their URLs, with passwords.

        Raises:
            DatabaseError: a server does not answer or does not let a database be made.
        """
        for name, bind in databases.items():
            if isinstance(bind, SQLDatabase) and bind.dialect == "sqlite":
                self._own[name] = SQLiteFile(name, self._folder)
            elif (shared := _shared(bind, urls[name])) is not None:
                await shared.create()
                self._own[name] = self._shared[name] = shared

    def copies(self, folder: Path) -> dict[str, str]:
        """Return the URLs for one test, with SQLite files copied into the test's folder."""
        return {name: own.copy(folder) for name, own in self._own.items()}

    async def empty(self, databases: Databases, urls: Mapping[str, str]) -> None:
        """Empty what tests share: the databases on servers.

        Args:
            databases: those of a test's application, open.
            urls: theirs, with passwords; one that is not the run's own is left alone.
        """
        for name, shared in self._shared.items():
            if urls.get(name) == shared.url:
                bind: Any = databases[name]
                await shared.empty(bind)

    async def drop(self) -> None:
        """Drop what `prepare` made on servers."""
        for own in self._own.values():
            await own.drop()


def _shared(bind: Bind, url: str) -> ServerDatabase | MongoCopy | RedisNumber | None:
    if isinstance(bind, SQLDatabase):
        return ServerDatabase(bind, url)
    if isinstance(bind, MongoDatabase):
        return MongoCopy(bind.name, url)
    return RedisNumber(bind.name, url) if isinstance(bind, RedisDatabase) else None
