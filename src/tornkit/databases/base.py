"""What a kind of SQL server must know; each lives in the file named after it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, cast

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Hashable

    from sqlalchemy import URL
    from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

    from tornkit.databases.pools import ShieldedPool

__all__ = ["POOL_TIMEOUT", "Backend", "Engines", "Fault", "SQLOptions"]

POOL_TIMEOUT = 30.0
"""Seconds that a block waits for a free connection before it gives up."""


@dataclass(frozen=True, slots=True)
class SQLOptions:
    """What the settings may choose for a SQL database; times in seconds."""

    pool_size: int = 10
    """Connections that a process holds at most for blocks; SQLite always has one writer."""
    pool_timeout: float = POOL_TIMEOUT
    """How long a block waits for a free connection."""
    connect_timeout: float = 5.0
    """How long a server may take to accept a connection."""
    timeout: float = 30.0
    """How long a statement or a commit may take."""
    slow_query: float | None = None
    """How long a statement takes that is logged; None logs none."""


@dataclass(frozen=True, slots=True)
class Engines:
    """The engine that writes, and the one whose transactions cannot write."""

    writer: AsyncEngine
    reader: AsyncEngine

    def engine(self, *, write: bool) -> AsyncEngine:
        """Return the one of the two that does."""
        return self.writer if write else self.reader

    async def dispose(self) -> None:
        """Close every connection that is not in use."""
        await self.writer.dispose()
        if self.reader.sync_engine.pool is not self.writer.sync_engine.pool:
            await self.reader.dispose()


@dataclass(frozen=True, slots=True)
class Fault:
    """What a driver's error means, and what to do about it."""

    what: str
    hint: str = ""


class Backend(ABC):
    """One kind of SQL server: its engines, its locks and its errors."""

    driver: ClassVar[str]
    """The name SQLAlchemy knows the driver by, as in ``sqlite+aiosqlite``."""
    package: ClassVar[str]
    """The import name of the driver."""
    extra: ClassVar[str | None] = None
    """The extra of tornkit that brings the driver."""
    batch: ClassVar[bool] = False
    """Whether migrations alter tables by copying them."""
    one_writer: ClassVar[bool] = False
    """Whether a second writing connection waits for the first."""
    in_memory: bool = False
    """Whether a second connection waits for the first, reading or writing."""

    def __init__(self, url: URL, options: SQLOptions | None = None) -> None:
        self.url = url
        self.options = options or SQLOptions()
        given = url.query.get("connect_timeout")
        self.connect_timeout = _seconds(given) or self.options.connect_timeout

    async def prepare(self) -> None:  # noqa: B027 - nothing is the right default
        """Make ready what the engines need, before they are made."""

    async def release(self) -> None:  # noqa: B027 - nothing is the right default
        """Give back what `prepare` took."""

    @abstractmethod
    def engines(self) -> Engines:
        """Make the two engines; nothing connects yet."""

    def prompt_engines(self) -> Engines | None:
        """Make the engines of `tornkit.databases.prompt`, or None where a wait is but a queue."""
        return None

    @abstractmethod
    def cut(self, connection: Any) -> None:
        """Break a driver's connection at once; whoever waits for its answer gets an error."""

    @abstractmethod
    def migration_engine(self) -> AsyncEngine:
        """Make an unpooled engine for changing the schema."""

    @asynccontextmanager
    async def migration_lock(self, connection: AsyncConnection) -> AsyncIterator[None]:
        """Hold off other processes' migrations, beyond single transactions."""
        yield

    async def lock_transaction(self, connection: AsyncConnection) -> None:  # noqa: B027
        """Hold off other processes' migrations until this transaction ends."""

    async def violations(self, connection: AsyncConnection) -> set[Hashable]:
        """Return the foreign keys that point nowhere, where the server does not see to it."""
        return set()

    @abstractmethod
    def explain(self, error: BaseException) -> Fault | None:
        """Say what a driver's error means, or None where it is the caller's own affair."""

    def keep_time(self, engine: AsyncEngine, *, fresh: float) -> None:
        """Tell an engine's pool how long its connections may take; see `ShieldedPool`."""
        pool = cast("ShieldedPool", engine.sync_engine.pool)
        options = self.options
        pool.patience = options.pool_timeout + self.connect_timeout + options.timeout
        pool.fresh = fresh


def _seconds(given: object) -> float | None:
    """Return what a URL says about a time, where it is one."""
    try:
        seconds = float(given)  # type: ignore[arg-type]  # whatever stands in the URL
    except (TypeError, ValueError):
        return None
    return seconds if 0 < seconds < float("inf") else None
