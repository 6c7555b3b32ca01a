"""What PyMongo's pool leaves to be wished."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tornkit.databases._strays import Strays

__all__ = ["shielded_pool"]


def shielded_pool(base: Any, strays: Strays) -> Any:
    """Return a pool that a task cancelled while it connects cannot make lose a socket.

    PyMongo's own, until at least 4.20, leaves it to the garbage collector.

    Args:
        base: the driver's pool.
        strays: takes what goes on after its task was cancelled.
    """

    class Pool(base):  # type: ignore[misc]  # known only once the driver is imported
        async def connect(self, *given: Any, **more: Any) -> Any:
            connecting = strays.keep(super().connect(*given, **more))
            try:
                return await asyncio.shield(connecting)
            except asyncio.CancelledError:
                strays.keep(_close_late(connecting))
                raise

    return Pool


async def _close_late(connecting: asyncio.Future[Any]) -> None:
    try:
        connection = await connecting
    except Exception:  # noqa: BLE001 - whoever would have cared is gone
        return
    await connection.close_conn(None)
