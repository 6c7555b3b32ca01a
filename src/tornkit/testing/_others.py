"""MongoDB and Redis for tests: a database of the run's own on the configured server."""

from __future__ import annotations

import os
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit, urlunsplit

from tornkit.databases import Databases
from tornkit.errors import DatabaseError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tornkit.databases import MongoDatabase, RedisDatabase

__all__ = ["MongoCopy", "RedisNumber"]

_CLAIM: Final = "tornkit-tests"  # the only key of a number that is claimed
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
        ending = f"_test_{os.getpid()}_{name[:20]}"
        # MongoDB takes names of fewer than 64 bytes.
        self.url = urlunsplit(parts._replace(path=parts.path[: 64 - len(ending)] + ending))

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

    async def create(self) -> None:
        """Claim an empty one, so that no other run takes it.

        Raises:
            DatabaseError: the server does not answer, or none is empty.
        """
        async with _opened(self._name, self._configured) as databases:
            await databases.redis[self._name].ping()
        for number in _NUMBERS:
            if await self._claim(_numbered(self._configured, number)):
                return
        raise DatabaseError(
            f"database {self._name!r}: none of the numbers 1 to 15 of its Redis is empty",
            hint="name a Redis for tests in settings.testing.toml, or empty one",
        )

    async def _claim(self, url: str) -> bool:
        async with _opened(self._name, url) as databases:
            client = databases.redis[self._name].client
            try:
                claimed = await client.set(_CLAIM, os.getpid(), nx=True, ex=_CLAIM_SECONDS)
            except Exception as error:
                # By its name, for redis-py need not be installed: the server has fewer numbers.
                if type(error).__name__ == "ResponseError":
                    return False
                raise
            if claimed and await client.dbsize() == 1:
                self.url = url
            elif claimed:
                await client.delete(_CLAIM)
        return bool(self.url)

    def copy(self, folder: Path) -> str:
        """Return its URL, the same for all tests."""
        return self.url

    async def empty(self, bind: RedisDatabase) -> None:
        """Flush it; the claim stays."""
        async with bind.client.pipeline() as together:
            together.flushdb()
            together.set(_CLAIM, os.getpid(), ex=_CLAIM_SECONDS)
            await together.execute()

    async def drop(self) -> None:
        """Flush it and give it back."""
        if self.url:
            async with _opened(self._name, self.url) as databases:
                await databases.redis[self._name].client.flushdb()


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
