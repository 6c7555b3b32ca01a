"""Engines over the watched connections of `tornkit.databases.drivers`.

What belongs to every transaction is done where the dialect begins and commits. Events of an
engine would do, but SQLAlchemy joins their listeners anew for each connection that is taken.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import Engine, event
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from tornkit.errors import DatabaseError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from sqlalchemy import URL
    from sqlalchemy.pool import PoolProxiedConnection, PoolResetState

    Begin = Callable[[Any], Awaitable[object]]

__all__ = ["make_engine", "reader_beside"]


class _Engine(Engine):
    """An engine whose connections know whether they are taken for reading only."""

    reads = False

    def raw_connection(self) -> PoolProxiedConnection:
        """Take a connection from the pool."""
        connection = super().raw_connection()
        driver: Any = connection.driver_connection
        driver.reads = self.reads
        return connection


def make_engine(
    url: URL, connect: Callable[..., Awaitable[Any]], *, begin: Begin, reads: bool, **options: Any
) -> AsyncEngine:
    """Make an engine; nothing connects yet.

    Args:
        url: of the database.
        connect: makes a `tornkit.databases.deadlines.Watched` connection of what the dialect
            gives a driver.
        begin: begins a transaction on such a connection, where there is anything to be done.
        reads: whether its transactions cannot write.
        options: SQLAlchemy's; the pool is a `ShieldedPool`.
    """
    connect_args = {**options.pop("connect_args", {}), "async_creator_fn": connect}
    made = create_async_engine(
        url, connect_args=connect_args, pool_reset_on_return=None, **options
    ).sync_engine
    dialect: Any = made.dialect
    do_commit = dialect.do_commit

    def begin_it(connection: PoolProxiedConnection) -> None:
        adapted: Any = connection.dbapi_connection
        if adapted.driver_connection.must_begin:
            adapted.run_async(begin)

    def commit_it(connection: PoolProxiedConnection) -> None:
        _refuse_half(connection)
        do_commit(connection)

    dialect.do_begin, dialect.do_commit = begin_it, commit_it
    event.listen(made, "reset", _reset)
    return _engine(made, reads=reads)


def reader_beside(writer: AsyncEngine) -> AsyncEngine:
    """Return an engine over the pool of ``writer`` whose transactions cannot write."""
    return _engine(writer.sync_engine, reads=True)


def _engine(made: Engine, *, reads: bool) -> AsyncEngine:
    engine = _Engine(made.pool, made.dialect, made.url, hide_parameters=True)
    engine.reads = reads
    return AsyncEngine(engine)


def _refuse_half(connection: PoolProxiedConnection) -> None:
    """Refuse to commit a transaction that the server has given up.

    A commit would then report success and keep only the later half, or nothing.
    """
    driver: Any = connection.driver_connection
    if not driver.reads and driver.is_lost:
        # An error from here keeps SQLAlchemy from rolling back by itself.
        connection.rollback()
        raise DatabaseError(
            "a statement failed inside the block and its error was caught, but the"
            " server had given the whole transaction up: nothing was committed",
            hint="let the error leave the block, or wrap the risky statement in"
            " `async with session.begin_nested()`",
        )


def _reset(connection: Any, _record: object, state: PoolResetState) -> None:
    """Roll back what a connection comes back to its pool with, and ask for nothing else."""
    if state.asyncio_safe and not connection.driver_connection.is_clean:
        connection.rollback()
