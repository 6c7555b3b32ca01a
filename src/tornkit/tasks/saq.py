"""SAQ, and what this room asks of its queues besides; nothing else here imports it.

`TaskQueue` is SAQ's `Queue` with four promises that a site needs and SAQ leaves open:

- **A key is enqueued once**, for as long as its job is kept.
- **Whoever runs a job holds a lease**, renewed by heartbeats. When it runs out, the job goes back
  to the queue, in one step that no death of a process can cut in two.
- **Only the holder can end a job.** Each claim is told apart by worker and moment; whoever has
  lost it is told so (`LostJob`) and changes nothing.
- **A schedule moves on in the same step as its job is enqueued**, once for each tick.
"""

from __future__ import annotations

import platform
import sys
import time
from abc import abstractmethod
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, ClassVar, Final

from tornkit import encoding

if TYPE_CHECKING:
    from collections.abc import (
        AsyncIterator,
        Callable,
        Collection,
        Iterable,
        Iterator,
        Mapping,
        Sequence,
    )

    from saq.queue.postgres import ListenMultiplexer as PostgresListener
    from saq.queue.postgres import PostgresQueue
    from saq.queue.redis import RedisQueue
    from saq.types import CountKind, QueueInfo, WorkerInfo


@contextmanager
def _starting_nothing() -> Iterator[None]:
    """Keep an import from starting a program.

    croniter asks for the size of Python's words as it is imported, and ``platform`` runs ``file``
    to know.
    """
    asked = platform.architecture
    platform.architecture = lambda *_, **__: ("64bit" if sys.maxsize > 2**32 else "32bit", "")
    try:
        yield
    finally:
        platform.architecture = asked


with _starting_nothing():
    from croniter import croniter  # type: ignore[import-untyped,unused-ignore]
    from saq import Job as SaqJob
    from saq import Queue, Status
    from saq import Worker as SaqWorker
    from saq.errors import MissingDependencyError

__all__ = [
    "MOST_LOSSES",
    "CountKind",
    "LostJob",
    "MissingDependencyError",
    "PostgresListener",
    "PostgresQueue",
    "QueueInfo",
    "RedisQueue",
    "SaqJob",
    "SaqWorker",
    "Status",
    "TaskQueue",
    "WorkerInfo",
    "croniter",
    "died",
    "dump",
    "load",
]

MOST_LOSSES: Final = 5
"""How many workers a job may outlive: one that kills each worker must not go round for ever."""


class LostJob(Exception):
    """The job is not this worker's any more: its lease ran out, or somebody deleted it."""


def died(times: int) -> str:
    """Return what is recorded of a job whose workers die."""
    return f"its worker died while it ran, {times} times"


def dump(job: Mapping[Any, Any]) -> bytes:
    """Return a job's fields as JSON; the status comes first, where scripts look for it."""
    return encoding.encode({"status": job.get("status", Status.NEW), **job})


def load(text: bytes | str) -> Any:
    """Return a job's fields."""
    return encoding.decode(text)


