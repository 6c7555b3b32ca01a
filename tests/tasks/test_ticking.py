"""Each tick comes once, whatever clocks and workers do."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from tests.tasks.support import NOON, Clock, open_tasks
from tornkit.tasks import TaskContext, task
from tornkit.tasks.saq import Status

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tornkit.tasks import Tasks

ran: list[Any] = []


@task(every="5m")
async def poll() -> None:
    ran.append("poll")


@task(cron="0 0 * * *")
async def midnight(ctx: TaskContext) -> None:
    ran.append("midnight")


@task(cron="0 0 * * *", missed="skip")
async def only_at_midnight() -> None:
    ran.append("only at midnight")


@pytest.fixture
def clock() -> Clock:
    ran.clear()
    return Clock()


@pytest.fixture
async def tasks(clock: Clock) -> AsyncIterator[Tasks]:
    async with open_tasks(poll, midnight, only_at_midnight, clock=clock) as tasks:
        await tasks.run_all()
        yield tasks


async def run(tasks: Tasks) -> list[Any]:
    """Run what is due; return what ran, without the polls if others did."""
    ran.clear()
    await tasks.run_all()
    return sorted(ran)


async def test_a_task_begins_with_its_next_tick(tasks: Tasks, clock: Clock) -> None:
    assert ran == []
    clock.forward(299)
    assert await run(tasks) == []
    clock.forward(1)
    assert await run(tasks) == ["poll"]
    assert await run(tasks) == []


async def test_after_a_night_without_a_worker_each_task_runs_once(
    tasks: Tasks, clock: Clock
) -> None:
    clock.set(NOON + timedelta(days=3, hours=8))
    assert await run(tasks) == ["midnight", "poll"]
    assert await run(tasks) == []


async def test_a_tick_that_is_little_late_is_not_missed(tasks: Tasks, clock: Clock) -> None:
    clock.set(datetime(2026, 11, 22, 0, 0, 59, tzinfo=UTC))
    assert await run(tasks) == ["midnight", "only at midnight", "poll"]
    clock.set(datetime(2026, 11, 23, 0, 1, 1, tzinfo=UTC))
    assert await run(tasks) == ["midnight", "poll"]


async def test_a_clock_that_is_set_back_repeats_nothing(tasks: Tasks, clock: Clock) -> None:
    clock.set(datetime(2026, 11, 21, 23, 30, tzinfo=UTC))
    for _ in range(8):
        assert "poll" in await run(tasks)
        clock.forward(300)
    assert "poll" in await run(tasks)
    clock.set(datetime(2026, 11, 21, 23, 30, tzinfo=UTC))
    for _ in range(8):
        assert await run(tasks) == []
        clock.forward(300)
    assert clock.now == datetime(2026, 11, 22, 0, 10, tzinfo=UTC).timestamp()
    clock.forward(300)
    assert await run(tasks) == ["poll"]


async def test_a_clock_that_was_ahead_leaves_no_gap(tasks: Tasks, clock: Clock) -> None:
    clock.forward(20 * 3600)
    assert await run(tasks) == ["midnight", "poll"]
    clock.set(NOON + timedelta(minutes=1))
    assert await run(tasks) == []
    clock.forward(300)
    assert await run(tasks) == ["poll"]
    clock.set(NOON + timedelta(hours=12))
    assert await run(tasks) == ["poll"], "this midnight was a tick already"
    clock.set(NOON + timedelta(hours=20))
    assert await run(tasks) == [], "so was this poll"
    clock.forward(300)
    assert await run(tasks) == ["poll"]


async def test_a_clock_that_was_far_ahead_stops_nothing_for_good(
    tasks: Tasks, clock: Clock
) -> None:
    clock.set(NOON + timedelta(days=4000))
    assert await run(tasks) == ["midnight", "poll"]
    clock.set(NOON + timedelta(minutes=11))
    assert await run(tasks) == []
    clock.set(NOON + timedelta(minutes=15))
    assert await run(tasks) == ["poll"]
    clock.set(NOON + timedelta(days=1))
    assert await run(tasks) == ["midnight", "poll"]


async def test_a_run_does_not_overlap_when_the_clock_goes_back(clock: Clock) -> None:
    @task(every="5m")
    async def slow() -> None:
        ran.append("slow")

    async with open_tasks(slow, clock=clock) as tasks:
        await tasks.run_all()
        clock.forward(3600)
        await tasks._ticker().fire()
        held = await tasks.queue.take()
        assert held is not None
        clock.set(NOON + timedelta(minutes=11))
        assert await tasks.run_all() == [], "the one before still runs"
        await tasks.queue.finish(held, Status.COMPLETE)
        await tasks.run_all()
        clock.forward(300)
        await tasks.run_all()
        assert ran == ["slow"]


async def test_a_run_that_takes_longer_than_its_period_does_not_overlap(clock: Clock) -> None:
    @task(every="5m")
    async def slow() -> None:
        ran.append(len(ran))

    async with open_tasks(slow, clock=clock) as tasks:
        await tasks.run_all()
        clock.forward(300)
        ticker = tasks._ticker()
        await ticker.fire()
        held = await tasks.queue.take()
        assert held is not None
        clock.forward(900)
        assert await tasks.run_all() == [], "the one before still runs"
        await tasks.queue.hand_back(held)
        jobs = await tasks.run_all()
        assert jobs[0].id == held.key
        assert ran == [0, 1], "and then the latest tick, once"


async def test_a_job_of_a_tick_tells_which(tasks: Tasks, clock: Clock) -> None:
    clock.forward(301)
    (job,) = await tasks.run_all()
    stored = await tasks.queue.job(job.id)
    assert stored is not None
    assert stored.meta["tick"] == (NOON + timedelta(minutes=5)).timestamp()


async def test_a_task_on_a_schedule_can_be_enqueued_too(tasks: Tasks) -> None:
    await poll.enqueue()
    assert await run(tasks) == ["poll"]
