"""What a running job says of its progress: stored, but not more often than is of use."""

from __future__ import annotations

import asyncio
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from tornkit.tasks.context import Done
from tornkit.tasks.failures import storable
from tornkit.tasks.saq import LostJob

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from tornkit.tasks.saq import SaqJob, TaskQueue

__all__ = ["Reporter"]

PAUSE: Final = 0.1
"""Seconds between two times that a job's progress is stored."""
MAX_MESSAGE: Final = 500  # characters


class Reporter:
    """Take note of what one job says; made in the loop, told from anywhere."""

    def __init__(self, job: SaqJob, queue: TaskQueue) -> None:
        self._job = job
        self._queue = queue
        self._loop = asyncio.get_running_loop()
        self._home = threading.get_ident()
        self._storing: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._closed = False
        self._stored_at = 0.0
        self.heard_at = time.monotonic()
        """When it last said something, by ``time.monotonic``."""

    def tell(self, progress: float | None, message: str | None) -> Awaitable[None]:
        """Take note; the awaitable is done when it is stored, or will be in a moment."""
        self.heard_at = time.monotonic()
        if threading.get_ident() == self._home:
            return self._note(progress, message)
        with suppress(RuntimeError):  # the loop is closed
            self._loop.call_soon_threadsafe(self._note, progress, message)
        return Done()

    def _note(self, progress: float | None, message: str | None) -> Awaitable[None]:
        if self._closed:
            return Done()
        if progress is not None:
            self._job.progress = float(progress)
        if message is not None:
            self._job.meta["message"] = storable(str(message)[:MAX_MESSAGE])
        if self._timer is not None:
            return Done()
        wait = self._stored_at + PAUSE - self._loop.time()
        if self._storing is None and wait <= 0:
            return asyncio.shield(self._begin())
        self._timer = self._loop.call_later(max(wait, 0.01), self._again)
        return Done()

    def _again(self) -> None:
        self._timer = None
        self._note(None, None)

    def _begin(self) -> asyncio.Task[None]:
        self._stored_at = self._loop.time()
        self._storing = task = asyncio.create_task(self._store())
        return task

    async def _store(self) -> None:
        try:
            # A progress that cannot be stored is no reason to end a task.
            with suppress(LostJob, *self._queue.faults):
                await self._job.update(progress=self._job.progress)
        finally:
            self._storing = None

    async def close(self) -> None:
        """Store no more: the end of the job brings the last of it."""
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
        if self._storing is not None:
            await asyncio.wait([self._storing])
