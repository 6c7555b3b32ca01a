"""What a kind of SQL server must know; each lives in the file named after it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from sqlalchemy import event

from tornkit.errors import DatabaseError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Hashable

    from sqlalchemy import URL, Connection
    from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

__all__ = ["POOL_TIMEOUT", "READS", "Backend", "Engines", "Fault"]

POOL_TIMEOUT = 30.0
"""Seconds that a block waits for a free connection before it gives up."""

READS = {"tornkit_reads": True}
"""The execution option of an engine that shares its pool and cannot write."""


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

    def __init__(self, url: URL) -> None:
        self.url = url

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

    def cut(self, connection: Any) -> None:  # noqa: B027 - where nothing is prompt
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

    @abstractmethod
    def is_lost(self, connection: Connection) -> bool:
        """Tell whether the server has given the open transaction up already."""

    def guard_commits(self, engine: AsyncEngine) -> None:
        """Refuse to commit a transaction that the server has given up.

        A commit would then report success and keep only the later half, or nothing.
        """

        def refuse(connection: Connection) -> None:
            reads = connection.get_execution_options().get("tornkit_reads", False)
            if not reads and self.is_lost(connection):
                # An error from here keeps SQLAlchemy from rolling back by itself.
                connection.connection.rollback()
                raise DatabaseError(
                    "a statement failed inside the block and its error was caught, but the"
                    " server had given the whole transaction up: nothing was committed",
                    hint="let the error leave the block, or wrap the risky statement in"
                    " `async with session.begin_nested()`",
                )

        event.listen(engine.sync_engine, "commit", refuse)
