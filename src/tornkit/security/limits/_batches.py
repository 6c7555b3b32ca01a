"""Hits of one key that come while another is being counted are counted together.

Somebody who floods a site hits one key. One by one, each of these hits would hold a
connection and wait for the row; so a process has one transaction for a key at a time, and
the next takes all that have come meanwhile.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from tornkit._uninterrupted import uninterrupted

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Sequence

    from tornkit.security.limits.base import Measure

    Count = Callable[[str, Sequence[Measure]], Awaitable[Sequence[float]]]
    Waiting = tuple[Measure, asyncio.Future[float]]

__all__ = ["Batches"]


class Batches:
    """Hand hits on in batches, each of one key.

    Args:
        count: counts the hits of a key and returns the wait of each, in order.
    """

    def __init__(self, count: Count) -> None:
        self._count = count
        self._waiting: dict[str, list[Waiting]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def hit(self, key: str, measure: Measure) -> float:
        """Wait for the turn of a hit; return its wait."""
        if key not in self._waiting:
            self._waiting[key] = []
            task = asyncio.create_task(self._serve(key))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        future: asyncio.Future[float] = asyncio.get_running_loop().create_future()
        self._waiting[key].append((measure, future))
        return await uninterrupted(future)

    async def _serve(self, key: str) -> None:
        batch: list[Waiting] = []
        try:
            while batch := self._waiting[key]:
                self._waiting[key] = []
                waits = await self._count(key, [measure for measure, _ in batch])
                for (_, future), wait in zip(batch, waits, strict=True):
                    future.set_result(wait)
        except Exception as error:  # noqa: BLE001 - it belongs to those who wait
            # Also to those who came meanwhile: they would only wait for the same.
            for future in _open_ones(batch, self._waiting[key]):
                future.set_exception(error)
        finally:
            for future in _open_ones(batch, self._waiting.pop(key)):
                future.cancel()


def _open_ones(*lists: Iterable[Waiting]) -> list[asyncio.Future[float]]:
    return [future for each in lists for _, future in each if not future.done()]
