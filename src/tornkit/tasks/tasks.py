"""`Tasks`: the tasks of an application, and the queue their jobs go through."""

from __future__ import annotations

import asyncio
import os
import secrets
import socket
import time
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, ParamSpec, TypeAlias, TypeVar

from tornkit._text import printable
from tornkit._uninterrupted import uninterrupted
from tornkit.errors import QueueUnavailable, TaskError, TaskFailed, TornkitError
from tornkit.tasks import current
from tornkit.tasks.job import Job
from tornkit.tasks.making import Maker, check_priorities
from tornkit.tasks.options import CallOptions
from tornkit.tasks.queues import open_queue
from tornkit.tasks.records import STATUSES, gone, record_of
from tornkit.tasks.registry import Registry, find_tasks
from tornkit.tasks.schedules import zone_of
from tornkit.tasks.task import Call, Task
from tornkit.tasks.ticking import Ticker, schedule_of
from tornkit.tasks.watching import Watcher

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable, Sequence
    from types import ModuleType

    from sqlalchemy.ext.asyncio import AsyncSession

    from tornkit.tasks.records import Record, Status
    from tornkit.tasks.running import Around
    from tornkit.tasks.saq import SaqJob
    from tornkit.tasks.worker import Worker

__all__ = ["Tasks"]

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")
Jobs: TypeAlias = list[Job[Any]]

ANSWER: Final = 1.75
"""Seconds that the queue has for an answer."""
MAX_SIZE: Final = 1024 * 1024
"""How many bytes of JSON arguments and results may have."""


def _no_sessions() -> Sequence[AsyncSession]:
    return ()


