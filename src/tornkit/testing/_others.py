"""MongoDB and Redis for tests: a database of the run's own on the configured server."""

from __future__ import annotations

import os
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit, urlunsplit

from tornkit.databases import Databases
from tornkit.errors import DatabaseError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tornkit.databases import MongoDatabase, RedisDatabase

__all__ = ["MongoCopy", "RedisNumber"]

_CLAIM: Final = "tornkit-tests:{number}"  # kept beside what the number holds
_CLAIM_SECONDS: Final = 3600  # a run that was killed lets go then
_NUMBERS: Final = range(15, 0, -1)


class MongoCopy:
    """A database named after the configured one and the run.

    Args:
        name: the bind.
        url: its URL, with the password.
    """

    def __init__(self, name: str, url: str) -> None:
        self._name = name
        parts = urlsplit(url)
        self.url = urlunsplit(parts._replace(path=f"{parts.path}_test_{os.getpid()}"))

    async def create(self) -> None:
        """Ask the server whether it is there; databases make themselves.

        Raises:
            DatabaseError: it does not answer.
        """
        async with _opened(self._name, self.url) as databases:
            await databases.mongodb[self._name].ping()

    def copy(self, folder: Path) -> str:
        """Return its URL, the same for all tests."""
        return self.url

    async def empty(self, bind: MongoDatabase) -> None:
        """Drop all that it holds."""
        await bind.client.drop_database(bind.database.name)

    async def drop(self) -> None:
        """Drop it."""
        async with _opened(self._name, self.url) as databases:
            await self.empty(databases.mongodb[self._name])


class RedisNumber:
    """One of the numbered databases of a server that holds nothing: no key of yours is touched.

    Args:
        name: the bind.
        url: its URL, with the password.
    """

    def __init__(self, name: str, url: str) -> None:
        self._name, self._configured, self.url = name, url, ""
        self._number = 0

    async def create(self) -> None:
        """Claim an empty one, so that no other run takes it.

        Raises:
            DatabaseError: the server does not answer, or none is empty.
        """
        async with _opened(self._name, self._configured) as databases:
            bind = databases.redis[self._name]
            await bind.ping()
            for number in _NUMBERS:
                if await self._claim(bind.client, number):
                    return
        raise DatabaseError(
            f"database {self._name!r}: none of the numbers 1 to 15 of its Redis is empty",
            hint="name a Redis for tests in settings.testing.toml, or empty one",
        )

    async def _claim(self, client: Any, number: int) -> bool:
        claim = _CLAIM.format(number=number)
        if not await client.set(claim, os.getpid(), nx=True, ex=_CLAIM_SECONDS):
            return False
        url = _numbered(self._configured, number)
        async with _opened(self._name, url) as databases:
            is_empty = await databases.redis[self._name].client.dbsize() == 0
        if is_empty:
            self._number, self.url = number, url
        else:
            await client.delete(claim)
        return is_empty

    def copy(self, folder: Path) -> str:
        """Return its URL, the same for all tests."""
        return self.url

    async def empty(self, bind: RedisDatabase) -> None:
        """Flush it."""
        await bind.client.flushdb()

    async def drop(self) -> None:
        """Flush it and give it back."""
        if not self._number:
            return
        async with _opened(self._name, self.url) as databases:
            await self.empty(databases.redis[self._name])
        async with _opened(self._name, self._configured) as databases:
            await databases.redis[self._name].client.delete(_CLAIM.format(number=self._number))


def _numbered(url: str, number: int) -> str:
    """Return the URL of another number on the same server."""
    parts = urlsplit(url)
    kept = [each for each in parts.query.split("&") if each and not each.startswith("db=")]
    if parts.scheme == "unix":
        return urlunsplit(parts._replace(query="&".join([*kept, f"db={number}"])))
    return urlunsplit(parts._replace(path=f"/{number}", query="&".join(kept)))


@asynccontextmanager
async def _opened(name: str, url: str) -> AsyncIterator[Databases]:
    async with Databases({name: url}, library=()) as databases:
        yield databases
