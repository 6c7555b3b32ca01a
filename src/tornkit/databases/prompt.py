"""Short transactions that must not wait long: what sessions are kept with.

A server that accepts connections and never answers would otherwise hold its caller until the
driver's own timeout, if it has one. Here everything together has a deadline: the wait for a
connection, the statements, the commit. At the deadline the connection is cut, not cancelled:
drivers answer a cancellation by asking the server, and it is the server that does not answer.
What was cut is thrown away. The connections are a small pool of their own, so that a slow
report that holds all the others signs nobody out.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import event
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from tornkit._uninterrupted import uninterrupted
from tornkit.databases.pools import ShieldedPool

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from typing import Self

    from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
    from sqlalchemy.pool import PoolProxiedConnection

__all__ = ["CONNECTIONS", "POOL", "TIMEOUT", "TooLate", "begin", "check_on_checkout"]

TIMEOUT: Final = 1.25
"""Seconds that a transaction may take in all."""

CONNECTIONS: Final = 4
"""Connections that a process has for them; more would only queue up at one session's row."""

_PING_TIMEOUT: Final = 0.5  # seconds; the rest is for a connection that takes its place
_MARGIN: Final = 0.05  # seconds before the deadline; a ping is cut, never cancelled

_deadline: ContextVar[float] = ContextVar("tornkit_deadline")


class TooLate(Exception):
    """The transaction was not over in time."""


class PromptPool(ShieldedPool):
    """A pool whose connections are there in time, or not at all."""

    _sqla_logger_namespace = "sqlalchemy.pool.PromptPool"
    fetch_timeout = TIMEOUT

    async def _connect(self) -> PoolProxiedConnection:
        _deadline.set(asyncio.get_running_loop().time() + self.fetch_timeout)
        return await super()._connect()

    def _let_go(self, connection: PoolProxiedConnection) -> None:
        # Closing would ask the server to roll back, and wait for the answer.
        connection.invalidate()


POOL: Final[dict[str, Any]] = {
    "poolclass": PromptPool,
    "pool_size": CONNECTIONS,
    "max_overflow": 0,
    "pool_timeout": TIMEOUT,
}
"""What an engine of such connections is made with."""


class _Watch:
    """Cut a driver's connection at a time of the loop, unless the block is left before."""

    def __init__(self, connection: Any, latest: float, cut: Callable[[Any], None]) -> None:
        self.late = False
        self._connection, self._cut = connection, cut
        self._timer = asyncio.get_running_loop().call_at(latest, self._give_up)

    def _give_up(self) -> None:
        self.late = True
        self._cut(self._connection)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()


def check_on_checkout(engine: AsyncEngine, cut: Callable[[Any], None]) -> None:
    """Ask each connection for a sign of life before it is used; replace one that gives none."""
    dialect: Any = engine.dialect

    def check(connection: Any, _record: Any, _proxy: Any) -> None:
        now = asyncio.get_running_loop().time()
        latest = min(now + _PING_TIMEOUT, _deadline.get() - _MARGIN)
        with _Watch(connection.driver_connection, latest, cut) as watch:
            try:
                dialect.do_ping(connection)
            except dialect.loaded_dbapi.Error as error:
                raise DisconnectionError("it gave no sign of life") from error
        if watch.late:  # its answer and the cut came at the same time
            raise DisconnectionError("its sign of life came too late")

    event.listen(engine.sync_engine, "checkout", check)


@asynccontextmanager
async def begin(engine: AsyncEngine, cut: Callable[[Any], None]) -> AsyncIterator[AsyncConnection]:
    """Open a transaction that commits on leaving and is cut when its time is over.

    Args:
        engine: one with a `PromptPool`.
        cut: breaks a driver's connection at once, so that whoever waits for it gets an error.

    Raises:
        TooLate: it was not over after `TIMEOUT` seconds.
    """
    deadline = asyncio.get_running_loop().time() + TIMEOUT
    try:
        async with asyncio.timeout_at(deadline):
            connection = await engine.connect()
    except (TimeoutError, PoolTimeout) as error:
        raise TooLate from error
    fetched: Any = await connection.get_raw_connection()
    with _Watch(fetched.driver_connection, deadline, cut) as watch:
        try:
            async with _ended(connection):
                yield connection
        except Exception as error:
            if watch.late:
                raise TooLate from error
            raise


@asynccontextmanager
async def _ended(connection: AsyncConnection) -> AsyncIterator[None]:
    try:
        try:
            yield
        except BaseException:
            await uninterrupted(connection.rollback())
            raise
        await uninterrupted(connection.commit())
    finally:
        await uninterrupted(connection.close())
