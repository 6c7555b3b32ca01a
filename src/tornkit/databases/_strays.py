"""Work that goes on after the task that wanted it was cancelled."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Awaitable

__all__ = ["Strays"]

_GRACE: Final = 1.0  # seconds that closing waits


class Strays:
    """Keep hold of such work, so that closing can wait for it."""

    def __init__(self) -> None:
        self._kept: set[asyncio.Future[Any]] = set()

    def keep(self, work: Awaitable[Any]) -> asyncio.Future[Any]:
        """Let ``work`` run in any case; return its future."""
        future = asyncio.ensure_future(work)
        self._kept.add(future)
        future.add_done_callback(self._kept.discard)
        return future

    async def settle(self) -> None:
        """Wait a moment for what runs in this loop, then end it."""
        loop = asyncio.get_running_loop()
        mine = [future for future in self._kept if future.get_loop() is loop]
        if mine:
            _, late = await asyncio.wait(mine, timeout=_GRACE)
            for future in late:
                future.cancel()
            await asyncio.gather(*late, return_exceptions=True)
