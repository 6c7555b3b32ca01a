"""Polling tasks: what is due is enqueued, each tick once however many workers look.

Which tick a schedule was at last is kept in the queue, and moves on in the same step as the job
is enqueued. A schedule that is not known yet begins with its next tick.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from tornkit.errors import TaskError
from tornkit.tasks.options import LATE
from tornkit.tasks.records import ENDED, id_of
from tornkit.tasks.schedules import Cron, Every

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from zoneinfo import ZoneInfo

    from tornkit.tasks.saq import SaqJob, TaskQueue
    from tornkit.tasks.schedules import Schedule
    from tornkit.tasks.task import Task

__all__ = ["Ticker", "schedule_of"]

_log = logging.getLogger("tornkit.tasks")

AHEAD: Final = 90_000.0
"""Seconds that a tick may lie in the future, if at all: a day and an hour.

Clocks are set back by less; a tick beyond that was made by a clock that was wrong.
"""


def schedule_of(task: Task[..., object], zone: ZoneInfo) -> Schedule | None:
    """Return when a task is due by itself, or None.

    Raises:
        TaskError: its cron expression is none.
    """
    options = task.options
    if options.every is not None:
        return Every(options.every)
    if options.cron is None:
        return None
    try:
        return Cron(options.cron, zone)
    except TaskError as refused:
        raise TaskError(
            f"task {task.name} ({task.place}): {refused.message}",
            hint=refused.hint,
            file=task.file,
            line=task.line,
        ) from None


class Ticker:
    """Look for ticks of some polling tasks.

    Args:
        tasks: with their schedules.
        queue: where their jobs go.
        make: returns the job of a task for a tick, given its id.
    """

    def __init__(
        self,
        tasks: Iterable[tuple[Task[..., object], Schedule]],
        queue: TaskQueue,
        make: Callable[[Task[..., object], str, float], SaqJob],
    ) -> None:
        self._tasks = list(tasks)
        self._queue = queue
        self._make = make
        self._next: dict[str, float] = {}
        self._now = float("-inf")

    async def fire(self) -> None:
        """Enqueue what is due."""
        now = self._queue.clock()
        if now < self._now:
            self._next.clear()  # the clock was set back
        self._now = now
        for task, schedule in self._tasks:
            if now >= self._next.get(task.name, float("-inf")) and await self._look(
                task, schedule, now
            ):
                self._next[task.name] = schedule.next(now)

    async def _look(self, task: Task[..., object], schedule: Schedule, now: float) -> bool:
        """Enqueue a task that is due; False if it has to be looked at again soon."""
        name, latest = task.name, schedule.last(now)
        before = await self._queue.tick_of(name)
        if before is None or self._was_ahead(task, before - now, schedule.next(now) - now):
            if before is not None:
                if await self._runs(name, before):
                    return False
                _log.warning("task %s goes back from a tick that is to come: the clock was", name)
            return await self._queue.move_on(name, before=before, tick=latest, job=None)
        if latest <= before:
            return True
        if await self._runs(name, before):
            return False
        if task.options.missed == "skip" and now - latest > LATE:
            _log.info("task %s: a tick is %.0f s late and is skipped", name, now - latest)
            return await self._queue.move_on(name, before=before, tick=latest, job=None)
        job = self._make(task, tick_id(name, latest), latest)
        return await self._queue.move_on(name, before=before, tick=latest, job=job)

    def _was_ahead(self, task: Task[..., object], tick: float, after: float) -> bool:
        """Tell whether a tick in so many seconds was made by a clock that was ahead.

        Args:
            task: whose tick it is.
            tick: seconds until then.
            after: seconds until the next one from now, which no clock is before that is right.
        """
        # What has run is known by the ids of jobs, for as long as these are kept, and does not
        # run again. A clock that leapt ahead and back has left out all others.
        return tick > AHEAD or after < tick < task.options.ttl

    async def _runs(self, name: str, tick: float) -> bool:
        """Tell whether the job of a tick has not ended yet."""
        job = await self._queue.job(tick_id(name, tick))
        return job is not None and job.status.value not in ENDED


def tick_id(name: str, tick: float) -> str:
    """Return the id of the job for a tick."""
    return id_of(name, "tick", repr(tick))
