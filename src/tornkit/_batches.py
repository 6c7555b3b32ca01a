"""Changes of one thing that come while it is being changed are carried out together.

Somebody who opens many tabs, or floods a site, changes one row. One by one, each of these
changes would hold a connection and wait for the row; so a process has one transaction for a
key at a time, and the next takes all that have come meanwhile.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Generic, TypeVar

from tornkit._uninterrupted import uninterrupted

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Sequence

__all__ = ["Batches"]

Change = TypeVar("Change")
Result = TypeVar("Result")


class Batches(Generic[Change, Result]):
    """Hand changes on in batches, each of one key.

    Args:
        work: carries the changes of a key out and returns the result of each, in order; an
            exception in place of a result is raised where that change came from.
    """

    def __init__(
        self, work: Callable[[str, Sequence[Change]], Awaitable[Sequence[Result | Exception]]]
    ) -> None:
        self._work = work
        self._waiting: dict[str, list[tuple[Change, asyncio.Future[Result]]]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def add(self, key: str, change: Change) -> Result:
        """Wait for the turn of a change; return its result."""
        if key not in self._waiting:
            self._waiting[key] = []
            task = asyncio.create_task(self._serve(key))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        future: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._waiting[key].append((change, future))
        return await uninterrupted(future)

    async def _serve(self, key: str) -> None:
        batch: list[tuple[Change, asyncio.Future[Result]]] = []
        try:
            while batch := self._waiting[key]:
                self._waiting[key] = []
                results = await self._work(key, [change for change, _ in batch])
                for (_, future), result in zip(batch, results, strict=True):
                    if isinstance(result, Exception):
                        future.set_exception(result)
                    else:
                        future.set_result(result)
        except Exception as error:  # noqa: BLE001 - it belongs to those who wait
            # Also to those who came meanwhile: they would only wait for the same.
            for future in _open_ones(batch, self._waiting[key]):
                future.set_exception(error)
        finally:
            for future in _open_ones(batch, self._waiting.pop(key)):
                future.cancel()


def _open_ones(
    *lists: Iterable[tuple[Change, asyncio.Future[Result]]],
) -> list[asyncio.Future[Result]]:
    return [future for each in lists for _, future in each if not future.done()]