class Tasks:
    """Enqueue jobs, ask about them, and make workers.

    Args:
        queue: the URL of the queue: ``sqlite:///…``, ``postgresql://…``, ``redis://…`` or
            ``memory://``.
        tasks: the tasks there are, or where `find_tasks` finds them.
        name: whose queue it is, where several sites share a server.
        app: what tasks find as ``ctx.app``.
        around: a context manager that is entered around each body, given its `TaskContext`.
        open_sessions: returns the sessions of the database blocks that the caller is in; jobs
            wait until all of them have committed.
        timezone: of cron expressions.
        lease: seconds after which the jobs of a silent worker go back to the queue.
        max_size: how many bytes of JSON the arguments and the result of a job may have.
        clock: tells the time in seconds since the epoch; for tests.

    Raises:
        TaskError: two tasks of one name, or a task, the URL or the time zone that cannot be used.
        MissingDriver: SAQ, or the queue's driver, is not installed.

    Example:
        >>> import asyncio
        >>> from tornkit.tasks import Tasks, task
        >>> @task
        ... async def double(number: int) -> int:
        ...     return 2 * number
        >>> async def main() -> int:
        ...     async with Tasks("memory://", [double]) as tasks:
        ...         job = await double.enqueue(21)
        ...         await tasks.run_all()
        ...         return await job.result()
        >>> asyncio.run(main())
        42
    """

    def __init__(
        self,
        queue: str,
        tasks: Iterable[Task[..., Any] | ModuleType | str] = (),
        *,
        name: str = "default",
        app: Any = None,
        around: Around | None = None,
        open_sessions: Callable[[], Sequence[AsyncSession]] = _no_sessions,
        timezone: str = "UTC",
        lease: float = 15.0,
        max_size: int = MAX_SIZE,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.registry = Registry(find_tasks(*tasks))
        self.queue = open_queue(queue, name=name)
        self.queue.clock = clock
        self.queue.lease = lease
        self.watcher = Watcher(self._look)
        check_priorities(self.registry.values(), self.queue)
        zone = zone_of(timezone)
        self._schedules = [
            (each, schedule)
            for each in self.registry.values()
            if (schedule := schedule_of(each, zone)) is not None
        ]
        self._app = app
        self._around = around
        self._open_sessions = open_sessions
        self._max_size = max_size
        self._maker = Maker(self.queue, max_size=max_size)
        self._strays: set[asyncio.Future[Any]] = set()
        self._users = 0
        self._where: tuple[int, asyncio.AbstractEventLoop] | None = None
        self._turn: tuple[asyncio.AbstractEventLoop, asyncio.Lock] | None = None

    def __repr__(self) -> str:
        return f"<Tasks {self.queue.place}>"

    # --- life --------------------------------------------------------------------------------

    async def connect(self) -> None:
        """Open the queue; ``enqueue`` works from here.

        What is connected already stays so, until each `connect` has its `close`.

        Raises:
            QueueUnavailable: it does not answer.
            TaskError: it is another program's, or of another version.
        """
        async with self._lock():
            here = (os.getpid(), asyncio.get_running_loop())
            if self in current.connected and self._where == here:
                self._users += 1
                return
            # Not before: a process that is forked is another one.
            self.queue.identity = f"{socket.gethostname()}/{os.getpid()}/{secrets.token_hex(4)}"
            await self._ask(self.queue.connect())
            if self not in current.connected:
                current.connected.append(self)
            self._where, self._users = here, 1

    async def close(self) -> None:
        """Close the queue, also one that does not answer; workers must have stopped before."""
        async with self._lock():
            self._users -= 1
            if self._users > 0:
                return
            self._where, self._users = None, 0
            if self in current.connected:
                current.connected.remove(self)
            await self.watcher.close()
            with suppress(QueueUnavailable):
                await self._ask(self.queue.disconnect())

    def _lock(self) -> asyncio.Lock:
        """Return what keeps those apart who connect and close, in this loop."""
        loop = asyncio.get_running_loop()
        if self._turn is None or self._turn[0] is not loop:
            self._turn = (loop, asyncio.Lock())
        return self._turn[1]

    async def __aenter__(self) -> Tasks:
        await self.connect()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def ping(self) -> None:
        """Ask the queue for a sign of life.

        Raises:
            QueueUnavailable: it gives none.
        """
        await self._ask(self.queue.ping())

    async def _ask(self, work: Coroutine[Any, Any, T]) -> T:
        """Return the queue's answer."""
        asked = asyncio.ensure_future(work)
        try:
            await asyncio.wait([asked], timeout=ANSWER)
        except asyncio.CancelledError:
            # Once the caller goes on, it has happened, unless nobody answers.
            await uninterrupted(asyncio.wait([asked], timeout=ANSWER))
            self._give_up(asked)
            raise
        if not asked.done():
            # Not awaited: a driver may want to ask a server that is silent to stop.
            self._give_up(asked)
            raise self._unavailable(f"nothing came within {ANSWER:g} seconds")
        try:
            return asked.result()
        except TornkitError:
            raise
        except self.queue.faults as error:
            first = next(iter(str(error).splitlines()), "")
            reason = f"{type(error).__name__}: {printable(first, limit=200)}"
            raise self._unavailable(reason) from error

    def _give_up(self, stray: asyncio.Future[Any]) -> None:
        """End a question whose answer nobody waits for."""

        def forget(ended: asyncio.Future[Any]) -> None:
            self._strays.discard(ended)
            if not ended.cancelled():
                ended.exception()

        stray.cancel()
        self._strays.add(stray)
        stray.add_done_callback(forget)

    def _unavailable(self, reason: str) -> QueueUnavailable:
        return QueueUnavailable(f"the task queue {self.queue.place} does not answer: {reason}")

    # --- enqueueing --------------------------------------------------------------------------

    async def enqueue(
        self, task: Task[P, R] | Call[P, R], /, *args: P.args, **kwargs: P.kwargs
    ) -> Job[R]:
        """Enqueue a job of a task, as ``task.enqueue(…)`` and ``task.using(…).enqueue(…)`` do.

        Raises:
            BadArgument: an argument is none of the function's, or JSON does not carry it.
            QueueUnavailable: the queue does not answer.
            UnknownTask: the task is not one of these.
            TaskError: the queue has no priorities.
        """
        call = task if isinstance(task, Call) else Call(task, CallOptions())
        known: Task[..., Any] = self.registry[call.task.name]
        made = self._maker.make(known, known.arguments.pack(args, kwargs), call.options)
        sessions = self._open_sessions()
        if sessions:
            return self._enqueue_later(made, sessions)
        is_new = await self._ask(self.queue.enqueue(made)) is not None
        return Job(self, record_of(made) if is_new else await self.record(made.key), is_new=is_new)

    def _enqueue_later(self, made: SaqJob, sessions: Sequence[AsyncSession]) -> Job[Any]:
        from tornkit.tasks.commits import Pending  # noqa: PLC0415 - where SQLAlchemy is in use

        async def send() -> None:
            job.is_new = await self._ask(self.queue.enqueue(made)) is not None

        made.queued = self.queue.stamp()
        pending = Pending(sessions, send)
        job: Job[Any] = Job(self, record_of(made), is_new=True, pending=pending)
        return job

    # --- asking ------------------------------------------------------------------------------

    async def get(self, job_id: str) -> Job[Any]:
        """Return a job.

        Raises:
            UnknownJob: there is none of that id.
            QueueUnavailable: the queue does not answer.
        """
        return Job(self, await self.record(job_id))

    async def list(
        self,
        *,
        status: Status | Sequence[Status] | None = None,
        name: str | None = None,
        owner: object = None,
        limit: int = 50,
        after: str | None = None,
    ) -> Jobs:
        """Return jobs, the latest first.

        Args:
            status: only those of this status, or of these.
            name: only those of this task.
            owner: only those that belong to this owner.
            limit: how many at most, up to 1000.
            after: the id of the last one of the page before.

        Raises:
            TaskError: a status or the limit is none.
            QueueUnavailable: the queue does not answer.
        """
        from tornkit.tasks.saq import Status as SaqStatus  # noqa: PLC0415 - SAQ is optional

        wanted = [status] if isinstance(status, str) else list(status or ())
        for each in wanted:
            if each not in STATUSES:
                raise TaskError(
                    f"there is no status {printable(repr(each))}",
                    hint=f"there is {', '.join(STATUSES)}",
                )
        if not 1 <= limit <= 1000:
            raise TaskError(f"limit is {limit}", hint="give 1 to 1000")
        found = await self._ask(
            self.queue.find(
                statuses=[SaqStatus(each) for each in wanted],
                name=name,
                owner=None if owner is None else str(owner),
                after=after,
                limit=limit,
            )
        )
        return [Job(self, record_of(each)) for each in found]

    async def counts(self) -> dict[Status, int]:
        """Return how many jobs there are of each status, the delayed ones among the queued.

        Raises:
            QueueUnavailable: the queue does not answer.
        """
        found = await self._ask(self.queue.tally())
        named: dict[str, int] = {status.value: number for status, number in found.items()}
        return {each: named.get(each, 0) for each in STATUSES}

    async def workers(self) -> dict[str, dict[str, Any]]:
        """Return what the workers that live told of themselves lately, by their ids.

        Raises:
            QueueUnavailable: the queue does not answer.
        """
        info = await self._ask(self.queue.info())
        return {
            name: {**(told["stats"] or {}), **(told["metadata"] or {})}
            for name, told in info["workers"].items()
        }

    def schedules(self) -> dict[str, datetime]:
        """Return when each polling task is due next, in UTC."""
        now = self.queue.clock()
        return {
            each.name: datetime.fromtimestamp(schedule.next(now), UTC)
            for each, schedule in self._schedules
        }

    async def abort(self, job_id: str, reason: str = "aborted") -> Job[Any]:
        """End a job, and return it; see `Job.abort`.

        Raises:
            UnknownJob: there is none of that id.
            QueueUnavailable: the queue does not answer.
        """
        return Job(self, await self.abort_record(job_id, reason))

    async def retry(self, job_id: str) -> Job[Any]:
        """Have a job that failed or was aborted run once more, and return it.

        Raises:
            TaskError: it has not failed.
            UnknownJob: there is none of that id.
            QueueUnavailable: the queue does not answer.
        """
        return Job(self, await self.retry_record(job_id))

    # --- for `Job` ---------------------------------------------------------------------------

    async def record(self, job_id: str) -> Record:
        """Return what the queue knows of a job."""
        found = await self._ask(self.queue.job(job_id))
        if found is None:
            raise gone(job_id)
        return record_of(found)

    async def _look(self, ids: Sequence[str]) -> Sequence[Record | None]:
        found = await self._ask(self.queue.jobs(ids))
        return [None if each is None else record_of(each) for each in found]

    async def abort_record(self, job_id: str, reason: str) -> Record:
        """Abort a job and return what the queue knows of it then."""
        found = await self._ask(self.queue.job(job_id))
        if found is None:
            raise gone(job_id)
        await self._ask(self.queue.abort(found, error=reason))
        return await self.record(job_id)

    async def retry_record(self, job_id: str) -> Record:
        """Retry a job and return what the queue knows of it then."""
        from tornkit.tasks.saq import Status as SaqStatus  # noqa: PLC0415 - SAQ is optional

        done = await self._ask(self.queue.revive(job_id, [SaqStatus.FAILED, SaqStatus.ABORTED]))
        record = await self.record(job_id)
        if not done:
            raise TaskError(
                f"job {record.id} of {record.name} is {record.status}",
                hint="only one that has failed or was aborted can be retried",
            )
        return record

    def result_of(self, record: Record) -> Any:
        """Return a result, brought back by the annotation of its task."""
        task = self.registry.get(record.name)
        return record.result if task is None else task.results.unpack(record.result)

    # --- working -----------------------------------------------------------------------------

    def worker(self, *, concurrency: int = 10, shutdown_timeout: float = 30.0) -> Worker:
        """Return a worker of this process, not begun.

        Args:
            concurrency: how many jobs run at a time.
            shutdown_timeout: seconds that running jobs have to end when it stops.

        Raises:
            TaskError: the concurrency is below 1.
        """
        from tornkit.tasks.worker import Worker  # noqa: PLC0415 - SAQ is optional

        return Worker(
            self.queue,
            self._runner(),
            self._ticker(),
            concurrency=concurrency,
            shutdown_timeout=shutdown_timeout,
        )

    async def run_all(self, *, check: bool = True) -> Jobs:
        """Run everything that is due, here and one after the other, until nothing is left.

        For tests: with a ``clock`` that they set, polling tasks and delayed jobs come when it
        says so.

        Args:
            check: raise the first failure, after all have run.

        Returns:
            The jobs, in the order in which they ended.

        Raises:
            TaskFailed: one of them has failed.
        """
        runner, ticker = self._runner(), self._ticker()
        ran: dict[str, None] = {}
        try:
            while True:
                await ticker.fire()
                await self.queue.schedule(0)
                claimed = await self.queue.take()
                if claimed is None:
                    break
                await runner.run(claimed)
                ran.pop(claimed.key, None)
                ran[claimed.key] = None
        finally:
            await runner.close()
        jobs = [await self.get(each) for each in ran]
        for job in jobs:
            if check and job.state == "failed":
                raise TaskFailed(
                    f"job {job.id} of {job.name} failed: {job.traceback}",
                    job_id=job.id,
                    error=job.error or "",
                    traceback=job.traceback or "",
                )
        return jobs

    def _runner(self) -> Any:
        from tornkit.tasks.running import Runner  # noqa: PLC0415 - SAQ is optional

        return Runner(
            self.registry,
            self.queue,
            app=self._app,
            around=self._around,
            max_size=self._max_size,
            ended=self.watcher.poke,
        )

    def _ticker(self) -> Ticker:
        return Ticker(self._schedules, self.queue, self._maker.make_tick)
