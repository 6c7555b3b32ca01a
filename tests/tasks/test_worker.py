"""A worker stops in order, and outlives the outages of its queue."""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
import signal
import subprocess
import sys
import time
from contextlib import ExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

from tests.contracts.own_servers import PostgreSQLServer
from tests.sessions.redis_server import RedisServer
from tests.tasks.support import eventually, open_tasks, until
from tornkit.errors import QueueUnavailable, TaskError
from tornkit.tasks import Job, TaskContext, Tasks, task
from tornkit.tasks import worker as worker_module

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

cleaned: list[str] = []
ran: list[Any] = []


@task
async def note(word: str) -> str:
    ran.append(word)
    return word


@task(timeout=None)
async def wait_for(seconds: float) -> str:
    try:
        await asyncio.sleep(seconds)
    except asyncio.CancelledError:
        cleaned.append("cancelled")
        raise
    return "ended"


async def test_what_runs_may_end_when_the_worker_stops() -> None:
    async with open_tasks(wait_for) as tasks:
        worker = tasks.worker(shutdown_timeout=5)
        await worker.begin()
        job, waiting = await wait_for.enqueue(0.1), await wait_for.using(delay=0.01).enqueue(0)
        await until(job, "active")
        await worker.stop()
        assert await job.status() == "complete"
        assert (await waiting.status()) in {"queued", "complete"}
        await worker.stop()


async def test_what_does_not_end_in_time_goes_back_with_its_attempt_not_counted() -> None:
    cleaned.clear()
    async with open_tasks(wait_for) as tasks:
        worker = tasks.worker(shutdown_timeout=0.05)
        await worker.begin()
        job = await wait_for.enqueue(60)
        await until(job, "active")
        await worker.stop()
        await job.refresh()
        assert (job.state, job.attempts, job.lost) == ("queued", 0, 0)
        assert cleaned == ["cancelled"]


async def test_a_stop_can_be_hurried() -> None:
    async with open_tasks(wait_for) as tasks:
        worker = tasks.worker(shutdown_timeout=60)
        await worker.begin()
        job = await wait_for.enqueue(60)
        await until(job, "active")
        stopping = asyncio.create_task(worker.stop())
        await asyncio.sleep(0.02)
        assert not stopping.done()
        worker.give_up()
        await stopping
        assert await job.status() == "queued"
        await worker.begin()
        await until(job, "active")
        await worker.stop(timeout=0.01)
        assert await job.status() == "queued"


async def test_an_idle_worker_stops_at_once() -> None:
    async with open_tasks(note) as tasks:
        began = time.monotonic()
        async with tasks.worker(shutdown_timeout=60):
            await asyncio.sleep(0)
        assert time.monotonic() - began < 1


async def test_several_jobs_run_at_a_time_and_no_more_than_that() -> None:
    running = most = 0

    @task
    async def count() -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.005)
        running -= 1

    async with open_tasks(count) as tasks:
        with pytest.raises(TaskError, match="concurrency is 0; give at least 1"):
            tasks.worker(concurrency=0)
        async with tasks.worker(concurrency=3):
            for job in [await count.enqueue() for _ in range(12)]:
                await job.wait(10)
    assert most == 3


