"""Short transactions that must not wait long: what sessions are kept with.

A server that accepts connections and never answers would otherwise hold its caller until the
driver's own timeout, if it has one. Here everything together has a deadline: the connection,
the statements, the commit. At the deadline the connection is cut, not cancelled: drivers
answer a cancellation by asking the server, and it is the server that does not answer. What was
cut is thrown away. The connections are a small pool of their own, so that a slow report that
holds all the others signs nobody out.
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
from tornkit.databases.base import POOL_TIMEOUT
from tornkit.databases.deadlines import Deadline
from tornkit.databases.pools import ShieldedPool

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
    from sqlalchemy.pool import PoolProxiedConnection

    from tornkit.databases.base import Engines

__all__ = ["CONNECTIONS", "POOL", "TIMEOUT", "Prompt", "TooLate"]

TIMEOUT: Final = 1.25
"""Seconds that a silent server is given."""

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

    def _patience(self) -> float:
        return _deadline.get() - asyncio.get_running_loop().time()

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


class Prompt:
    """Transactions that are over in time, or cut.

    Args:
        engines: made with `POOL`.
        cut: breaks a driver's connection at once, so that whoever waits for it gets an error.
    """

    def __init__(self, engines: Engines, cut: Callable[[Any], None]) -> None:
        self.engines = engines
        self._cut = cut
        self._turns = asyncio.Semaphore(CONNECTIONS)
        self._heard_at = 0.0  # the server's last sign of life
        event.listen(engines.writer.sync_engine, "checkout", self._check)

    @asynccontextmanager
    async def begin(self, *, write: bool) -> AsyncIterator[AsyncConnection]:
        """Open a transaction that commits on leaving.

        It may take `TIMEOUT` seconds. While it waits for its turn, every sign of life that the
        server gives to others counts anew: a busy server is not a dead one.

        Raises:
            TooLate: it was not over in time.
        """
        deadline = await self._turn()
        try:
            async with self._transaction(self.engines.engine(write=write), deadline) as opened:
                yield opened
            self._heard_at = _now()
        finally:
            self._turns.release()

    async def _turn(self) -> float:
        """Wait for a turn; return when the transaction must be over."""
        asked_at = _now()
        while True:
            latest = min(max(asked_at, self._heard_at), asked_at + POOL_TIMEOUT) + TIMEOUT
            if latest <= _now():
                raise TooLate
            try:
                async with asyncio.timeout_at(latest):
                    await self._turns.acquire()
            except TimeoutError:
                continue
            return max(asked_at, self._heard_at) + TIMEOUT

    @asynccontextmanager
    async def _transaction(
        self, engine: AsyncEngine, deadline: float
    ) -> AsyncIterator[AsyncConnection]:
        token = _deadline.set(deadline)
        try:
            async with asyncio.timeout_at(deadline):
                connection = await engine.connect()
        except (TimeoutError, PoolTimeout) as error:
            raise TooLate from error
        finally:
            _deadline.reset(token)
        fetched: Any = await connection.get_raw_connection()
        with Deadline(fetched.driver_connection, deadline, self._cut) as watch:
            try:
                async with _ended(connection):
                    yield connection
            except Exception as error:
                if watch.late:
                    raise TooLate from error
                raise

    def _check(self, connection: Any, _record: Any, _proxy: Any) -> None:
        """Ask a connection for a sign of life before it is used; replace one that gives none."""
        dialect: Any = self.engines.writer.dialect
        latest = min(_now() + _PING_TIMEOUT, _deadline.get() - _MARGIN)
        with Deadline(connection.driver_connection, latest, self._cut) as watch:
            try:
                dialect.do_ping(connection)
            except dialect.loaded_dbapi.Error as error:
                raise DisconnectionError("it gave no sign of life") from error
        if watch.late:  # its answer and the cut came at the same time
            raise DisconnectionError("its sign of life came too late")
        self._heard_at = _now()


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


def _now() -> float:
    return asyncio.get_running_loop().time()
