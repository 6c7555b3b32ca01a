"""SAQ's Redis queue, with the promises of `tornkit.tasks.saq.TaskQueue`.

From SAQ come the client, the records and its counts. What changes a job is one script here, which
asks first who may.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, Final

from redis import exceptions
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from tornkit import encoding
from tornkit.tasks.queues import _redis_scripts as scripts
from tornkit.tasks.saq import LostJob, RedisQueue, SaqJob, Status, TaskQueue, died, dump, load

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from tornkit.tasks.saq import WorkerInfo

__all__ = ["RedisTaskQueue"]

CONNECT_TIMEOUT: Final = 1.0
"""Seconds that a connection may take."""
WAIT: Final = 5.0
"""Seconds that a worker waits for a job before it asks anew."""
_MOST_CONNECTIONS: Final = 10_000  # each slot of a worker waits on one of its own
_CLEAR_BATCH: Final = 500
_PAGE: Final = 100
_UNBLOCK: Final = 0.02  # seconds between two times that connections are told to wait no longer
_OWNER_SPARE: Final = 86_400  # seconds that an owner's list outlives its last job
_BESIDE: Final = ("lost", "message")  # fields that are SAQ's `meta` elsewhere


class RedisTaskQueue(TaskQueue, RedisQueue):
    """Keep jobs in Redis 6.2 or later: one server, with replicas.

    Args:
        url: ``redis://:password@host:6379/0``.
        name: whose jobs they are, where several sites share a server.
        place: the URL without its password.
    """

    has_priorities: ClassVar[bool] = False
    faults: ClassVar[tuple[type[Exception], ...]] = (OSError, exceptions.RedisError)
    dequeue_timeout: ClassVar[float] = WAIT

    def __init__(self, url: str, *, name: str = "default", place: str = "") -> None:
        self.place = place
        self._url = url
        self._begin(name)

    def _begin(self, name: str) -> None:
        """Begin anew: connections and locks belong to one loop."""
        client: Redis = Redis.from_url(
            self._url,
            protocol=2,
            socket_connect_timeout=CONNECT_TIMEOUT,
            # For the longest answer there is; whoever asks has less patience.
            socket_timeout=WAIT + 3,
            retry=Retry(NoBackoff(), 0),
            max_connections=_MOST_CONNECTIONS,
        )
        RedisQueue.__init__(self, client, name=name, dump=_dump, load=_load)
        self._keys = [self.namespace(each) for each in scripts.KEYS]
        self._scripts: dict[str, Any] = {}
        self._blocked: set[int] = set()
        self._left: set[asyncio.Task[None]] = set()

    async def _run(self, text: str, *values: str | float | bytes) -> Any:
        script = self._scripts.get(text)
        if script is None:
            script = self._scripts[text] = self.redis.register_script(text)
        return await script(keys=self._keys, args=values)

    async def connect(self) -> None:
        """Get ready; a server that is down is tried again whenever it is needed."""
        if self._loop is not None and self._loop is not asyncio.get_running_loop():
            self._begin(self.name)
        await super().connect()

    async def disconnect(self) -> None:
        """Close every connection, without asking the server for anything, as SAQ does."""
        await self.redis.aclose()
        await self.redis.connection_pool.disconnect()

    async def ping(self) -> None:
        """Ask for a sign of life."""
        await self.redis.ping()

    # --- enqueueing --------------------------------------------------------------------------

    async def _enqueue(self, job: SaqJob) -> SaqJob | None:
        return job if await self._run(scripts.ENQUEUE, *self._new(job)) else None

    def _new(self, job: SaqJob) -> tuple[str | float | bytes, ...]:
        delay = job.scheduled - self.clock()
        return (
            *(job.id, self.serialize(job), _due(job.scheduled) if delay > 0 else "0"),
            *(job.meta.get("owner", ""), round(max(0, delay)) + job.ttl + _OWNER_SPARE),
        )

    async def move_on(
        self, name: str, *, before: float | None, tick: float, job: SaqJob | None
    ) -> bool:
        """Set a schedule to a tick, and enqueue its job, if it is still at the one before."""
        new: tuple[str | float | bytes, ...] = ()
        if job is not None:
            job.queue, job.status, job.queued = self, Status.QUEUED, self.stamp()
            new = self._new(job)
        known = "" if before is None else repr(before)
        return bool(await self._run(scripts.MOVE_ON, name, known, repr(tick), *new))

    async def tick_of(self, name: str) -> float | None:
        """Return the tick that a schedule was at last, or None."""
        found = await self.redis.hget(self.namespace("ticks"), name)
        return None if found is None else float(found)

    async def schedule(self, lock: int = 1) -> list[str]:
        """Queue what was delayed and is due."""
        return [each.decode() for each in await self._run(scripts.SCHEDULE, _due(self.clock()))]

    # --- claiming ----------------------------------------------------------------------------

    async def dequeue(
        self,
        timeout: float = 0.0,  # noqa: ASYNC109 - SAQ's
        poll_interval: float = 0.0,
    ) -> SaqJob | None:
        """Wait for a job, and claim it."""
        waiting = asyncio.create_task(self._wait_for_one(timeout or WAIT))
        try:
            return await asyncio.shield(waiting)
        except asyncio.CancelledError:
            # What Redis has given must be known, so that it can be given back.
            self._left.add(back := asyncio.create_task(self._give_back(waiting)))
            back.add_done_callback(self._left.discard)
            raise

    async def _wait_for_one(self, timeout: float) -> SaqJob | None:  # noqa: ASYNC109 - Redis knows it
        taken: Any = await self.redis.lmove(self._queued, self._active, "LEFT", "RIGHT")
        if taken is None:
            async with self.redis.client() as client:  # one connection, known by its number
                number = await client.client_id()
                self._blocked.add(number)
                try:
                    seconds: Any = timeout  # since Redis 6, parts of them too
                    taken = await client.blmove(
                        self._queued, self._active, seconds, "LEFT", "RIGHT"
                    )
                finally:
                    self._blocked.discard(number)
        return await self._claim_taken(taken)

    async def _give_back(self, waiting: asyncio.Task[SaqJob | None]) -> None:
        with suppress(LostJob, *self.faults):
            job = await waiting
            if job is not None:
                await self.hand_back(job)

    async def abandon(self) -> None:
        """Give back what was claimed, or is just being claimed, for those who have left."""
        while left := set(self._left):
            with suppress(*self.faults):
                for number in list(self._blocked):
                    await self.redis.client_unblock(number)
            await asyncio.wait(left, timeout=_UNBLOCK)  # one may only now have begun to wait

    async def take(self) -> SaqJob | None:
        """Claim a job that is due now; None if there is none."""
        taken: Any = await self.redis.lmove(self._queued, self._active, "LEFT", "RIGHT")
        return await self._claim_taken(taken)

    async def _claim_taken(self, job_id: bytes | None) -> SaqJob | None:
        job = None if job_id is None else await self._get_job_by_id(job_id)
        return None if job is None else await self._claim(job)

    async def _claim(self, job: SaqJob) -> SaqJob | None:
        job.status, job.attempts, job.progress = Status.ACTIVE, job.attempts + 1, 0.0
        job.worker_id, job.started, job.heartbeat = self.identity, self.stamp(), round(self.lease)
        job.meta.pop("message", None)
        lease = round(self.lease * 1000)
        claimed = await self._run(scripts.CLAIM, job.id, _token(job), self.serialize(job), lease)
        return job if claimed else None

    # --- running -----------------------------------------------------------------------------

    async def beat(self, jobs: Collection[SaqJob], *, renew: bool) -> dict[str, Status | None]:
        """Return the status of each held job by its key, None where it is held no more."""
        lease = round(self.lease * 1000) if renew else ""
        claims = itertools.chain.from_iterable((job.id, _token(job)) for job in jobs)
        found = await self._run(scripts.BEAT, lease, *claims)
        return {
            job.key: Status(status.decode()) if status else None
            for job, status in zip(jobs, found, strict=True)
        }

    async def _update(self, job: SaqJob, status: Status | None = None, **_: Any) -> None:
        await self._held(scripts.TELL, job, self.serialize(job))

    async def _finish(
        self, job: SaqJob, status: Status, *, result: Any = None, error: str | None = None
    ) -> None:
        text = self.serialize(job)
        await self._held(scripts.END, job, text, status.value, job.ttl, self.clock())

    async def _requeue(self, job: SaqJob, *, due: float, attempts: int, error: str | None) -> None:
        now = self.clock()
        back = replace(
            job,
            status=Status.QUEUED,
            attempts=attempts,
            error=error,
            progress=0.0,
            worker_id=None,
            started=0,
            meta={name: value for name, value in job.meta.items() if name != "message"},
        )
        when = _due(due) if due > now else "0"
        completed = _fields(completed=self.stamp())
        text = self.serialize(back)
        await self._held(scripts.REQUEUE, job, text, when, job.ttl, now, completed)

    async def _held(self, script: str, job: SaqJob, *values: str | float | bytes) -> None:
        if not await self._run(script, job.id, _token(job), *values):
            raise LostJob(job.key)

    async def abort(self, job: SaqJob, error: str, ttl: float = 5) -> None:
        """Abort a queued job, or ask who runs it to."""
        said, ended = _fields(error=error), _fields(completed=self.stamp())
        await self._run(scripts.ABORT, job.id, said, ended, job.ttl, self.clock())

    async def revive(self, key: str, statuses: Iterable[Status]) -> bool:
        """Have a job that ended run once more, if it has one of these statuses."""
        names = f" {' '.join(each.value for each in statuses)} "
        anew = dict.fromkeys(("result", "error", "message", "worker_id"))
        fields = _fields(**anew, attempts=0, lost=0, completed=0, started=0, progress=0)
        return bool(await self._run(scripts.REVIVE, self.job_id(key), names, fields))

    async def sweep(self, lock: int = 60, abort: float = 5.0) -> list[str]:
        """Take jobs back whose worker is silent, and delete what has expired."""
        failed = encoding.encode(died(self.most_losses + 1))
        swept = await self._run(
            *(scripts.SWEEP, self.stamp(), self.clock()),
            *(round(self.lease * 1000), self.most_losses, failed),
        )
        while await self._run(scripts.CLEAR, self.clock()) == _CLEAR_BATCH:
            pass
        return [self.job_key_from_id(each.decode()) for each in swept]

    async def write_worker_info(self, worker_id: str, info: WorkerInfo, ttl: int) -> None:
        """Keep what a worker tells about itself, for a while."""
        # As in SAQ, without the command that redis-py 8 warns of.
        key = self.namespace(f"worker_info:{worker_id}")
        now = round(time.time() * 1000)  # by which SAQ reads it
        async with self.redis.pipeline(transaction=True) as pipe:
            pipe.set(key, encoding.encode(info), ex=ttl)
            pipe.zremrangebyscore(self._stats, 0, now)
            pipe.zadd(self._stats, {key: now + ttl * 1000})
            pipe.expire(self._stats, ttl)
            await pipe.execute()

    # --- asking ------------------------------------------------------------------------------

    async def find(
        self,
        *,
        statuses: Sequence[Status],
        name: str | None,
        owner: str | None,
        after: str | None,
        limit: int,
    ) -> list[SaqJob]:
        """Return jobs, the latest first, from the one after ``after``; all statuses if none.

        By status and by owner Redis knows them; by name they are looked through.
        """
        below = "+inf"
        if after is not None:
            number = await self.redis.zscore(self.namespace("all"), self.job_id(after))
            below = "-inf" if number is None else f"({number:.0f}"
        found: list[SaqJob] = []
        while len(found) < limit:
            page = await self._page(statuses, owner, below)
            if not page:
                break
            below = f"({page[-1][1]:.0f}"
            for job in await self.jobs([key for key, _ in page]):
                if job is not None and _fits(job, statuses, name):
                    found.append(job)
        return found[:limit]

    async def _page(
        self, statuses: Sequence[Status], owner: str | None, below: str
    ) -> list[tuple[str, float]]:
        """Return keys and numbers, the highest number first."""
        indexes = [f"is:{each.value}" for each in statuses] or ["all"]
        if owner is not None:
            indexes = [f"of:{owner}"]
        async with self.redis.pipeline(transaction=False) as pipe:
            for each in indexes:
                pipe.zrevrangebyscore(
                    self.namespace(each), below, "-inf", start=0, num=_PAGE, withscores=True
                )
            found = itertools.chain.from_iterable(await pipe.execute())
        page = sorted(found, key=lambda entry: -entry[1])[:_PAGE]
        return [(self.job_key_from_id(job_id.decode()), number) for job_id, number in page]

    async def tally(self) -> dict[Status, int]:
        """Count jobs by status."""
        async with self.redis.pipeline(transaction=False) as pipe:
            for each in Status:
                pipe.zcard(self.namespace(f"is:{each.value}"))
            return dict(zip(Status, await pipe.execute(), strict=True))


def _fits(job: SaqJob, statuses: Sequence[Status], name: str | None) -> bool:
    return (not statuses or job.status in statuses) and name in (None, job.function)


def _token(job: SaqJob) -> str:
    return f"{job.worker_id}/{job.started}"


def _due(seconds: float) -> str:
    return repr(float(seconds))


def _fields(**fields: Any) -> str:
    """Return fields as they stand inside an object of JSON."""
    return encoding.encode(fields).decode()[1:-1]


def _dump(job: Mapping[Any, Any]) -> bytes:
    meta = dict(job.get("meta", {}))
    beside = {name: meta.pop(name) for name in _BESIDE if name in meta}
    # Where SAQ leaves out what is as by default, scripts need to know.
    return dump({"attempts": 0, "ttl": 600, **job, "meta": meta, **beside})


def _load(text: bytes | str) -> Any:
    fields = load(text)
    for name in _BESIDE:
        value = fields.pop(name, None)
        if value is not None:
            fields.setdefault("meta", {})[name] = value
    return fields
