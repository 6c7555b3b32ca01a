"""What every queue of tasks does, on each that is there."""

from __future__ import annotations

import asyncio
import os
import secrets
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from tests import services
from tests.contracts import task_soak
from tests.tasks.support import NOON, Clock, eventually, until
from tornkit.errors import TaskAborted, TaskError, TaskFailed, UnknownJob
from tornkit.tasks import Job, TaskContext, Tasks, task
from tornkit.tasks.saq import LostJob, SaqJob, Status

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from pathlib import Path

REDIS_DATABASE = 15
ran: list[Any] = []


@task
async def keep(what: Any) -> Any:
    ran.append(what)
    return what


@task(retries=1, retry_delay=10, retry_backoff=None)
async def fail(ctx: TaskContext, word: str) -> None:
    raise ValueError(f"{word} {ctx.attempt}")


@task
async def wait_for_end(ctx: TaskContext) -> None:
    await ctx.progress(0.5, "half")
    await asyncio.Event().wait()


@task(every="1m")
async def poll() -> None:
    ran.append("poll")


TASKS = [keep, fail, wait_for_end, poll]


@pytest.fixture(autouse=True)
def nothing_ran() -> None:
    ran.clear()


class Contract:
    """The behaviours; a subclass says where the queue is."""

    _url: str

    @pytest.fixture
    async def stack(self) -> AsyncIterator[AsyncExitStack]:
        async with AsyncExitStack() as stack:
            yield stack

    @pytest.fixture
    def name(self) -> str:
        return f"test-{secrets.token_hex(4)}"

    @pytest.fixture
    def clock(self) -> Clock:
        return Clock()

    @pytest.fixture
    def another(self, name: str, clock: Clock, stack: AsyncExitStack) -> Callable[..., Any]:
        """Return what opens tasks on the queue, as another process would."""

        async def open_one(**options: Any) -> Tasks:
            tasks = Tasks(self._url, TASKS, name=name, **{"clock": clock, **options})
            await stack.enter_async_context(tasks)
            return tasks

        return open_one

    @pytest.fixture
    async def tasks(self, another: Callable[..., Any]) -> Tasks:
        opened: Tasks = await another()
        return opened

    # --- from end to end ---------------------------------------------------------------------

    async def test_a_job_runs_once_and_its_record_tells_how(self, tasks: Tasks) -> None:
        job = await tasks.enqueue(keep.using(owner=7), {"a": [1, None, "ü", 2**70, 1.5]})
        assert (await job.status(), job.attempts, job.started_at) == ("queued", 0, None)
        (done,) = await tasks.run_all()
        assert ran == [{"a": [1, None, "ü", 2**70, 1.5]}]
        assert await job.result() == {"a": [1, None, "ü", 2**70, 1.5]}
        assert (done.id, done.state, done.attempts, done.lost) == (job.id, "complete", 1, 0)
        assert (job.progress, job.owner, job.error, job.name) == (1.0, "7", None, keep.name)
        assert job.enqueued_at == job.started_at == job.finished_at == NOON
        assert await tasks.run_all() == []

    async def test_jobs_run_in_the_order_in_which_they_came(self, tasks: Tasks) -> None:
        for number in range(5):
            await tasks.enqueue(keep, number)
        await tasks.run_all()
        assert ran == [0, 1, 2, 3, 4]

    async def test_a_higher_priority_runs_first(self, tasks: Tasks) -> None:
        if not tasks.queue.has_priorities:
            with pytest.raises(TaskError, match="knows none"):
                await tasks.enqueue(keep.using(priority=1), 1)
            return
        for priority in (0, -100, 100, 5):
            await tasks.enqueue(keep.using(priority=priority), priority)
        await tasks.run_all()
        assert ran == [100, 5, 0, -100]

    @pytest.mark.slow
    async def test_a_delayed_job_waits(self, tasks: Tasks, clock: Clock) -> None:
        job = await tasks.enqueue(keep.using(delay=90), 1)
        later = await tasks.enqueue(keep.using(at=NOON + timedelta(hours=1)), 2)
        assert (job.run_at, later.run_at) == (
            NOON + timedelta(seconds=90),
            NOON + timedelta(hours=1),
        )
        clock.forward(89)
        assert await tasks.run_all() == []
        clock.forward(2)
        assert job.id in [each.id for each in await tasks.run_all()]
        clock.forward(3600)
        assert later.id in [each.id for each in await tasks.run_all()]
        assert [what for what in ran if what != "poll"] == [1, 2]

    async def test_one_key_is_one_job(self, tasks: Tasks, another: Callable[..., Any]) -> None:
        other = await another()
        jobs: list[Job[Any]] = await asyncio.gather(
            *(each.enqueue(keep.using(key="k"), 1) for each in (tasks, other) for _ in range(5))
        )
        assert len({job.id for job in jobs}) == 1
        assert sum(job.is_new for job in jobs) == 1
        await tasks.run_all()
        late = await other.enqueue(keep.using(key="k"), 2)
        assert (late.is_new, late.state, await late.result()) == (False, "complete", 1)
        assert (await tasks.enqueue(keep.using(key="k", owner=1), 3)).is_new
        assert ran == [1]

    async def test_a_failure_is_tried_again_and_then_kept(
        self, tasks: Tasks, clock: Clock
    ) -> None:
        job = await tasks.enqueue(fail, "no")
        await tasks.run_all()
        await job.refresh()
        assert (job.state, job.attempts, job.error) == ("queued", 1, "ValueError: no 1")
        clock.forward(9)
        assert await tasks.run_all() == []
        clock.forward(2)
        with pytest.raises(TaskFailed, match="no 2"):
            await tasks.run_all()
        await job.refresh()
        assert (job.state, job.attempts) == ("failed", 2)
        assert 'raise ValueError(f"{word} {ctx.attempt}")' in (job.traceback or "")

    @pytest.mark.slow
    async def test_what_failed_can_be_run_once_more(self, tasks: Tasks) -> None:
        job = await tasks.enqueue(fail.using(retries=0), "no")
        await tasks.run_all(check=False)
        await job.retry()
        assert (job.state, job.attempts, job.error, job.finished_at) == ("queued", 0, None, None)
        with pytest.raises(TaskFailed, match="no 1"):
            await tasks.run_all()
        done = await tasks.enqueue(keep, 1)
        await tasks.run_all()
        with pytest.raises(TaskError, match="is complete; only one that has failed"):
            await done.retry()
        with pytest.raises(UnknownJob):
            await tasks.retry("nothing")

    # --- aborting ----------------------------------------------------------------------------

    async def test_a_queued_job_is_aborted_at_once(self, tasks: Tasks) -> None:
        job = await tasks.enqueue(keep, 1)
        delayed = await tasks.enqueue(keep.using(delay=5), 2)
        assert await job.abort("not needed") == "aborted"
        assert await delayed.abort() == "aborted"
        assert (job.error, job.finished_at) == ("not needed", NOON)
        assert await tasks.run_all() == []
        with pytest.raises(TaskAborted, match="not needed"):
            await job.result()

    async def test_what_has_ended_is_not_aborted(self, tasks: Tasks) -> None:
        job = await tasks.enqueue(keep, 1)
        await tasks.run_all()
        assert await job.abort() == "complete"
        assert await job.result() == 1

    @pytest.mark.slow
    async def test_an_active_job_is_aborted_by_its_worker(
        self, tasks: Tasks, another: Callable[..., Any]
    ) -> None:
        other = await another(lease=0.4)
        async with other.worker(concurrency=2):
            job = await tasks.enqueue(wait_for_end)
            await until(job, "active")
            assert await job.abort("enough") in {"aborting", "aborted"}
            await job.wait(10)
        assert (job.state, job.error, job.message) == ("aborted", "enough", "half")

    # --- leases ------------------------------------------------------------------------------

    async def claimed(self, tasks: Tasks, number: int = 1) -> SaqJob:
        await tasks.enqueue(keep, number)
        job = await tasks.queue.dequeue(timeout=5)
        assert job is not None
        return job

    async def swept(self, tasks: Tasks, clock: Clock) -> list[str]:
        """Wait until a lease runs out: by the test's clock or by the server's."""
        clock.forward(3600)
        found: list[str] = []

        async def sweep() -> bool:
            found.extend(await tasks.queue.sweep())
            return bool(found)

        await eventually(sweep, what="no lease ran out")
        return found

    async def test_the_job_of_a_dead_worker_goes_back_with_its_attempt_not_counted(
        self, tasks: Tasks, another: Callable[..., Any], clock: Clock
    ) -> None:
        dead = await another(lease=0.05)
        held = await self.claimed(dead)
        assert (held.attempts, held.status) == (1, Status.ACTIVE)
        assert await self.swept(tasks, clock) == [held.key]
        job = await tasks.get(held.key)
        assert (job.state, job.attempts, job.lost) == ("queued", 0, 1)
        await tasks.run_all()
        await job.refresh()
        assert (job.state, job.attempts, job.lost) == ("complete", 1, 1)

    async def test_who_has_lost_a_job_changes_nothing(
        self, tasks: Tasks, another: Callable[..., Any], clock: Clock
    ) -> None:
        late = await another(lease=0.05)
        held = await self.claimed(late)
        await self.swept(tasks, clock)

        async def refused() -> None:
            assert await late.queue.beat([held], renew=True) == {held.key: None}
            for change in (
                late.queue.finish(held, Status.FAILED, error="late"),
                late.queue.retry(held, "late"),
                late.queue.hand_back(held),
                late.queue.update(held, progress=0.1),
            ):
                with pytest.raises(LostJob):
                    await change

        await refused()
        again = await tasks.queue.take()
        assert again is not None
        await refused()  # while somebody else holds it
        clock.forward(1)
        await tasks.queue.hand_back(again)
        mine = await late.queue.take()
        assert mine is not None
        await refused()  # while the same worker holds it anew
        await late.queue.finish(mine, Status.COMPLETE, result=1)
        await refused()
        job = await tasks.get(held.key)
        assert (job.state, job.progress, job.error, await job.result()) == ("complete", 1, None, 1)

    @pytest.mark.slow
    async def test_a_lease_is_renewed(
        self, tasks: Tasks, another: Callable[..., Any], clock: Clock
    ) -> None:
        alive, dead = await another(lease=60), await another(lease=0.05)
        held, lost = await self.claimed(alive, 1), await self.claimed(dead, 2)
        clock.forward(50)
        assert await alive.queue.beat([held], renew=True) == {held.key: Status.ACTIVE}
        clock.forward(50 - 3600)
        assert await self.swept(tasks, clock) == [lost.key]
        assert await alive.queue.beat([held], renew=False) == {held.key: Status.ACTIVE}

    @pytest.mark.slow
    async def test_a_job_that_kills_its_workers_fails(
        self, tasks: Tasks, another: Callable[..., Any], clock: Clock
    ) -> None:
        dead = await another(lease=0.02)
        tasks.queue.most_losses = 2
        job = await dead.enqueue(keep, 1)
        for _ in range(3):
            assert await dead.queue.dequeue(timeout=5) is not None
            await self.swept(tasks, clock)
        await job.refresh()
        assert (job.state, job.lost) == ("failed", 3)
        assert job.error == "its worker died while it ran, 3 times"
        assert await dead.run_all() == []

    @pytest.mark.slow
    async def test_what_is_to_be_aborted_and_loses_its_worker_is_aborted(
        self, tasks: Tasks, another: Callable[..., Any], clock: Clock
    ) -> None:
        dead = await another(lease=0.05)
        held = await self.claimed(dead)
        assert (await tasks.abort(held.key, "enough")).state == "aborting"
        assert await dead.queue.beat([held], renew=False) == {held.key: Status.ABORTING}
        await self.swept(tasks, clock)
        job = await tasks.get(held.key)
        assert (job.state, job.error) == ("aborted", "enough")

    async def test_what_is_to_be_aborted_does_not_go_back(self, tasks: Tasks) -> None:
        held = await self.claimed(tasks)
        await tasks.abort(held.key, "enough")
        await tasks.queue.retry(held, "failed meanwhile")
        job = await tasks.get(held.key)
        assert (job.state, job.error, job.has_ended) == ("aborted", "enough", True)
        assert await tasks.run_all() == []

    async def test_a_job_is_handed_back_with_its_attempt_not_counted(self, tasks: Tasks) -> None:
        held = await self.claimed(tasks)
        await tasks.queue.update(held, progress=0.3)
        assert (await tasks.get(held.key)).progress == 0.3
        await tasks.queue.hand_back(held)
        job = await tasks.get(held.key)
        assert (job.state, job.attempts, job.progress, job.worker) == ("queued", 0, 0, None)
        assert [each.id for each in await tasks.run_all()] == [held.key]

    @pytest.mark.slow
    async def test_a_claim_under_way_when_its_worker_stops_is_given_back(
        self, tasks: Tasks, another: Callable[..., Any]
    ) -> None:
        for turn in range(15):
            stopping = await another()
            worker = stopping.worker(concurrency=3)
            await worker.begin()
            await asyncio.sleep(0.02)
            job = await tasks.enqueue(wait_for_end)
            await asyncio.sleep(turn / 5000)
            await worker.stop(timeout=0)
            await job.refresh()
            assert (job.state, job.attempts, job.lost) == ("queued", 0, 0)
            assert len(await tasks.queue.jobs([job.id])) == 1
            held = await tasks.queue.dequeue(timeout=2)
            assert held is not None
            assert held.key == job.id, "whoever comes next has it at once"
            await tasks.queue.finish(held, Status.COMPLETE)

    async def test_what_was_due_at_once_is_due_on_a_clock_that_was_set_back(
        self, tasks: Tasks, clock: Clock
    ) -> None:
        await tasks.run_all()
        job, back = await tasks.enqueue(keep, "now"), await self.claimed(tasks)
        await tasks.enqueue(keep.using(delay=0.5), "later")
        clock.forward(-3600)
        await tasks.queue.hand_back(back)
        await tasks.queue.follow_clock()
        assert job.id in [each.id for each in await tasks.run_all()]
        assert sorted(map(str, ran)) == ["1", "now"]

    @pytest.mark.slow
    async def test_several_workers_run_each_job_once(
        self, tasks: Tasks, another: Callable[..., Any]
    ) -> None:
        others = [await another() for _ in range(3)]
        async with AsyncExitStack() as workers:
            for other in others:
                await workers.enter_async_context(other.worker(concurrency=4))
            jobs = [await tasks.enqueue(keep, number) for number in range(60)]
            assert [await job.result(20) for job in jobs] == list(range(60))
        assert sorted(ran) == list(range(60))
        assert (await tasks.counts())["complete"] == 60
        assert len(await tasks.workers()) == 3

    # --- schedules ---------------------------------------------------------------------------

    async def test_a_schedule_moves_on_once(
        self, tasks: Tasks, another: Callable[..., Any]
    ) -> None:
        other = await another()
        both = (tasks.queue, other.queue)
        assert await tasks.queue.tick_of("s") is None
        moved = [await each.move_on("s", before=None, tick=1.5, job=None) for each in both]
        assert moved == [True, False]
        jobs = [SaqJob(keep.name, {"what": 1}, key=f"tick-{each.identity}") for each in both]
        moved = await asyncio.gather(
            *(
                each.move_on("s", before=1.5, tick=2.1, job=job)
                for each, job in zip(both, jobs, strict=True)
            )
        )
        assert sorted(moved) == [False, True]
        assert await other.queue.tick_of("s") == 2.1
        assert (await tasks.counts())["queued"] == 1

    @pytest.mark.slow
    async def test_each_tick_comes_once(
        self, tasks: Tasks, another: Callable[..., Any], clock: Clock
    ) -> None:
        other = await another()
        await asyncio.gather(tasks.run_all(), other.run_all())
        assert ran == [], "a schedule begins with its next tick"
        for _ in range(3):
            clock.forward(60)
            await asyncio.gather(tasks.run_all(), other.run_all())
            await tasks.run_all()
        assert ran == ["poll"] * 3

    # --- asking ------------------------------------------------------------------------------

    async def test_jobs_are_listed_the_latest_first(self, tasks: Tasks) -> None:
        ids = []
        for number in range(6):
            owner = number % 2 if number < 4 else None
            ids.append((await tasks.enqueue(keep.using(owner=owner), number)).id)
        ids.append((await tasks.enqueue(fail.using(retries=0), "no")).id)
        await tasks.abort(ids[0])
        await tasks.run_all(check=False)
        ids.append((await tasks.enqueue(keep.using(delay=5), 7)).id)
        ids.reverse()

        async def found(**how: Any) -> list[str]:
            return [job.id for job in await tasks.list(**how)]

        assert await found() == ids
        assert await found(limit=3) == ids[:3]
        assert await found(limit=3, after=ids[2]) == ids[3:6]
        assert await found(after="nothing") == []
        assert await found(status="failed") == [ids[1]]
        assert await found(status=["aborted", "queued"]) == [ids[0], ids[-1]]
        assert await found(name=fail.name) == [ids[1]]
        assert await found(owner=1) == [ids[4], ids[6]]
        assert await found(owner=0, status="complete") == [ids[5]]
        assert await found(status="complete", limit=2, after=ids[3]) == ids[4:6]
        counts = {name: number for name, number in (await tasks.counts()).items() if number}
        assert counts == {"queued": 1, "complete": 5, "failed": 1, "aborted": 1}

    async def test_what_has_ended_is_deleted_after_its_time(
        self, tasks: Tasks, clock: Clock
    ) -> None:
        job = await tasks.enqueue(keep.using(owner=1), 1)
        waiting = await tasks.enqueue(keep.using(delay="30d"), 2)
        await tasks.run_all()
        clock.forward(6 * 86_400)
        await tasks.queue.sweep()
        assert await job.status() == "complete"
        clock.forward(86_401)
        await tasks.queue.sweep()
        with pytest.raises(UnknownJob, match="no job"):
            await job.refresh()
        assert [each.id for each in await tasks.list()] == [waiting.id]
        assert await tasks.list(owner=1) == []
        assert sum((await tasks.counts()).values()) == 1

    @pytest.mark.slow
    async def test_changes_are_seen_from_elsewhere(
        self, tasks: Tasks, another: Callable[..., Any]
    ) -> None:
        other = await another()
        async with other.worker(concurrency=1):
            job = await tasks.enqueue(keep, "x")
            seen = [each.state async for each in job.changes(10)]
        assert seen[-1] == "complete"
        assert await job.result() == "x"

    @pytest.mark.slow
    async def test_the_queue_is_used_again_after_it_was_closed(self, name: str) -> None:
        tasks = Tasks(self._url, TASKS, name=name)
        for _ in range(2):
            async with tasks, tasks.worker(concurrency=2):
                assert await (await keep.enqueue(1)).result(10) == 1


