"""What PyMongo's pool leaves to be wished."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Coroutine

__all__ = ["settle", "shielded_pool"]

_GRACE: Final = 1.0  # seconds that closing waits for what cancelled tasks left behind


def shielded_pool(base: Any, strays: set[asyncio.Task[Any]]) -> Any:
    """Return a pool that a task cancelled while it connects cannot make lose a socket.

    PyMongo's own, until at least 4.20, leaves it to the garbage collector.

    Args:
        base: the driver's pool.
        strays: takes what goes on after its task was cancelled, for `settle`.
    """

    class Pool(base):  # type: ignore[misc]  # known only once the driver is imported
        async def connect(self, *given: Any, **more: Any) -> Any:
            task = kept(super().connect(*given, **more))
            try:
                return await asyncio.shield(task)
            except asyncio.CancelledError:
                kept(_close_late(task))
                raise

    def kept(work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        task = asyncio.ensure_future(work)
        strays.add(task)
        task.add_done_callback(strays.discard)
        return task

    return Pool


async def _close_late(connecting: asyncio.Task[Any]) -> None:
    try:
        connection = await connecting
    except Exception:  # noqa: BLE001 - whoever would have cared is gone
        return
    await connection.close_conn(None)


async def settle(strays: set[asyncio.Task[Any]]) -> None:
    """Wait a moment for what cancelled tasks left behind, then end it."""
    if strays:
        _, late = await asyncio.wait(strays, timeout=_GRACE)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)