async def test_a_worker_tells_that_it_is_there(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    async with open_tasks(note) as tasks, tasks.worker(concurrency=3):

        async def is_told() -> bool:
            return bool(await tasks.workers())

        await eventually(is_told)
        ((name, told),) = (await tasks.workers()).items()
        assert name == tasks.queue.identity
        assert f"/{os.getpid()}/" in name
        assert (told["concurrency"], told["failed"]) == (3, 0)
    assert "worker of memory://: 3 jobs at a time" in caplog.text
    assert not [each for each in caplog.records if each.name == "saq"]


async def test_silent_workers_are_not_taken_for_dead_when_the_clock_was_set(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with open_tasks(note, lease=0.1) as tasks:
        watch = worker_module._Watch(tasks.queue)
        assert watch.is_sure()
        real = time.time
        monkeypatch.setattr(time, "time", lambda: real() + 3600)
        assert not watch.is_sure()

        async def sure() -> bool:
            return watch.is_sure()

        await eventually(sure)
        watch.doubt()
        assert not watch.is_sure()


async def test_who_was_stopped_for_a_while_does_not_take_its_own_jobs_for_silent(
    tmp_path: Path,
) -> None:
    tasks = Tasks(f"sqlite:///{tmp_path / 'tasks.db'}", [wait_for], lease=0.2)
    async with tasks, tasks.worker(shutdown_timeout=0.01) as worker:
        job = await wait_for.enqueue(60)
        await until(job, "active")
        time.sleep(0.3)  # noqa: ASYNC251 - the loop stands still, and with it the heartbeats
        await worker._sweep()
        await job.refresh()
        assert (job.state, job.lost) == ("active", 0)


async def test_a_worker_needs_tasks_that_are_connected() -> None:
    with pytest.raises(TaskError, match=r"await tasks.connect\(\) first"):
        await Tasks("memory://", [note]).worker().begin()


async def test_upkeep_that_cannot_be_called_off_holds_no_stop_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(worker_module, "_ABANDON", 0.1)

    async def stubborn() -> None:  # as psycopg is while it asks a silent server to call off
        try:
            await asyncio.sleep(10)
        except asyncio.CancelledError:
            await asyncio.sleep(2)

    async with open_tasks(note) as tasks:
        worker = tasks.worker()
        await worker.begin()
        worker._upkeep.append(late := asyncio.create_task(stubborn()))
        await asyncio.sleep(0)
        began = time.monotonic()
        await worker.stop()
        assert time.monotonic() - began < 1.5
        late.cancel()


async def test_a_queue_that_breaks_in_a_new_way_is_asked_again(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_tasks(note) as tasks:
        usual, asked = tasks.queue.dequeue, 0

        async def broken(**options: Any) -> Any:
            nonlocal asked
            asked += 1
            if asked <= 3:
                raise RuntimeError("a bug")
            return await usual(**options)

        monkeypatch.setattr(tasks.queue, "dequeue", broken)
        async with tasks.worker(concurrency=1):
            await (await note.enqueue("x")).result(10)
    assert "does not answer: a bug" in caplog.text
    assert "Traceback" in caplog.text


async def test_a_bug_in_a_run_does_not_end_the_worker(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async with open_tasks(note) as tasks, tasks.worker(concurrency=1) as worker:
        run = worker._runner.run

        async def once(job: Any) -> None:
            monkeypatch.setattr(worker._runner, "run", run)
            raise ZeroDivisionError

        monkeypatch.setattr(worker._runner, "run", once)
        await note.enqueue("lost until its lease runs out")
        assert await (await note.enqueue("x")).result(10) == "x"
    assert "could not be run" in caplog.text


# --- in a process of its own -----------------------------------------------------------------

WORKER = """
import asyncio, os, sys, time
from tornkit.tasks import TaskContext, Tasks, task

@task(name="long")
async def long(seconds: float) -> int:
    await asyncio.sleep(seconds)
    return os.getpid()

@task(name="thread")
def thread(ctx: TaskContext) -> None:
    while True:
        time.sleep(0.01)

async def main():
    async with Tasks(sys.argv[1], [long, thread], lease=1) as tasks:
        await tasks.worker(shutdown_timeout=float(sys.argv[2])).run()

asyncio.run(main())
print("ended in order")
"""


@task(name="long")
async def long(seconds: float) -> int:
    raise NotImplementedError


@task(name="thread")
def thread(ctx: TaskContext) -> None:
    raise NotImplementedError


class Processes(ExitStack):
    """Workers in processes of their own, which end with the test."""

    def start(self, url: str, patience: float = 20) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", WORKER, url, str(patience)], stdout=subprocess.PIPE, text=True
        )
        self.enter_context(process)
        self.callback(process.kill)
        return process


@pytest.fixture
def processes() -> Iterator[Processes]:
    with Processes() as processes:
        yield processes


@pytest.mark.slow
async def test_sigterm_lets_what_runs_end(tmp_path: Path, processes: Processes) -> None:
    url = f"sqlite:///{tmp_path / 'tasks.db'}"
    async with Tasks(url, [long, thread]):
        worker = processes.start(url)
        job = await long.enqueue(0.5)
        await until(job, "active")
        late = await long.enqueue(60)
        await until(late, "active")
        await late.abort()
        worker.send_signal(signal.SIGTERM)
        assert await asyncio.to_thread(worker.wait, 15) == 0
        assert await job.result() == worker.pid
        assert await late.status() == "aborted", "an abort is obeyed also while it stops"
        assert worker.stdout is not None
        assert worker.stdout.read() == "ended in order\n"


@pytest.mark.slow
async def test_sigterm_gives_back_what_does_not_end(tmp_path: Path, processes: Processes) -> None:
    url = f"sqlite:///{tmp_path / 'tasks.db'}"
    async with Tasks(url, [long, thread]):
        worker = processes.start(url, 0.3)
        jobs: list[Job[Any]] = [await long.enqueue(60), await thread.enqueue()]
        for job in jobs:
            await until(job, "active")
        began = time.monotonic()
        worker.send_signal(signal.SIGTERM)
        assert await asyncio.to_thread(worker.wait, 15) == 0
        assert time.monotonic() - began < 8
        for job in jobs:
            await job.refresh()
            assert (job.state, job.attempts) == ("queued", 0)


@pytest.mark.slow
async def test_a_second_signal_gives_back_at_once(tmp_path: Path, processes: Processes) -> None:
    url = f"sqlite:///{tmp_path / 'tasks.db'}"
    async with Tasks(url, [long, thread]) as tasks:
        worker = processes.start(url, 60)
        job = await long.enqueue(60)
        await until(job, "active")
        worker.send_signal(signal.SIGINT)
        waiting = await long.enqueue(0)
        await asyncio.sleep(0.5)  # there is no sign of a signal that was taken note of
        assert worker.poll() is None
        assert await waiting.status() == "queued"
        worker.send_signal(signal.SIGINT)
        assert await asyncio.to_thread(worker.wait, 15) == 0
        assert await job.status() == "queued"
        assert (await tasks.counts())["queued"] == 2


# --- outages ---------------------------------------------------------------------------------


@asynccontextmanager
async def own_server(kind: type[Any]) -> AsyncIterator[Any]:
    """Run a server; what starts it has an event loop of its own, and belongs into a thread."""
    server = await asyncio.to_thread(kind().__enter__)
    try:
        yield server
    finally:
        await asyncio.to_thread(server.__exit__)


async def fails_soon() -> None:
    began = time.monotonic()
    with pytest.raises(QueueUnavailable, match="does not answer"):
        await note.enqueue("while it is down")
    assert time.monotonic() - began < 2


async def works_again(word: str) -> None:
    """Wait until a job can be enqueued, and has run."""

    async def enqueue() -> bool:
        try:
            await note.using(key=word).enqueue(word)
        except QueueUnavailable:
            return False
        return True

    await eventually(enqueue, what="the queue was never used again")
    job = await note.using(key=word).enqueue(word)
    assert await job.result(20) == word


@pytest.mark.slow
@pytest.mark.parametrize("kind", [RedisServer, PostgreSQLServer])
async def test_workers_outlive_the_outages_of_their_server(
    kind: type[Any], caplog: pytest.LogCaptureFixture
) -> None:
    ran.clear()
    async with own_server(kind) as server:
        tasks = Tasks(server.url, [note], name=secrets.token_hex(4), lease=2)
        async with tasks, tasks.worker(concurrency=3):
            assert await (await note.enqueue("before")).result(10) == "before"
            server.kill()
            await fails_soon()
            with pytest.raises(QueueUnavailable):
                await tasks.ping()
            await asyncio.to_thread(server.start)
            await works_again("after a death")
            server.stop()
            await fails_soon()
            server.go_on()
            await works_again("after a silence")
    assert [word for word in ran if word != "while it is down"] == [
        *("before", "after a death", "after a silence"),
    ]
    told = [each for each in caplog.records if each.levelno >= logging.WARNING]
    assert 1 <= len(told) <= 30, "an outage is a few lines, not a flood"


@pytest.mark.slow
@pytest.mark.parametrize("kind", [RedisServer, PostgreSQLServer])
async def test_a_site_starts_while_its_queue_is_down(kind: type[Any]) -> None:
    async with own_server(kind) as server:
        server.kill()
        tasks = Tasks(server.url, [note], name=secrets.token_hex(4))
        async with tasks, tasks.worker(concurrency=1):
            await fails_soon()
            await asyncio.to_thread(server.start)
            await works_again("later")


@pytest.mark.slow
async def test_the_end_of_a_job_is_stored_after_an_outage() -> None:
    async with (
        own_server(RedisServer) as server,
        Tasks(server.url, [wait_for], lease=30) as tasks,
        tasks.worker(),
    ):
        job = await wait_for.enqueue(1)
        await until(job, "active")
        server.kill()
        await asyncio.sleep(1.2)  # while it is down, the task ends
        await asyncio.to_thread(server.start)
        assert await job.result(20) == "ended"
        assert (job.attempts, job.lost) == (1, 0)