class TestSQLite(Contract):
    @pytest.fixture(autouse=True)
    def place(self, tmp_path: Path) -> None:
        self._url = f"sqlite:///{tmp_path / 'tasks.db'}"

    async def test_a_lease_from_a_clock_that_was_ahead_runs_out(
        self, tasks: Tasks, another: Callable[..., Any], clock: Clock
    ) -> None:
        dead = await another(lease=15)
        held = await self.claimed(dead)
        clock.forward(-10)
        assert await tasks.queue.sweep() == []
        clock.forward(-3600)
        assert await tasks.queue.sweep() == [held.key]


@pytest.fixture(scope="module")
def postgresql() -> Iterator[str]:
    with services.fresh_database("postgresql") as url:
        yield url


@pytest.mark.slow
class TestPostgreSQL(Contract):
    @pytest.fixture(autouse=True)
    def place(self, postgresql: str) -> None:
        self._url = postgresql


@asynccontextmanager
async def emptied(url: str, name: str) -> AsyncIterator[None]:
    """Delete the keys of a queue on the shared server at the end."""
    from redis.asyncio import Redis

    try:
        yield
    finally:
        async with Redis.from_url(url, protocol=2) as client:
            for pattern in (f"saq:{name}:*", f"saq:job:{name}:*"):
                async for key in client.scan_iter(pattern, count=1000):
                    await client.delete(key)


