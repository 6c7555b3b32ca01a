"""The tasks themselves: what they keep, what they tell, when they run."""

from datetime import UTC, datetime, timedelta

from sqlalchemy import func, select
from tornkit import Application
from tornkit.tasks import TaskContext
from tornkit.testing import Client, TaskClock

from number_service.models import Result, Summary
from number_service.tasks import clean_up, factorise, now, summarise
from tests.helpers import LARGE, tasks_of


async def results(app: Application) -> list[Result]:
    async with app.db(read_only=True) as session:
        return list(await session.scalars(select(Result).order_by(Result.id)))


async def keep(app: Application, *ages: timedelta) -> None:
    """Keep a result and a summary of each age."""
    async with app.db() as session:
        for number, age in enumerate(ages):
            found_at = now() - age
            session.add(
                Result(job_id=str(number), n=6, factors=[2, 3], seconds=0.5, found_at=found_at)
            )
            session.add(Summary(taken_at=found_at, results=1, slowest=0.5))


async def test_a_result_is_kept(client: Client, app: Application) -> None:
    job = await factorise.enqueue(360)
    await tasks_of(app).run_all()
    (result,) = await results(app)
    assert (result.job_id, result.n, result.factors) == (job.id, 360, [2, 2, 2, 3, 3, 5])
    assert await job.result() == [2, 2, 2, 3, 3, 5]


async def test_a_job_that_runs_twice_has_one_result(client: Client, app: Application) -> None:
    context = TaskContext(job_id="0" * 32, name=factorise.name, app=app)
    for _ in range(2):
        assert await factorise.function(context, 12) == [2, 2, 3]
    assert len(await results(app)) == 1


async def test_a_large_number_tells_how_far_it_is(client: Client, app: Application) -> None:
    job = await factorise.enqueue(LARGE)
    async with tasks_of(app).worker():
        told = [(each.state, each.progress, each.message) async for each in job.changes(20)]
    assert told[-1][:2] == ("complete", 1.0)
    assert any(0 < progress < 1 for _, progress, _ in told)
    assert any("tried divisors below" in message for _, _, message in told)


async def test_a_summary_counts_the_results(client: Client, app: Application) -> None:
    await keep(app, timedelta(), timedelta(hours=1))
    await summarise.enqueue()
    await tasks_of(app).run_all()
    async with app.db(read_only=True) as session:
        last = await session.scalar(select(Summary).order_by(Summary.id.desc()).limit(1))
    assert last is not None
    assert (last.results, last.slowest) == (2, 0.5)


async def test_what_is_old_is_cleaned_up(client: Client, app: Application) -> None:
    await keep(app, timedelta(hours=1), timedelta(days=2), timedelta(days=31))
    job = await clean_up.enqueue()
    await tasks_of(app).run_all()
    assert await job.result() == {"results": 1, "summaries": 2}
    async with app.db(read_only=True) as session:
        assert await session.scalar(select(func.count(Summary.id))) == 1
    assert len(await results(app)) == 2


async def test_two_tasks_run_by_themselves(app: Application, task_clock: TaskClock) -> None:
    task_clock.set(datetime(2030, 1, 7, 2, 59, 45, tzinfo=UTC))
    assert await tasks_of(app).run_all() == []  # a schedule that is new begins with its next tick
    task_clock.move(seconds=10)
    assert [job.name for job in await tasks_of(app).run_all()] == [summarise.name]
    task_clock.move(seconds=10)
    ran = {job.name for job in await tasks_of(app).run_all()}
    assert ran == {summarise.name, clean_up.name}


async def test_what_was_missed_runs_once(app: Application, task_clock: TaskClock) -> None:
    task_clock.set(datetime(2030, 1, 7, 2, 30, tzinfo=UTC))
    await tasks_of(app).run_all()
    task_clock.move(hours=1)
    ran = [job.name for job in await tasks_of(app).run_all()]
    assert sorted(ran) == sorted([summarise.name, clean_up.name])
