"""A pool that a cancelled task cannot make lose a connection.

A driver that is interrupted while it connects, or while the connection is set up, leaves a
socket or a file open that nobody knows of. So a connection is fetched by a task of its own:
it ends its work in any case, and what it fetched for nobody goes back to the pool.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.pool import AsyncAdaptedQueuePool
from sqlalchemy.util import await_only, greenlet_spawn

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from sqlalchemy.pool import PoolProxiedConnection

__all__ = ["ShieldedPool", "settle", "shielded"]

FETCH_TIMEOUT = 40.0
"""Seconds that a connection may take in all, waiting in the queue included."""

_GRACE = 1.0  # seconds that closing waits
_strays: set[asyncio.Future[Any]] = set()


async def shielded(work: Awaitable[Any]) -> Any:
    """Await ``work`` so that a cancellation stops the waiting and not the work."""
    task = asyncio.ensure_future(work)
    _strays.add(task)
    task.add_done_callback(_strays.discard)
    return await asyncio.shield(task)


async def settle() -> None:
    """Wait a moment for the work that this loop's cancelled tasks left behind, then end it."""
    loop = asyncio.get_running_loop()
    mine = [task for task in _strays if task.get_loop() is loop]
    if mine:
        _, late = await asyncio.wait(mine, timeout=_GRACE)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)


class ShieldedPool(AsyncAdaptedQueuePool):
    """SQLAlchemy's pool for asyncio, safe against cancellation while it connects."""

    # Without this SQLAlchemy names the logger after our module, where INFO is shown.
    _sqla_logger_namespace = "sqlalchemy.pool.ShieldedPool"

    def connect(self) -> PoolProxiedConnection:
        """Return a connection; one that arrives after its task was cancelled is given back."""
        fetched: PoolProxiedConnection = await_only(self._fetch())
        return fetched

    async def _fetch(self) -> PoolProxiedConnection:
        task = asyncio.ensure_future(self._connect())
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            stray = asyncio.ensure_future(self._give_back(task))
            _strays.add(stray)
            stray.add_done_callback(_strays.discard)
            raise

    async def _connect(self) -> PoolProxiedConnection:
        fetched: PoolProxiedConnection
        try:
            # Not every driver limits how long a silent server may keep it.
            async with asyncio.timeout(self._patience()):
                fetched = await greenlet_spawn(super().connect)
        except TimeoutError as error:
            raise PoolTimeout("no connection in time") from error
        return fetched

    def _patience(self) -> float:
        return FETCH_TIMEOUT

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