@pytest.mark.slow
class TestRedis(Contract):
    @pytest.fixture(autouse=True)
    async def place(self, name: str) -> AsyncIterator[None]:
        host, port = services.require("redis")
        self._url = f"redis://{host}:{port}/{REDIS_DATABASE}"
        async with emptied(self._url, name):
            yield

    async def test_an_owner_has_no_list_of_what_is_gone(self, tasks: Tasks, clock: Clock) -> None:
        for _ in range(3):
            await tasks.enqueue(keep.using(owner="ada"), 1)
        await tasks.run_all()
        clock.forward(8 * 86_400)
        await tasks.queue.sweep()
        await tasks.enqueue(keep.using(owner="ada"), 2)
        assert len(await tasks.list(owner="ada")) == 1
        redis: Any = tasks.queue
        assert await redis.redis.zcard(redis.namespace("of:ada")) == 1


# --- workers that are killed -----------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["sqlite", "postgresql", "redis"])
async def test_every_task_ends_once_while_workers_are_killed(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    name = f"soak-{os.getpid()}-{secrets.token_hex(2)}"
    async with AsyncExitStack() as stack:
        if kind == "sqlite":
            url = f"sqlite:///{tmp_path / 'tasks.db'}"
        elif kind == "postgresql":
            url = request.getfixturevalue("postgresql")
        else:
            host, port = services.require("redis")
            url = f"redis://{host}:{port}/{REDIS_DATABASE}"
            await stack.enter_async_context(emptied(url, name))
        report = await task_soak.soak(url, name=name, tasks=300, workers=4, seconds=0.2)
    assert report.wrong == [], report
    assert report.counts["complete"] == 300
    assert report.kills >= 2, report


def test_the_clock_of_these_tests_stands_still() -> None:
    assert Clock()() == NOON.timestamp() == datetime(2026, 11, 21, 12, tzinfo=UTC).timestamp()
