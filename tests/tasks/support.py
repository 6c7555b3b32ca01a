"""Tasks on a queue in memory, a clock that tests set, and waiting without sleeping blindly."""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from tornkit.tasks import Tasks

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from tornkit.tasks import Job, Task

__all__ = ["NOON", "Clock", "eventually", "open_tasks", "until"]

NOON = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
PATIENCE = 10.0  # seconds


class Clock:
    """The time, as a test sets it."""

    def __init__(self, moment: datetime = NOON) -> None:
        self.now = moment.timestamp()

    def __call__(self) -> float:
        return self.now

    def set(self, moment: datetime) -> None:
        self.now = moment.timestamp()

    def forward(self, seconds: float) -> None:
        self.now += seconds


@asynccontextmanager
async def open_tasks(*tasks: Task[..., Any], **options: Any) -> AsyncIterator[Tasks]:
    async with Tasks("memory://", tasks, **options) as opened:
        yield opened


async def until(job: Job[Any], state: str) -> None:
    """Wait until a job has a status."""

    async def has_it() -> bool:
        return await job.status() == state

    await eventually(has_it, what=f"{job} never was {state}")


async def eventually(
    ask: Callable[[], Awaitable[object]], *, what: str = "", patience: float | None = None
) -> None:
    """Wait until the answer is true."""
    deadline = time.monotonic() + (PATIENCE if patience is None else patience)
    while not await ask():
        assert time.monotonic() < deadline, what or "it never was so"
        await asyncio.sleep(0.005)
