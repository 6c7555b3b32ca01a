"""All databases of an application, by the names of their binds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from tornkit._text import did_you_mean, listing, printable
from tornkit.databases.bind import Bind
from tornkit.databases.http import HTTPService
from tornkit.databases.mongodb import MongoDatabase
from tornkit.databases.redis import RedisDatabase
from tornkit.databases.sql import SQLDatabase
from tornkit.databases.urls import scheme_of
from tornkit.errors import DatabaseError, UnknownDatabase

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from pathlib import Path
    from types import TracebackType
    from typing import Self

    from sqlalchemy import MetaData

__all__ = ["Binds", "Databases"]

Kind_co = TypeVar("Kind_co", bound=Bind, covariant=True)

_KINDS: dict[str, type[Bind]] = {
    **dict.fromkeys(("sqlite", "postgresql", "postgres", "mysql", "mariadb"), SQLDatabase),
    **dict.fromkeys(("mongodb", "mongodb+srv"), MongoDatabase),
    **dict.fromkeys(("redis", "rediss", "unix"), RedisDatabase),
    **dict.fromkeys(("https", "http"), HTTPService),
}


class Binds(Mapping[str, Kind_co]):
    """Databases of one kind, or of any, by the names of their binds.

    Args:
        known: all binds of the settings.
        kind: which of them are in here; another one is told apart from an unknown one.
    """

    def __init__(self, known: Mapping[str, Bind], kind: type[Kind_co]) -> None:
        self._known = known
        self._kind = kind

    def __getitem__(self, name: str) -> Kind_co:
        found = self._known.get(name)
        if isinstance(found, self._kind):
            return found
        if found is None:
            raise _unknown(name, self._known, "asked for")
        raise UnknownDatabase(
            f"database {name!r} is no {self._kind.kind} database but a {found.kind} one",
            hint=f"reach it with {found.reach}({name!r})",
            check_id="databases.unknown",
        )

    def __contains__(self, name: object) -> bool:
        return isinstance(self._known.get(name), self._kind)  # type: ignore[call-overload]

    def __iter__(self) -> Iterator[str]:
        return iter([name for name in self._known if name in self])

    def __len__(self) -> int:
        return sum(isinstance(bind, self._kind) for bind in self._known.values())


class Databases(Binds[Bind]):
    """The databases that the settings name; nothing is opened before `open`.

    Args:
        urls: bind → URL, SQLite paths absolute.
        options: bind → the options that its kind has, such as ``pool_size``; any kind has
            ``required``.
        slow_query: seconds after which a SQL statement is logged, where no option says.
        migrations: the project's folder of migrations; each bind has its own below it.
        metadata: bind → the tables of its models, as `metadata_of` finds them.
        library: the binds that hold the library's own tables.

    Attributes:
        sql, mongodb, redis, http: those of one kind, each a mapping as this one is.

    Raises:
        UnknownDatabase: models, options or ``library`` name a bind without a URL.
        DatabaseError: a URL is not one of a database, or has not these options.
    """

    def __init__(
        self,
        urls: Mapping[str, str],
        *,
        options: Mapping[str, Mapping[str, Any]] | None = None,
        slow_query: float | None = None,
        migrations: Path | None = None,
        metadata: Mapping[str, MetaData] | None = None,
        library: Collection[str] = ("default",),
    ) -> None:
        metadata, options = metadata or {}, options or {}
        for what, named in (("models are bound to", metadata), ("options are set for", options)):
            for bind in named:
                if bind not in urls:
                    raise _unknown(bind, urls, what)
        binds: dict[str, Bind] = {}
        super().__init__(binds, Bind)  # type: ignore[type-abstract]  # any of them
        self.sql = Binds(binds, SQLDatabase)
        self.mongodb = Binds(binds, MongoDatabase)
        self.redis = Binds(binds, RedisDatabase)
        self.http = Binds(binds, HTTPService)
        for name, url in urls.items():
            kind, given = _kind_of(name, url), dict(options.get(name, {}))
            required = given.pop("required", True)
            if issubclass(kind, SQLDatabase):
                binds[name] = kind(
                    name,
                    url,
                    {"slow_query": slow_query, **given},
                    migrations=migrations / name if migrations else None,
                    metadata=metadata.get(name),
                    library=name in library,
                )
            elif name in metadata:
                raise _not_for_models(name, kind)
            else:
                binds[name] = kind(name, url, given)
            binds[name].required = required

    async def open(self) -> None:
        """Open every database in this process, in order; on a failure none stays open."""
        try:
            for bind in self.values():
                await bind.open()
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        """Close every database, the last opened first; what is closed can be opened again."""
        failure: Exception | None = None
        for bind in reversed(list(self.values())):
            try:
                await bind.close()
            except Exception as error:  # noqa: BLE001 - the others are closed all the same
                failure = failure or error
        if failure is not None:
            raise failure

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

    def explain(self, error: BaseException) -> DatabaseError | None:
        """Return what a driver's error means, or None where it is the caller's own affair."""
        explained = (bind.explain(error) for bind in self.values())
        return next((found for found in explained if found is not None), None)


def _kind_of(name: str, url: str) -> type[Bind]:
    scheme = scheme_of(name, url)
    # SQLAlchemy's way to name a driver, as in postgresql+psycopg, is that URL's own affair.
    kind = _KINDS.get(scheme) or _KINDS.get(scheme.partition("+")[0])
    if kind is None:
        raise DatabaseError(
            f"database {name!r}: no database is known by the scheme {printable(scheme)!r}",
            hint=did_you_mean(scheme, _KINDS) or f"use one of {listing(_KINDS)}",
            check_id="databases.url",
        )
    return kind


def _not_for_models(name: str, kind: type[Bind]) -> DatabaseError:
    return DatabaseError(
        f"models are bound to database {name!r}, which is {kind.kind}",
        hint='they need a SQL database; name one, as in `bind = "archive"`',
        check_id="databases.unknown",
    )


def _unknown(name: str, known: Collection[str], how: str) -> UnknownDatabase:
    return UnknownDatabase(
        f"{how} database {printable(name)!r}, which no setting names (known: {listing(known)})",
        hint=did_you_mean(name, known) or f"add databases.{printable(name)} to the settings",
        check_id="databases.unknown",
    )
