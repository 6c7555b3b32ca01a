"""SAQ's PostgreSQL queue, with the promises of `tornkit.tasks.saq.TaskQueue`.

From SAQ come the pool, the waiting for jobs by LISTEN and NOTIFY, and its counts. What changes a
job is one statement here, which says in its WHERE who may.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any, ClassVar, Final, LiteralString

import psycopg
from psycopg.conninfo import conninfo_to_dict
from psycopg.rows import dict_row
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from tornkit._text import printable
from tornkit.errors import TaskError
from tornkit.tasks.queues import _postgresql_statements as sql
from tornkit.tasks.queues._rows import job_of, json_of, row_of
from tornkit.tasks.saq import (
    LostJob,
    PostgresListener,
    PostgresQueue,
    SaqJob,
    Status,
    TaskQueue,
    died,
    dump,
    load,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Collection, Iterable, Mapping, Sequence

    from psycopg import AsyncConnection

__all__ = ["PostgreSQLQueue"]

CONNECT_TIMEOUT: Final = 1.25
"""Seconds that a connection may take."""
MAX_CONNECTIONS: Final = 8
FRESH: Final = 1.0
"""Seconds that a connection may have been silent for and be used as it is."""
_LOCK: Final = 7_463_715_018_294_417  # of those who look for the tables
_CLEAR_BATCH: Final = 1000
_ENQUEUED: Final = "saq:enqueue"
_DEQUEUED: Final = "saq:dequeue"

_LINK: Final = {
    "autocommit": True,
    "connect_timeout": 2,
    # So that a dead server is noticed by whoever only listens.
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "application_name": "tornkit tasks",
}


class PostgreSQLQueue(TaskQueue, PostgresQueue):
    """Keep jobs in tables of a PostgreSQL database.

    Args:
        url: ``postgresql://user:password@host/database``.
        name: whose jobs they are, where several sites share a database.

    Raises:
        TaskError: the URL is none; the message does not quote it.
    """

    faults: ClassVar[tuple[type[Exception], ...]] = (OSError, psycopg.Error)
    dequeue_timeout: ClassVar[float] = 5.0

    def __init__(self, url: str, *, name: str = "default") -> None:
        self.place = _place(url)
        self._url = url
        self._has_tables = False
        self._trouble: Exception | None = None
        self._begin(name)

    def _begin(self, name: str) -> None:
        """Begin anew: a pool that was closed stays closed, and locks belong to one loop."""
        pool: AsyncConnectionPool[AsyncConnection[Any]] = AsyncConnectionPool(
            self._url,
            kwargs=dict(_LINK),
            min_size=1,
            max_size=MAX_CONNECTIONS,
            timeout=CONNECT_TIMEOUT,
            # Who asks later begins anew, instead of waiting for pauses that grow.
            reconnect_timeout=CONNECT_TIMEOUT,
            configure=self._prepare,
            connection_class=_Connection,
            check=_Connection.check,
            reset=_Connection.note,
            open=False,
        )
        PostgresQueue.__init__(
            self,
            pool,
            name=name,
            dump=dump,
            load=load,
            min_size=1,
            max_size=MAX_CONNECTIONS,
            manage_pool_lifecycle=True,
            jobs_table=sql.JOBS,
            stats_table=sql.WORKERS,
        )
        self._listener = _Listener(pool, self._channel)
        self._claiming: asyncio.Task[None] | None = None

    # --- life --------------------------------------------------------------------------------

    async def connect(self) -> None:
        """Open the pool; a server that is down is tried again whenever it is needed."""
        if self._loop is not None and self._loop is not asyncio.get_running_loop():
            self._connected = False  # with a loop that has ended
        if not self._connected:
            if self._loop is not None:
                self._begin(self.name)
                self.__dict__.pop("_job_queue", None)
            await self.pool.open()
            self._connected = True
            self._loop = asyncio.get_running_loop()
            try:
                await self.ping()
            except TaskError:
                await self.disconnect()
                raise
            except self.faults:
                pass  # it may come later

    async def disconnect(self) -> None:
        """Close every connection."""
        if self._connected:
            self._connected = False
            await self._listener.close()
            await self.pool.close(timeout=CONNECT_TIMEOUT)

    async def init_db(self) -> None:
        """Do nothing: every new connection sees to the tables."""

    async def _prepare(self, connection: AsyncConnection[Any]) -> None:
        """Make the tables, once, whoever comes first."""
        if not self._has_tables:
            self._trouble = None
            try:
                await self._make_tables(connection)
            except Exception as trouble:
                self._trouble = trouble  # the pool only says that it has no connection
                raise
            self._has_tables = True

    async def _make_tables(self, connection: AsyncConnection[Any]) -> None:
        async with connection.transaction():
            # Unlike SAQ, which goes on without tables where another process is making them.
            await connection.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
            found = await connection.execute("SELECT to_regclass('tornkit_task_versions')")
            row = await found.fetchone()
            if row is None or row[0] is None:
                await connection.execute(sql.SCHEMA)
            found = await connection.execute("SELECT version FROM tornkit_task_versions")
            row = await found.fetchone()
        if row is None or row[0] != sql.VERSION:
            raise TaskError(
                f"the tables of the task queue {self.place} have version {row and row[0]}, this "
                f"tornkit knows {sql.VERSION}",
                hint="run the version of tornkit that made them, or another database",
            )

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[AsyncConnection[Any]]:
        try:
            async with self.pool.connection() as connection:
                yield connection
        except PoolTimeout:
            if self._trouble is not None:
                raise self._trouble from None
            raise

    async def ping(self) -> None:
        """Ask for a sign of life."""
        await self._run("SELECT 1", {})

    async def _run(self, statement: LiteralString, values: Mapping[str, Any]) -> list[Any]:
        """Return the rows of a statement that is a step of its own."""
        async with self._connection() as connection:
            return await self._on(connection, statement, values)

    async def _on(
        self,
        connection: AsyncConnection[Any],
        statement: LiteralString,
        values: Mapping[str, Any],
    ) -> list[Any]:
        async with connection.cursor(row_factory=dict_row) as cursor:
            await cursor.execute(
                statement,
                {"queue": self.name, "channel": self._channel, "event": _ENQUEUED, **values},
            )
            return await cursor.fetchall() if cursor.description is not None else []

    # --- enqueueing --------------------------------------------------------------------------

    async def _enqueue(self, job: SaqJob) -> SaqJob | None:
        return job if await self._run(sql.ENQUEUE, row_of(job)) else None

    async def move_on(
        self, name: str, *, before: float | None, tick: float, job: SaqJob | None
    ) -> bool:
        """Set a schedule to a tick, and enqueue its job, if it is still at the one before."""
        statement = sql.NEW_SCHEDULE if before is None else sql.MOVE_SCHEDULE
        values = {"name": name, "before": before, "tick": tick}
        async with self._connection() as connection, connection.transaction():
            moved = bool(await self._on(connection, statement, values))
            if moved and job is not None:
                job.queue, job.status, job.queued = self, Status.QUEUED, self.stamp()
                await self._on(connection, sql.ENQUEUE, row_of(job))
        return moved

    async def tick_of(self, name: str) -> float | None:
        """Return the tick that a schedule was at last, or None."""
        rows = await self._run(sql.TICK_OF, {"name": name})
        return rows[0]["tick"] if rows else None

    # --- claiming ----------------------------------------------------------------------------

    async def _dequeue(self) -> None:
        """Claim for all who wait at one time; SAQ's ``dequeue`` hands out."""
        if self._claiming is None or self._claiming.done():
            self._claiming = asyncio.create_task(self._claim_for_all())
            self._claiming.add_done_callback(lambda task: task.cancelled() or task.exception())
            # Who is cancelled leaves a claim that goes on, for what is claimed must be known.
            await asyncio.shield(self._claiming)

    async def _claim_for_all(self) -> None:
        wanted = self._waiting - self._job_queue.qsize()
        if wanted <= 0:
            return
        jobs = await self._claim(wanted)
        for job in jobs:
            self._job_queue.put_nowait(job)
        if jobs:
            self._listener.publish(_DEQUEUED, _DEQUEUED)

    async def take(self) -> SaqJob | None:
        """Claim a job that is due now; None if there is none."""
        return next(iter(await self._claim(1)), None)

    async def _claim(self, most: int) -> list[SaqJob]:
        claim = {
            "now": self.clock(),
            "moment": self.stamp(),
            "worker": self.identity,
            "lease": round(self.lease * 1000),
            "most": most,
        }
        rows = await self._run(sql.CLAIM, claim)
        rows.sort(key=lambda row: (row["priority"], row["scheduled"], row["number"]))
        return [job_of(row, self) for row in rows]

    async def abandon(self) -> None:
        """Give back what was claimed, or is just being claimed, for those who have left."""
        if self._claiming is not None:
            await asyncio.wait([self._claiming])
        while not self._job_queue.empty():
            with suppress(LostJob, *self.faults):
                await self.hand_back(self._job_queue.get_nowait())

    # --- running -----------------------------------------------------------------------------

    async def beat(self, jobs: Collection[SaqJob], *, renew: bool) -> dict[str, Status | None]:
        """Return the status of each held job by its key, None where it is held no more."""
        claims = {
            "keys": [job.key for job in jobs],
            "moments": [job.started for job in jobs],
            "worker": self.identity,
        }
        rows = await self._run(sql.BEAT if renew else sql.LOOK, claims)
        found = {row["key"]: Status(row["status"]) for row in rows}
        return {job.key: found.get(job.key) for job in jobs}

    async def _update(self, job: SaqJob, status: Status | None = None, **_: Any) -> None:
        await self._held(sql.TELL, job)

    async def _finish(
        self,
        job: SaqJob,
        status: Status,
        *,
        result: Any = None,
        error: str | None = None,
        **_: Any,
    ) -> None:
        await self._held(
            sql.END,
            job,
            status=status.value,
            result=json_of(result),
            error=error,
        )

    async def _requeue(self, job: SaqJob, *, due: float, attempts: int, error: str | None) -> None:
        await self._held(sql.REQUEUE, job, scheduled=due, attempts=attempts, error=error)

    async def _held(self, statement: LiteralString, job: SaqJob, **values: Any) -> None:
        held = {
            "key": job.key,
            "worker": job.worker_id,
            "started": job.started,
            "moment": self.stamp(),
            "expires": self.clock() + job.ttl,
            "progress": job.progress,
            "message": job.meta.get("message"),
        }
        if not await self._run(statement, {**held, **values}):
            raise LostJob(job.key)

    async def abort(self, job: SaqJob, error: str, ttl: float = 5) -> None:
        """Abort a queued job, or ask who runs it to."""
        values = {
            "key": job.key,
            "error": error,
            "moment": self.stamp(),
            "expires": self.clock() + job.ttl,
        }
        await self._run(sql.ABORT, values)

    async def revive(self, key: str, statuses: Iterable[Status]) -> bool:
        """Have a job that ended run once more, if it has one of these statuses."""
        names = [each.value for each in statuses]
        values = {"key": key, "statuses": names, "now": self.clock()}
        return bool(await self._run(sql.REVIVE, values))

    async def follow_clock(self) -> None:
        """Have what was due when it was enqueued be due, wherever the clock is now."""
        await self._run(sql.FOLLOW_CLOCK, {"now": self.clock()})

    async def sweep(self, lock: int = 60, abort: float = 5.0) -> list[str]:
        """Take jobs back whose worker is silent, and delete what has expired."""
        most = self.most_losses
        values = {
            "moment": self.stamp(),
            "now": self.clock(),
            "most": most,
            "failed": died(most + 1),
        }
        swept = await self._run(sql.SWEEP, values)
        async with self._connection() as connection:
            while True:
                done = await connection.execute(
                    sql.CLEAR,
                    {"queue": self.name, "now": self.clock(), "most": _CLEAR_BATCH},
                )
                if done.rowcount < _CLEAR_BATCH:
                    break
        return [row["key"] for row in swept]

    # --- asking ------------------------------------------------------------------------------

    async def jobs(self, job_keys: Iterable[str]) -> list[SaqJob | None]:
        """Return jobs, None where there is none."""
        keys = list(job_keys)
        rows = await self._run(sql.BY_KEYS, {"keys": keys})
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
        values = {
            "statuses": [each.value for each in statuses] or None,
            "name": name,
            "owner": owner,
            "after": after,
            "limit": limit,
        }
        return [job_of(row, self) for row in await self._run(sql.FIND, values)]

    async def tally(self) -> dict[Status, int]:
        """Count jobs by status."""
        rows = await self._run(sql.COUNT_BY_STATUS, {})
        return {Status(row["status"]): row["number"] for row in rows}


