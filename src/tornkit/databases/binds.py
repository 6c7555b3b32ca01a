"""All databases of an application, by the names of their binds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from tornkit._text import did_you_mean, listing, printable
from tornkit.databases.sql import SQLDatabase
from tornkit.errors import UnknownDatabase

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from pathlib import Path
    from types import TracebackType
    from typing import Self

    from sqlalchemy import MetaData

__all__ = ["Databases"]


class Databases(Mapping[str, SQLDatabase]):
    """The databases that the settings name; nothing is opened before `open`.

    Args:
        urls: bind → URL, SQLite paths absolute.
        migrations: the project's folder of migrations; each bind has its own below it.
        metadata: bind → the tables of its models, as `metadata_of` finds them.
        library: the binds that hold the library's own tables.

    Raises:
        UnknownDatabase: models or ``library`` name a bind without a URL.
        DatabaseError: a URL is not one of a database.
    """

    def __init__(
        self,
        urls: Mapping[str, str],
        *,
        migrations: Path | None = None,
        metadata: Mapping[str, MetaData] | None = None,
        library: Collection[str] = ("default",),
    ) -> None:
        metadata = metadata or {}
        for bind in metadata:
            if bind not in urls:
                raise _unknown(bind, urls, "models are bound to")
        self._databases = {
            name: SQLDatabase(
                name,
                url,
                migrations=migrations / name if migrations else None,
                metadata=metadata.get(name),
                library=name in library,
            )
            for name, url in urls.items()
        }

    def __getitem__(self, name: str) -> SQLDatabase:
        try:
            return self._databases[name]
        except KeyError:
            raise _unknown(name, self._databases, "asked for") from None

    def __contains__(self, name: object) -> bool:
        return name in self._databases

    def __iter__(self) -> Iterator[str]:
        return iter(self._databases)

    def __len__(self) -> int:
        return len(self._databases)

    async def open(self) -> None:
        """Open every database in this process; on a failure none stays open."""
        try:
            for database in self._databases.values():
                await database.open()
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        """Close every database; what is closed can be opened again."""
        for database in self._databases.values():
            await database.close()

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()


def _unknown(name: str, known: Collection[str], how: str) -> UnknownDatabase:
    return UnknownDatabase(
        f"{how} database {printable(name)!r}, which no setting names (known: {listing(known)})",
        hint=did_you_mean(name, known) or f"add databases.{printable(name)} to the settings",
        check_id="databases.unknown",
    )
