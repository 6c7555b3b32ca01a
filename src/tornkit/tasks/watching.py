"""Who waits for jobs: all who wait in one process ask the queue together."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from tornkit.tasks.records import gone

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from tornkit.tasks.records import Record

__all__ = ["Watcher"]

_PAUSE: Final = 0.05  # seconds between two looks
_PAUSE_EACH: Final = 0.0005  # seconds more for each job that is watched


class Watcher:
    """Notice changes of jobs.

    Args:
        look: returns the records of some ids, None where there is none.
    """

    def __init__(
        self, look: Callable[[Sequence[str]], Awaitable[Sequence[Record | None]]]
    ) -> None:
        self._look = look
        self._waiting: dict[asyncio.Future[Record], Record] = {}
        self._task: asyncio.Task[None] | None = None
        self._news: asyncio.Event | None = None

    def poke(self) -> None:
        """Look soon, for something has changed."""
        if self._news is not None:
            self._news.set()

    async def change_of(self, seen: Record, patience: float | None) -> Record | None:
        """Return the record of a job when it is another than ``seen``, or None after a while.

        Raises:
            UnknownJob: it is gone.
            QueueUnavailable: the queue does not answer.
        """
        if patience is not None and patience <= 0:
            return None
        future: asyncio.Future[Record] = asyncio.get_running_loop().create_future()
        self._waiting[future] = seen
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._watch())
        try:
            return await asyncio.wait_for(future, patience)
        except TimeoutError:
            return None
        finally:
            self._waiting.pop(future, None)

    async def close(self) -> None:
        """Look no more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
            self._task = None
        for future in self._waiting:
            future.cancel()

    async def _watch(self) -> None:
        self._news = asyncio.Event()
        while self._waiting:
            with suppress(TimeoutError):
                pause = _PAUSE + _PAUSE_EACH * len(self._waiting)
                await asyncio.wait_for(self._news.wait(), pause)
            self._news.clear()
            ids = list({seen.id for seen in self._waiting.values()})
            try:
                found = dict(zip(ids, await self._look(ids), strict=True))
            except Exception as error:  # noqa: BLE001 - it belongs to those who wait
                for future in self._open():
                    future.set_exception(error)
                continue
            for future in self._open():
                seen = self._waiting[future]
                # One that came while the queue was asked looks next time.
                record = found.get(seen.id, seen)
                if record is None:
                    future.set_exception(gone(seen.id))
                elif record != seen:
                    future.set_result(record)

    def _open(self) -> list[asyncio.Future[Record]]:
        return [future for future in self._waiting if not future.done()]