class _Connection(psycopg.AsyncConnection[Any]):
    """A connection that is asked for a sign of life only after it has been silent."""

    heard_at = 0.0

    @staticmethod
    async def note(connection: AsyncConnection[Any]) -> None:
        """Note that it works: somebody has used it."""
        if isinstance(connection, _Connection):
            connection.heard_at = time.monotonic()

    @staticmethod
    async def check(connection: AsyncConnection[Any]) -> None:
        """Raise if it does not work, as after a restart of the server."""
        if time.monotonic() - getattr(connection, "heard_at", 0.0) > FRESH:
            await AsyncConnectionPool.check_connection(connection)


class _Listener(PostgresListener):
    """SAQ's, which ends without a word when its connection does, and begins again."""

    async def _start(self) -> None:
        with suppress(OSError, psycopg.Error):
            await super()._start()


def _place(url: str) -> str:
    """Return a URL without user, password and options."""
    try:
        parts = conninfo_to_dict(url)
    except psycopg.Error:
        raise TaskError(
            "the URL of the task queue cannot be used: PostgreSQL does not read it",
            hint="write postgresql://user:password@host:5432/database, special characters in the "
            "password percent-encoded",
            check_id="tasks.queue",
        ) from None
    port = f":{parts['port']}" if parts.get("port") else ""
    host, database = parts.get("host", ""), parts.get("dbname", "")
    return f"postgresql://{printable(host)}{port}/{printable(database)}"