class TaskQueue(Queue):
    """SAQ's queue, as this room needs it; times are seconds, in records milliseconds."""

    has_priorities: ClassVar[bool] = True
    faults: ClassVar[tuple[type[Exception], ...]] = (OSError,)
    """What is raised when the queue does not answer."""

    place: str = ""
    """Where it is, without a password."""
    dequeue_timeout: ClassVar[float] = 0.0
    """Seconds after which a wait for jobs begins anew, for what a lost connection has not told."""
    identity: str = ""
    """Who claims jobs here."""
    lease: float = 15.0
    clock: Callable[[], float] = staticmethod(time.time)
    most_losses: int = MOST_LOSSES

    def stamp(self) -> int:
        """Return the time as records have it."""
        return int(self.clock() * 1000)

    # --- as in SAQ, with our clock and our promises ------------------------------------------

    async def enqueue(self, job_or_func: str | SaqJob, **kwargs: Any) -> SaqJob | None:
        """Enqueue a job, or return None where one of its key is kept."""
        if isinstance(job_or_func, str) or kwargs:
            raise TypeError("give a whole job")
        job = job_or_func
        job.queue, job.status, job.queued = self, Status.QUEUED, self.stamp()
        await self._before_enqueue(job)
        return await self._enqueue(job)

    async def finish(
        self,
        job: SaqJob,
        status: Status,
        *,
        result: Any = None,
        error: str | None = None,
        **kwargs: Any,
    ) -> None:
        """End a job that this process holds.

        Raises:
            LostJob: it does not.
        """
        job.status, job.result, job.error = status, result, error
        job.completed = self.stamp()
        if status == Status.COMPLETE:
            job.progress = 1.0
        await self._finish(job, status, result=result, error=error)
        ended = {Status.COMPLETE: "complete", Status.FAILED: "failed", Status.ABORTED: "aborted"}
        setattr(self, ended[status], getattr(self, ended[status]) + 1)

    async def retry(self, job: SaqJob, error: str | None) -> None:
        """Give a job that this process holds back to the queue, for after its delay.

        Raises:
            LostJob: it does not.
        """
        due = self.clock() + job.next_retry_delay()
        await self._requeue(job, due=due, attempts=job.attempts, error=error)
        self.retried += 1

    async def _retry(self, job: SaqJob, error: str | None) -> None:
        raise NotImplementedError("retry() does it all")

    async def hand_back(self, job: SaqJob) -> None:
        """Give a job back as if it had never been begun.

        Raises:
            LostJob: it is not this process's.
        """
        due = min(self.clock(), job.scheduled)  # so that it keeps its place
        await self._requeue(job, due=due, attempts=job.attempts - 1, error=job.error)

    # --- what SAQ has not --------------------------------------------------------------------

    @abstractmethod
    async def ping(self) -> None:
        """Ask for a sign of life."""

    @abstractmethod
    async def take(self) -> SaqJob | None:
        """Claim a job that is due now; None if there is none."""

    @abstractmethod
    async def _requeue(self, job: SaqJob, *, due: float, attempts: int, error: str | None) -> None:
        """Give a held job back, or end it where it is to be aborted.

        Raises:
            LostJob: it is not held.
        """

    @abstractmethod
    async def beat(self, jobs: Collection[SaqJob], *, renew: bool) -> dict[str, Status | None]:
        """Return the status of each held job by its key, None where it is held no more.

        Args:
            jobs: what this process runs.
            renew: whether their leases begin anew.
        """

    @abstractmethod
    async def tick_of(self, name: str) -> float | None:
        """Return the tick that a schedule was at last, or None."""

    @abstractmethod
    async def move_on(
        self, name: str, *, before: float | None, tick: float, job: SaqJob | None
    ) -> bool:
        """Set a schedule to a tick, and enqueue its job, if it is still at the one before.

        Args:
            name: of the schedule.
            before: the tick that it was at, None for a schedule that is not known yet.
            tick: what it is at from here.
            job: what to enqueue.
        """

    @abstractmethod
    async def find(
        self,
        *,
        statuses: Sequence[Status],
        name: str | None,
        owner: str | None,
        after: str | None,
        limit: int,
    ) -> list[SaqJob]:
        """Return jobs, the latest first, from the one after ``after``; all statuses if none."""

    @abstractmethod
    async def tally(self) -> dict[Status, int]:
        """Count jobs by status."""

    @abstractmethod
    async def revive(self, key: str, statuses: Iterable[Status]) -> bool:
        """Have a job that ended run once more, if it has one of these statuses."""

    # --- by these ----------------------------------------------------------------------------

    async def job(self, job_key: str) -> SaqJob | None:
        """Return a job, or None."""
        return (await self.jobs([job_key]))[0]

    async def iter_jobs(
        self,
        statuses: list[Status] | None = None,
        batch_size: int = 100,
    ) -> AsyncIterator[SaqJob]:
        """Yield all jobs, or all of these statuses, the latest first."""
        after = None
        while True:
            found = await self.find(
                statuses=statuses or (), name=None, owner=None, after=after, limit=batch_size
            )
            for job in found:
                after = job.key
                yield job
            if len(found) < batch_size:
                return

    async def follow_clock(self) -> None:
        """Have what was due when it was enqueued be due, wherever the clock is now."""

    async def abandon(self) -> None:
        """Give back what was claimed, or is just being claimed, for those who have left."""


# Each of them imports a driver that may not be installed.
_LAZY: Final = {
    "PostgresListener": ("saq.queue.postgres", "ListenMultiplexer"),
    "PostgresQueue": ("saq.queue.postgres", "PostgresQueue"),
    "RedisQueue": ("saq.queue.redis", "RedisQueue"),
}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module  # noqa: PLC0415 - only what is asked for

    module, attribute = _LAZY[name]
    return getattr(import_module(module), attribute)
