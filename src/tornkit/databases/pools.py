"""A pool that a cancelled task cannot make lose a connection.

A driver that is interrupted while it connects, or while the connection is set up, leaves a
socket or a file open that nobody knows of. So a connection is fetched by a task of its own:
it ends its work in any case, and what it fetched for nobody goes back to the pool. Only one
that is idle and was heard of a moment ago is taken at once, for then nothing is awaited.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any, Final, cast

from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.pool import AsyncAdaptedQueuePool
from sqlalchemy.util import await_only, greenlet_spawn
from sqlalchemy.util.queue import Empty

from tornkit.databases._strays import Strays

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from sqlalchemy.pool import PoolProxiedConnection

__all__ = ["IDLE", "ShieldedPool", "settle", "shielded"]

IDLE: Final = 1.0
"""Seconds after which a server is asked for a sign of life before its connection is used."""

_strays = Strays()


async def shielded(work: Awaitable[Any]) -> Any:
    """Await ``work`` so that a cancellation stops the waiting and not the work."""
    return await asyncio.shield(_strays.keep(work))


async def settle() -> None:
    """Wait a moment for the work that this loop's cancelled tasks left behind, then end it."""
    await _strays.settle()


class ShieldedPool(AsyncAdaptedQueuePool):
    """SQLAlchemy's pool for asyncio, safe against cancellation while it connects.

    The connection that came back last is taken first, so that the others may rest.

    Attributes:
        patience: seconds that a connection may take in all, waiting for it included.
        fresh: seconds that a connection may have been silent for and be used as it is; 0 has
            every one looked at first.
    """

    # Without this SQLAlchemy names the logger after our module, where INFO is shown.
    _sqla_logger_namespace = "sqlalchemy.pool.ShieldedPool"

    patience = 60.0
    fresh = 0.0

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **{**options, "use_lifo": True})
        self._fetching = 0

    def recreate(self) -> ShieldedPool:
        """Return an empty pool like this one."""
        pool = cast("ShieldedPool", super().recreate())
        pool.patience, pool.fresh = self.patience, self.fresh
        return pool

    def connect(self) -> PoolProxiedConnection:
        """Return a connection; one that arrives after its task was cancelled is given back."""
        # Nobody is overtaken who waits for one already.
        if not self._fetching and self._is_ready():
            return super().connect()
        fetched: PoolProxiedConnection = await_only(self._fetch())
        return fetched

    def _is_ready(self) -> bool:
        """Tell whether the next connection can be used without awaiting anything."""
        if not self.fresh:
            return False
        try:
            record: Any = self._pool.get_nowait()
        except Empty:
            return False
        self._pool.put_nowait(record)
        connection = record.dbapi_connection
        if connection is None or record._is_hard_or_soft_invalidated():
            return False
        if -1 < self._recycle < time.time() - record.starttime:
            return False
        heard_at: float = connection.driver_connection.watch.heard_at
        return asyncio.get_running_loop().time() - heard_at < self.fresh

    async def _fetch(self) -> PoolProxiedConnection:
        task = asyncio.ensure_future(self._connect())
        self._fetching += 1
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            _strays.keep(self._give_back(task))
            raise
        finally:
            self._fetching -= 1

    async def _connect(self) -> PoolProxiedConnection:
        fetched: PoolProxiedConnection
        try:
            # Each step has a limit; this is the one for all of them.
            async with asyncio.timeout(self._patience()):
                fetched = await greenlet_spawn(super().connect)
        except TimeoutError as error:
            raise PoolTimeout("no connection in time") from error
        return fetched

    def _patience(self) -> float:
        return self.patience

    async def _give_back(self, task: asyncio.Task[PoolProxiedConnection]) -> None:
        try:
            connection = await task
        except asyncio.CancelledError:
            task.cancel()
            raise
        except Exception:  # noqa: BLE001 - whoever would have cared is gone
            return
        await greenlet_spawn(self._let_go, connection)

    def _let_go(self, connection: PoolProxiedConnection) -> None:
        connection.close()
