"""A queue in a SQLite file of its own, for SAQ: durable, shared by processes, no server.

Writes go through one thread and connection of each process, with ``BEGIN IMMEDIATE``; reads
through another, which never waits for a writer. A file of its own, so that tasks and the site's
own transactions do not wait for each other.

Idle workers are woken by a bell when something is enqueued, here or in another process. For the
case that it is not heard they look themselves now and then, by ``PRAGMA data_version``, which
costs microseconds.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, Any, ClassVar, Final

from tornkit import encoding
from tornkit.tasks.queues import _statements as sql
from tornkit.tasks.queues._bell import Bell
from tornkit.tasks.queues._file import MEMORY, File, glance_at
from tornkit.tasks.queues._rows import job_of, json_of, row_of
from tornkit.tasks.queues._schema import prepare, prepare_to_read
from tornkit.tasks.saq import LostJob, SaqJob, Status, TaskQueue, died, dump, load

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence

    from tornkit.tasks.saq import CountKind, QueueInfo, WorkerInfo

__all__ = ["SQLiteQueue"]

LOOK: Final = 0.5
"""Seconds after which an idle worker looks itself, where the bell is to be heard."""
LOOK_OFTEN: Final = 0.05
"""The same where there is no bell."""
FINISH_PATIENCE: Final = 10.0
"""Seconds that the end of a job waits for the writers of other processes."""
_CLEAR_BATCH: Final = 500


class SQLiteQueue(TaskQueue):
    """Keep jobs in a SQLite file.

    Args:
        path: of the file, or ``:memory:`` for one that ends with the process.
        name: what SAQ calls the queue.
    """

    faults: ClassVar[tuple[type[Exception], ...]] = (OSError, sqlite3.Error)

    def __init__(self, path: str, *, name: str = "default") -> None:
        super().__init__(name, dump, load)
        self.place = "memory://" if path == MEMORY else f"sqlite:///{path}"
        self._writer = File(path)
        self._reader = self._writer if path == MEMORY else File(path)
        self._waiting: deque[asyncio.Future[SaqJob]] = deque()
        self._feeder: asyncio.Task[None] | None = None
        self._news = asyncio.Event()
        self._glance: sqlite3.Connection | None = None
        self._bell = Bell(path)

    # --- life --------------------------------------------------------------------------------

    async def connect(self) -> None:
        """Open the file, and make it if there is none."""
        await super().connect()
        self._news = asyncio.Event()  # of this loop
        await self._writer.open(prepare)
        if self._reader is not self._writer:
            try:
                await self._reader.open(prepare_to_read)
                self._glance = await asyncio.to_thread(glance_at, self._reader.path)
                self._bell.open()
            except BaseException:
                await self.disconnect()
                raise

    async def disconnect(self) -> None:
        """Close the file."""
        await self._stop_feeding()
        self._bell.close()
        if self._glance is not None:
            self._glance.close()
            self._glance = None
        await self._reader.close()
        await self._writer.close()

    async def ping(self) -> None:
        """Read something."""
        self._writer.check_place()
        await self._reader.read(lambda connection: connection.execute("SELECT 1 FROM jobs"))

    # --- enqueueing --------------------------------------------------------------------------

    async def _enqueue(self, job: SaqJob) -> SaqJob | None:
        row = row_of(job)
        done = await self._writer.write(lambda connection: sql.insert(connection, row))
        self._ring()
        return job if done else None

    def _ring(self) -> None:
        """Have an idle worker look: one of this process, or else of others."""
        self._news.set()
        if not self._waiting:
            self._bell.ring()

    async def move_on(
        self, name: str, *, before: float | None, tick: float, job: SaqJob | None
    ) -> bool:
        """Set a schedule to a tick, and enqueue its job, if it is still at the one before."""
        if job is not None:
            job.queue, job.status, job.queued = self, Status.QUEUED, self.stamp()
        row = None if job is None else row_of(job)

        def move(connection: sqlite3.Connection) -> bool:
            moved = sql.move_schedule(connection, name, before, tick)
            if moved and row is not None:
                sql.insert(connection, row)
            return moved

        done = await self._writer.write(move)
        self._ring()
        return done

    async def tick_of(self, name: str) -> float | None:
        """Return the tick that a schedule was at last, or None."""
        return await self._reader.read(lambda connection: sql.tick_of(connection, name))

    # --- claiming ----------------------------------------------------------------------------

    async def dequeue(
        self,
        timeout: float = 0.0,  # noqa: ASYNC109 - SAQ's
        poll_interval: float = 0.0,
    ) -> SaqJob | None:
        """Claim a job and return it, as soon as one is due."""
        future: asyncio.Future[SaqJob] = self.loop.create_future()
        self._waiting.append(future)
        self._news.set()
        if self._feeder is None or self._feeder.done():
            self._feeder = asyncio.create_task(self._feed())
        try:
            return await asyncio.wait_for(future, timeout or None)
        except TimeoutError:
            return None
        except asyncio.CancelledError:
            if future.done() and not future.cancelled() and future.exception() is None:
                with suppress(LostJob, *self.faults):
                    await self.hand_back(future.result())
            raise
        finally:
            self._news.set()  # the feeder sees who has left

    async def take(self) -> SaqJob | None:
        """Claim a job that is due now; None if there is none."""
        return next(iter(await self._claim(1)), None)

    async def _feed(self) -> None:
        """Claim for all who wait, at one time; wait when there is nothing to claim."""
        try:
            while self._waiting:
                self._news.clear()
                version = self._version()
                due = await self._reader.read(sql.first_due)
                if due > self.clock():
                    await self._wait_for_news(version, due)
                else:
                    await self._hand_out(await self._claim(self._wanted))
                while self._waiting and self._waiting[0].done():
                    self._waiting.popleft()
        except Exception as error:  # noqa: BLE001 - it belongs to those who wait
            waiting, self._waiting = self._waiting, deque()
            for each in waiting:
                if not each.done():
                    each.set_exception(error)

    @property
    def _wanted(self) -> int:
        return sum(not each.done() for each in self._waiting)

    async def _claim(self, most: int) -> list[SaqJob]:
        claim = (self.identity, self.stamp(), round(self.lease * 1000))
        now = self.clock()
        rows = await self._writer.write(
            lambda connection: sql.claim(connection, now, claim, most) if most else []
        )
        return [job_of(row, self) for row in rows]

    async def _hand_out(self, jobs: list[SaqJob]) -> None:
        for job in jobs:
            while self._waiting and self._waiting[0].done():
                self._waiting.popleft()
            if self._waiting:
                self._waiting.popleft().set_result(job)
            else:
                await self.hand_back(job)  # whoever waited has left meanwhile
        if jobs and not self._waiting:
            self._bell.ring()  # there may be more than this process can take

    async def _wait_for_news(self, version: int | None, due: float) -> None:
        """Return when something was enqueued here or elsewhere, or becomes due."""
        pause = LOOK if self._bell.listen(self._news.set) else LOOK_OFTEN
        try:
            while not self._news.is_set():
                left = min(pause, due - self.clock())
                if left <= 0:
                    return
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._news.wait(), left)
                if self._version() != version:
                    return
        finally:
            self._bell.ignore()

    def _version(self) -> int | None:
        """Return a number that is another when anybody has written to the file."""
        # Not by way of a thread: it takes microseconds, and waits for nothing.
        return None if self._glance is None else sql.data_version(self._glance)

    async def abandon(self) -> None:
        """Give back what was claimed, or is just being claimed, for those who have left."""
        if self._feeder is not None and not self._wanted:
            await asyncio.wait([self._feeder])  # it ends by itself, and gives back what is left

    async def _stop_feeding(self) -> None:
        feeder, self._feeder = self._feeder, None
        for each in self._waiting:
            each.cancel()
        self._news.set()
        if feeder is not None:
            await asyncio.wait([feeder])

    # --- running -----------------------------------------------------------------------------

    async def beat(self, jobs: Collection[SaqJob], *, renew: bool) -> dict[str, Status | None]:
        """Return the status of each held job by its key, None where it is held no more."""
        claims = [(job.key, job.worker_id, job.started) for job in jobs]
        now = self.stamp()

        def look(connection: sqlite3.Connection) -> dict[str, Status | None]:
            return {
                key: None if found is None else Status(found)
                for key, found in sql.beat(connection, claims, now if renew else None)
            }

        return await (self._writer.write(look) if renew else self._reader.read(look))

    async def _update(self, job: SaqJob, status: Status | None = None, **_: Any) -> None:
        told = (job.progress, job.meta.get("message"))
        await self._held(job, lambda connection, claim: sql.tell(connection, claim, told))

    async def _finish(
        self, job: SaqJob, status: Status, *, result: Any = None, error: str | None = None
    ) -> None:
        end = (
            *(status.value, json_of(result), error, job.completed, self.clock() + job.ttl),
            *(job.progress, job.meta.get("message")),
        )
        await self._held(job, lambda connection, claim: sql.end(connection, claim, end))

    async def _requeue(self, job: SaqJob, *, due: float, attempts: int, error: str | None) -> None:
        back = (due, attempts, error, self.stamp(), self.clock() + job.ttl)
        await self._held(job, lambda connection, claim: sql.requeue(connection, claim, back))
        self._ring()

    async def _held(
        self,
        job: SaqJob,
        change: Callable[[sqlite3.Connection, tuple[str, str | None, int]], bool],
    ) -> None:
        claim = (job.key, job.worker_id, job.started)
        done = await self._writer.write(
            lambda connection: change(connection, claim), patience=FINISH_PATIENCE
        )
        if not done:
            raise LostJob(job.key)

    async def abort(self, job: SaqJob, error: str, ttl: float = 5) -> None:
        """Abort a queued job, or ask who runs it to."""
        now, expires = self.stamp(), self.clock() + job.ttl
        await self._writer.write(
            lambda connection: sql.abort(connection, job.key, error, now, expires)
        )

    async def revive(self, key: str, statuses: Iterable[Status]) -> bool:
        """Have a job that ended run once more, if it has one of these statuses."""
        names = [each.value for each in statuses]
        now = self.clock()
        done = await self._writer.write(lambda connection: sql.revive(connection, key, names, now))
        self._ring()
        return done

    async def follow_clock(self) -> None:
        """Have what was due when it was enqueued be due, wherever the clock is now."""
        now = self.clock()
        if await self._reader.read(lambda connection: sql.has_early(connection, now)):
            await self._writer.write(lambda connection: sql.bring_forward(connection, now))
            self._ring()

    async def sweep(self, lock: int = 60, abort: float = 5.0) -> list[str]:
        """Take jobs back whose worker is silent, and delete what has expired."""
        self._writer.check_place()
        now, most = (self.stamp(), self.clock()), self.most_losses
        failed = died(most + 1)
        swept = await self._writer.write(
            lambda connection: sql.sweep(connection, now, most, failed)
        )
        if swept:
            self._ring()
        cleared = _CLEAR_BATCH
        while cleared == _CLEAR_BATCH:
            cleared = await self._writer.write(
                lambda connection: sql.clear_expired(connection, now[1], _CLEAR_BATCH)
            )
        return swept

    # --- asking ------------------------------------------------------------------------------

    async def jobs(self, job_keys: Iterable[str]) -> list[SaqJob | None]:
        """Return jobs, None where there is none."""
        keys = list(job_keys)
        rows = await self._reader.read(lambda connection: sql.by_keys(connection, keys))
        found = {row["key"]: job_of(row, self) for row in rows}
        return [found.get(key) for key in keys]

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
        names = [each.value for each in statuses]
        rows = await self._reader.read(
            lambda connection: sql.find(
                connection, statuses=names, name=name, owner=owner, after=after, limit=limit
            )
        )
        return [job_of(row, self) for row in rows]

    async def tally(self) -> dict[Status, int]:
        """Count jobs by status."""
        return {Status(name): number for name, number in await self._reader.read(sql.tally)}

    async def count(self, kind: CountKind) -> int:
        """Count jobs that are queued and due, active, or not ended."""
        now = self.clock()
        return await self._reader.read(lambda connection: sql.count(connection, kind, now))

    async def info(self, jobs: bool = False, offset: int = 0, limit: int = 10) -> QueueInfo:
        """Return what SAQ tells of a queue: its workers and counts."""
        now = self.clock()
        rows = await self._reader.read(lambda connection: sql.workers(connection, now))
        queued, active, incomplete = [
            await self.count(kind) for kind in ("queued", "active", "incomplete")
        ]
        waiting = [Status.QUEUED, Status.ACTIVE, Status.ABORTING]
        shown = (
            await self.find(
                statuses=waiting, name=None, owner=None, after=None, limit=offset + limit
            )
            if jobs
            else []
        )
        return {
            "workers": {row["id"]: load(row["info"]) for row in rows},
            "name": self.name,
            "queued": queued,
            "active": active,
            "scheduled": incomplete - queued - active,
            "jobs": [job.to_dict() for job in shown[offset:]],
        }

    async def write_worker_info(self, worker_id: str, info: WorkerInfo, ttl: int) -> None:
        """Keep what a worker tells about itself, for a while."""
        text, expires = encoding.encode(info).decode(), self.clock() + ttl
        await self._writer.write(
            lambda connection: sql.note_worker(connection, worker_id, text, expires)
        )
