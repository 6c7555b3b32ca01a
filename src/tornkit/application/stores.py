"""Where sessions and limits are kept: from the URL of a setting to a store."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from tornkit._redis import SCHEMES
from tornkit.errors import DatabaseError, SessionError, StoreUnavailable
from tornkit.security.limits import LimitStore, MemoryLimitStore
from tornkit.security.limits.redis import RedisLimitStore
from tornkit.security.limits.sql import SQLLimitStore
from tornkit.sessions import MemoryStore, SessionStore
from tornkit.sessions.redis import RedisStore
from tornkit.sessions.sql import SQLStore

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping

    from sqlalchemy.ext.asyncio import AsyncConnection

    from tornkit.databases import SQLDatabase

__all__ = ["LIMITS", "SESSIONS", "Kinds", "StoreRefused", "bind_of", "store_at"]

Store = TypeVar("Store")


@dataclass(frozen=True, slots=True)
class Kinds(Generic[Store]):
    """The stores for one purpose, each by how it is made."""

    purpose: str
    """What messages call the store."""
    inside: str
    """What is said of a block that a change would have to wait for."""
    memory: Callable[[], Store]
    sql: Callable[..., Store]
    redis: Callable[[str], Store]


SESSIONS: Kinds[SessionStore] = Kinds(
    purpose="session store",
    inside="the session cannot be saved inside a self.db() block that writes",
    memory=MemoryStore,
    sql=SQLStore,
    redis=RedisStore,
)

LIMITS: Kinds[LimitStore] = Kinds(
    purpose="limit store",
    inside="limits cannot be counted inside a self.db() block that writes",
    memory=MemoryLimitStore,
    sql=SQLLimitStore,
    redis=RedisLimitStore,
)


class StoreRefused(ValueError):
    """A URL that names no store; ``shown`` is what of it may be told."""

    def __init__(self, shown: str, expected: str, hint: str) -> None:
        super().__init__(expected)
        self.shown, self.expected, self.hint = shown, expected, hint


def bind_of(url: str) -> str | None:
    """Return the bind that a store's URL names, as ``database://default`` does, or None."""
    scheme, _, bind = url.partition("://")
    return bind if scheme == "database" else None


def store_at(url: str, kinds: Kinds[Store], databases: Mapping[str, SQLDatabase]) -> Store:
    """Return the store of a URL; nothing is opened yet.

    Raises:
        StoreRefused: the URL names none.
    """
    if url == "memory://":
        return kinds.memory()
    bind = bind_of(url)
    if bind is not None and bind in databases:
        database = databases[bind]
        connect = _connect_apart(database, kinds)
        return kinds.sql(connect, one_writer=database.backend.one_writer)
    scheme, _, rest = url.partition("://")
    known = ", ".join(f"database://{name}" for name in databases)
    expected, hint = f"expected memory://, {known} or redis://host:6379/0", ""
    if scheme in SCHEMES:
        try:
            return kinds.redis(url)
        except SessionError as refused:
            expected, hint = refused.message, refused.hint
    # Any other URL may hold a password.
    shown = url if scheme in ("memory", "database") or not rest else f"{scheme}://…"
    raise StoreRefused(shown, expected, hint)


def _connect_apart(database: SQLDatabase, kinds: Kinds[Any]) -> Any:
    """Return ``database.connect`` for what is changed apart from a handler's block."""

    @asynccontextmanager
    async def connect(*, write: bool) -> AsyncIterator[AsyncConnection]:
        if write and database.writing and database.backend.one_writer:
            # This would wait for the block, and the block for this, until a timeout.
            raise SessionError(kinds.inside, hint="count and revoke before or after the block")
        try:
            async with database.connect(write=write, prompt=True) as connection:
                yield connection
        except DatabaseError as failure:
            raise StoreUnavailable(f"the {kinds.purpose} does not answer: {failure}") from failure

    return connect
