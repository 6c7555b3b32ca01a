"""What becomes of a job: it ends well, fails, takes too long, is stopped; its record says so."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

import pytest

from tests.tasks.support import eventually, open_tasks, until
from tornkit.errors import (
    DeadlineExceeded,
    TaskAborted,
    TaskError,
    TaskFailed,
    UnknownJob,
)
from tornkit.tasks import TaskContext, Tasks, task
from tornkit.tasks import running as running_module
from tornkit.tasks.saq import SaqJob

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tornkit.tasks import Task


async def outcome(*args: Any, of: Task[..., Any], **options: Any) -> Any:
    """Run one job and return it."""
    async with open_tasks(of, **options) as tasks:
        job = await of.enqueue(*args)
        await tasks.run_all(check=False)
        return await job.refresh()


# --- endings ---------------------------------------------------------------------------------


@task
async def explode() -> None:
    raise LookupError("no class\nof that\x00 name")


async def test_an_error_is_one_line_and_the_users_own_traceback(
    caplog: pytest.LogCaptureFixture,
) -> None:
    job = await outcome(of=explode)
    assert (job.state, job.error) == ("failed", "LookupError: no class of that\\x00 name")
    lines = job.traceback.splitlines()
    assert "Traceback (most recent call last):" in lines[2]
    assert lines[3].endswith("in explode"), "nothing above the task"
    (record,) = [each for each in caplog.records if each.name == "tornkit.tasks"]
    assert record.levelno == logging.ERROR
    assert f"job {job.id} of {explode.name} failed: LookupError" in record.getMessage()


@task
def explode_in_thread(kind: str) -> None:
    raise {"stop": StopIteration(5), "exit": SystemExit(3), "break": KeyboardInterrupt()}[kind]


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("stop", "RuntimeError: the task raised StopIteration(5)"),
        ("exit", "BodyExited: SystemExit: 3"),
        ("break", "BodyExited: KeyboardInterrupt: "),
    ],
)
async def test_what_would_end_a_program_fails_a_job(kind: str, error: str) -> None:
    job = await outcome(kind, of=explode_in_thread)
    assert (job.state, job.error.rstrip()) == ("failed", error.rstrip())


@task
async def leave() -> None:
    raise SystemExit(3)


@task
async def cancel_itself() -> None:
    raise asyncio.CancelledError


async def test_a_task_in_the_loop_ends_only_itself() -> None:
    job = await outcome(of=leave)
    assert (job.state, job.error) == ("failed", "BodyExited: SystemExit: 3")
    job = await outcome(of=cancel_itself)
    assert (job.state, job.error) == ("failed", "CancelledError: it was cancelled from inside")


@task
async def unserialisable() -> Any:
    return {"list": [1, object()]}


@task(retries=3)
async def large(size: int) -> str:
    return "x" * size


async def test_a_result_that_cannot_be_kept_fails_the_job_at_once() -> None:
    job = await outcome(of=unserialisable)
    assert job.state == "failed"
    assert "the value at list[1] is a object" in job.error
    job = await outcome(10_000_000, of=large)
    assert (job.state, job.attempts) == ("failed", 1)
    assert job.error == (
        "the result has 10,000,002 bytes of JSON, and at most 1,048,576 are kept; store it in a "
        "file or database, and return where"
    )
    assert (await outcome(900_000, of=large)).state == "complete"
    assert (await outcome(10, of=large, max_size=11)).state == "failed"


@task
async def take(what: str) -> None: ...


async def test_arguments_that_are_too_large_are_refused() -> None:
    async with open_tasks(take) as tasks:
        with pytest.raises(TaskError, match=r"the arguments have 2,000,002 bytes of JSON, and at"):
            await take.enqueue("x" * 2_000_000)
        assert sum((await tasks.counts()).values()) == 0


async def test_a_job_of_a_task_that_is_gone_fails_at_once() -> None:
    async with open_tasks(take) as tasks:
        await tasks.queue.enqueue(SaqJob("shop:sell", {}, key="1", retries=5))
        with pytest.raises(
            TaskFailed, match="UnknownTask: there is no task 'shop:sell'; there is"
        ):
            await tasks.run_all()
        job = await tasks.get("1")
        assert (job.state, job.attempts) == ("failed", 1)


async def test_arguments_from_older_code_fail_the_job_at_once() -> None:
    async with open_tasks(take) as tasks:
        older: list[dict[str, Any]] = [{}, {"what": 5}, {"what": "x", "who": "y"}]
        for number, kwargs in enumerate(older):
            await tasks.queue.enqueue(SaqJob(take.name, kwargs, key=str(number), retries=5))
        jobs = await tasks.run_all(check=False)
        assert [(job.state, job.attempts) for job in jobs] == [("failed", 1)] * 3
        assert jobs[0].error == f"BadArgument: task {take.name}: argument 'what' is missing"
        assert [job.traceback for job in jobs] == [job.error for job in jobs]


@task
async def nested_deep() -> Any:
    value: Any = []
    for _ in range(1000):
        value = [value]
    return value


async def test_a_result_that_is_nested_too_deep_fails_the_job() -> None:
    assert "nested deeper" in (await outcome(of=nested_deep)).error


@task
async def odd_error() -> None:
    raise ValueError("\ud800" + "x" * 100_000)


async def test_an_error_of_any_size_and_kind_can_be_stored() -> None:
    job = await outcome(of=odd_error)
    assert job.state == "failed"
    assert len(job.error) <= 600
    assert len(job.traceback) < 22_000
    assert "characters left out" in job.traceback


# --- stopping --------------------------------------------------------------------------------

cleaned = threading.Event()


@task(timeout=0.05)
async def endless() -> None:
    try:
        await asyncio.Event().wait()
    finally:
        cleaned.set()


@task(timeout=0.05, retries=1, retry_delay=0.001, retry_backoff=None)
def endless_thread(ctx: TaskContext) -> None:
    cleaned.clear()
    try:
        while True:
            ctx.progress(0.5)
            time.sleep(0.005)
    finally:
        cleaned.set()


@task(heartbeat=0.05)
async def silent(ctx: TaskContext) -> None:
    for _ in range(4):
        await asyncio.sleep(0.02)
        await ctx.progress()
    await asyncio.Event().wait()


async def test_what_takes_too_long_is_stopped_and_fails() -> None:
    cleaned.clear()
    job = await outcome(of=endless)
    assert (job.state, job.error) == ("failed", "TimeoutError: it did not end within 0.05 s")
    assert cleaned.is_set()


async def test_a_thread_is_stopped_where_it_tells_its_progress() -> None:
    async with open_tasks(endless_thread) as tasks, tasks.worker():
        job = await endless_thread.enqueue()
        with pytest.raises(TaskFailed, match=r"it did not end within 0.05 s"):
            await job.result(10)
        assert job.attempts == 2
        assert cleaned.is_set()


async def test_what_is_silent_for_too_long_is_stopped() -> None:
    job = await outcome(of=silent)
    assert (job.state, job.error) == ("failed", "TimeoutError: it told no progress for 0.05 s")


release = threading.Event()


@task(timeout=0.05, retries=5)
def deaf() -> None:
    release.wait(10)


async def test_a_thread_that_does_not_end_is_given_up_and_not_begun_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(running_module, "STOP_PATIENCE", 0.05)
    release.clear()
    job = await outcome(of=deaf)
    release.set()
    assert (job.state, job.attempts) == ("failed", 1)
    assert job.error == (
        "TimeoutError: it did not end within 0.05 s; it does not end, and goes on"
    )


@task
async def stubborn(ctx: TaskContext) -> str:
    await ctx.progress(0.1)
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        await asyncio.sleep(0)
    return "done all the same"


async def test_what_ends_well_in_spite_of_its_abort_is_complete() -> None:
    async with open_tasks(stubborn, lease=0.2) as tasks, tasks.worker():
        job = await stubborn.enqueue()
        await until(job, "active")
        await job.abort()
        assert await job.result(10) == "done all the same"


@task
def watchful(ctx: TaskContext) -> None:
    while not ctx.should_stop:
        time.sleep(0.005)
    ctx.progress(1)


async def test_a_thread_is_aborted() -> None:
    async with open_tasks(watchful, lease=0.2) as tasks, tasks.worker():
        job = await watchful.enqueue()
        await until(job, "active")
        await job.abort("enough")
        with pytest.raises(TaskAborted, match="was aborted: enough"):
            await job.result(10)


# --- what a task is told and says ------------------------------------------------------------


@task
async def introduce(ctx: TaskContext) -> Any:
    return [ctx.job_id, ctx.name, ctx.attempt, ctx.owner, ctx.app, ctx.should_stop]


async def test_the_context_tells_which_job_runs_for_whom() -> None:
    async with open_tasks(introduce, app="the site") as tasks:
        job = await introduce.using(owner=7).enqueue()
        await tasks.run_all()
        expected = [job.id, introduce.name, 1, "7", "the site", False]
        assert await job.result() == expected
    assert (await introduce())[:3] == ["", introduce.name, 1]


@task
async def tell(ctx: TaskContext, wrong: float | None = None) -> None:
    await ctx.progress(0.25, "a quarter")
    await ctx.progress(message="still a quarter")
    await ctx.progress(wrong)


async def test_progress_that_is_none_is_refused() -> None:
    job = await outcome(1.5, of=tell)
    assert job.error.startswith(f"TaskError: task {tell.name}: progress is 1.5; give a fraction")
    assert (job.progress, job.message) == (0.25, "still a quarter")
    with pytest.raises(TaskError):
        await tell(-0.1)
    job = await outcome(of=tell)
    assert (job.state, job.progress, job.message) == ("complete", 1.0, "still a quarter")


@task
def tell_often(ctx: TaskContext) -> None:
    for number in range(2000):
        ctx.progress(number / 2000, str(number))


async def test_progress_that_is_told_often_is_stored_now_and_then() -> None:
    async with open_tasks(tell_often) as tasks:
        stored = 0
        update = tasks.queue.update

        async def counted(*args: Any, **kwargs: Any) -> None:
            nonlocal stored
            stored += 1
            await update(*args, **kwargs)

        tasks.queue.update = counted  # type: ignore[method-assign]
        job = await tell_often.enqueue()
        await tasks.run_all()
        await job.refresh()
        assert (job.message, job.progress) == ("1999", 1.0)
        assert 1 <= stored < 50


variable: ContextVar[str] = ContextVar("variable", default="unset")


@task
async def read_in_loop() -> str:
    return variable.get()


@task
def read_in_thread() -> str:
    return variable.get()


async def test_what_is_around_a_task_is_around_its_body() -> None:
    left = []

    @contextmanager
    def around(ctx: TaskContext) -> Iterator[None]:
        token = variable.set(ctx.job_id)
        yield
        variable.reset(token)
        left.append(ctx.job_id)

    async with open_tasks(read_in_loop, read_in_thread, around=around) as tasks:
        jobs = [await each.enqueue() for each in (read_in_loop, read_in_thread)]
        await tasks.run_all()
        assert [await job.result() for job in jobs] == left == [job.id for job in jobs]
    assert variable.get() == "unset"


class Site:
    """An application that has databases."""

    def db(self, name: str, *, read_only: bool) -> Any:
        @contextmanager
        def block() -> Iterator[str]:
            yield f"{name} {read_only}"

        return block()


@task
async def use_database(ctx: TaskContext) -> str:
    with ctx.db("archive", read_only=True) as session:  # type: ignore[attr-defined]
        return str(session)


async def test_the_context_opens_the_blocks_of_its_application() -> None:
    assert (await outcome(of=use_database, app=Site()))._record.result == "archive True"
    job = await outcome(of=use_database)
    assert "ctx.db() needs an application, and there is none here" in job.error


@task
def part(ctx: TaskContext, number: int) -> int:
    ctx.progress(0.5, threading.current_thread().name)
    return number + 1


@task
async def whole(ctx: TaskContext, number: int) -> int:
    return await ctx.run(part, number=number) * await ctx.run(double, number)


@task
async def double(number: int) -> int:
    return 2 * number


@task
async def wait_inside(ctx: TaskContext) -> None:
    await ctx.run(endless_part)


@task
def endless_part(ctx: TaskContext) -> None:
    while True:
        ctx.progress(0.5)
        time.sleep(0.005)


async def test_a_task_runs_another_as_a_part_of_itself() -> None:
    async with open_tasks(whole, lease=0.2) as tasks:
        job = await whole.enqueue(3)
        (done,) = await tasks.run_all()
        assert await job.result() == 24
        assert done.message == f"task {part.name}", "it runs in a thread, and its progress counts"
    assert await whole(3) == 24
    async with open_tasks(wait_inside, lease=0.2) as tasks, tasks.worker():
        job_of_two = await wait_inside.enqueue()
        await until(job_of_two, "active")
        await job_of_two.abort()
        assert await job_of_two.wait(10)
        assert job_of_two.state == "aborted"


@task
async def try_for_a_while(ctx: TaskContext) -> str:
    try:
        await asyncio.wait_for(ctx.run(endless_part), 0.02)
    except TimeoutError:
        await ctx.progress(0.9, "without it")
    return "went on"


async def test_a_part_can_be_called_off_alone() -> None:
    job = await outcome(of=try_for_a_while)
    assert (job.state, job.message, job._record.result) == ("complete", "without it", "went on")


# --- waiting ---------------------------------------------------------------------------------


@task
async def nap(ctx: TaskContext) -> int:
    await ctx.progress(0.5, "half")
    await asyncio.sleep(0.15)
    return 1


async def test_who_waits_is_told_in_time_or_that_it_was_too_long() -> None:
    async with open_tasks(nap) as tasks:
        job = await nap.enqueue()
        assert await job.wait(0) is False
        with pytest.raises(DeadlineExceeded, match=r"is queued after 0.01 s") as late:
            await job.result(timeout=0.01)
        assert isinstance(late.value, TimeoutError)
        async with tasks.worker():
            seen = [(each.state, each.message) async for each in job.changes(10)]
        assert ("active", "half") in seen
        assert seen[-1] == ("complete", "half")


async def test_many_wait_for_one_job_and_for_many() -> None:
    async with open_tasks(double) as tasks, tasks.worker():
        jobs = [await double.enqueue(number) for number in range(20)]
        waits = [job.result(10) for job in jobs] + [
            (await tasks.get(jobs[0].id)).result(10) for _ in range(5)
        ]
        assert await asyncio.gather(*waits) == [2 * number for number in range(20)] + [0] * 5


async def test_who_waits_for_what_is_deleted_is_told_so() -> None:
    async with open_tasks(double) as tasks:
        job = await double.enqueue(1)
        waiting = asyncio.create_task(job.wait(10))
        await asyncio.sleep(0)

        async def delete() -> None:
            await tasks.queue._writer.write(  # type: ignore[attr-defined]
                lambda connection: connection.execute("DELETE FROM jobs")
            )

        await delete()
        with pytest.raises(UnknownJob):
            await waiting


async def test_a_list_is_asked_for_sensibly() -> None:
    async with open_tasks(double) as tasks:
        with pytest.raises(TaskError, match="there is no status 'done'; there is new, queued"):
            await tasks.list(status="done")  # type: ignore[arg-type]
        with pytest.raises(TaskError, match="limit is 0; give 1 to 1000"):
            await tasks.list(limit=0)


async def test_the_first_failure_is_raised_after_all_have_run() -> None:
    async with open_tasks(explode, double) as tasks:
        await explode.enqueue()
        job = await double.enqueue(1)
        with pytest.raises(TaskFailed, match="LookupError") as failed:
            await tasks.run_all()
        assert "in explode" in failed.value.traceback
        assert await job.status() == "complete"


async def test_what_a_job_shows_is_for_its_owner() -> None:
    async with open_tasks(take) as tasks:
        await take.using(owner="ann").enqueue("secret")
        (job,) = await tasks.run_all()
        shown = job.__json__()
        assert "secret" not in str(shown)
        assert (shown["status"], shown["progress"], shown["result"]) == ("complete", 1.0, None)
        assert (job.arguments, job.retries, job.priority) == ({"what": "secret"}, 0, 0)
        assert repr(job) == f"<job {job.id} {take.name} complete>"


async def test_eventually_gives_up() -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tests.tasks.support.PATIENCE", 0)

        async def never() -> bool:
            return False

        with pytest.raises(AssertionError):
            await eventually(never)


def test_tasks_know_nothing_of_an_event_loop_before_they_connect() -> None:
    Tasks("memory://", [double]).worker()


# --- what is odd -----------------------------------------------------------------------------


class Unspeakable(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no words")


class Unwritable:
    def __json__(self) -> object:
        raise RuntimeError("no JSON")


@task
async def speechless() -> None:
    raise Unspeakable


@task
async def unwritable() -> object:
    return Unwritable()


@task
async def interrupts() -> None:
    raise KeyboardInterrupt


@task
async def odd_progress(ctx: TaskContext) -> None:
    await ctx.progress(0.5, "caf\udce9\0")


@pytest.mark.parametrize(
    ("of", "error"),
    [
        (speechless, "Unspeakable: its message cannot be read"),
        (unwritable, "RuntimeError: no JSON"),
        (interrupts, "BodyExited: KeyboardInterrupt:"),
        (odd_progress, None),
    ],
    ids=["speechless", "unwritable", "interrupts", "odd progress"],
)
async def test_whatever_a_body_does_its_job_ends_once(
    of: Task[..., Any], error: str | None
) -> None:
    job = await outcome(of=of)
    assert (job.state, job.attempts, job.lost) == ("failed" if error else "complete", 1, 0)
    assert job.error == error
    assert error or job.message == "caf\\udce9\\0"


async def test_a_worker_that_is_stopped_as_it_begins_has_stopped_at_once() -> None:
    async with open_tasks(speechless) as tasks:
        worker = tasks.worker(shutdown_timeout=5)
        await worker.begin()
        began = time.monotonic()
        await worker.stop()
        assert time.monotonic() - began < 2
