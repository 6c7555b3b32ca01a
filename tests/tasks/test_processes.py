"""Plain functions in processes of their own; starting one takes a while, so these are slow."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from tests.tasks.support import eventually, open_tasks, until
from tornkit.errors import TaskAborted, TaskFailed
from tornkit.tasks import TaskContext, Tasks, task

pytestmark = pytest.mark.slow


@task(run_in="process")
def add(ctx: TaskContext, first: int, second: int = 1) -> dict[str, int]:
    ctx.progress(0.5, f"adding {first}")
    print("what a task prints goes to standard error")
    return {"sum": first + second, "pid": os.getpid()}


@task(run_in="process", timeout=0.5)
def spin() -> None:
    while True:
        pass


@task(run_in="process", retries=1, retry_delay=0.01)
def fail(how: str) -> Any:
    if how == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if how == "exit":
        sys.exit(3)
    if how == "os._exit":
        os._exit(4)
    if how == "result":
        return object()
    raise ValueError(how)


@task(run_in="process", timeout=None)
def sleep_on(folder: str, seconds: float = 60) -> str:
    Path(folder, "pid").write_text(str(os.getpid()))
    time.sleep(seconds)
    return "ended"


def is_alive(pid: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False


async def written(folder: Path) -> int:
    """Wait until a body has begun and written its process id; return that."""

    async def began() -> bool:
        return (folder / "pid").exists() and (folder / "pid").read_text() != ""

    await eventually(began)
    return int((folder / "pid").read_text())


async def test_a_process_runs_one_function_after_the_other() -> None:
    async with open_tasks(add) as tasks, tasks.worker():
        first = await add.enqueue(1)
        result = await first.result(20)
        assert (result["sum"], first.message) == (2, "adding 1")
        assert result["pid"] != os.getpid()
        second = await (await add.enqueue(2, second=3)).result(20)
        assert second == {"sum": 5, "pid": result["pid"]}, "the process is used again"
        together = [await add.enqueue(number) for number in range(3)]
        pids = {(await job.result(20))["pid"] for job in together}
        assert pids
    for pid in {result["pid"], *pids}:
        assert not is_alive(pid)


async def test_a_process_that_dies_while_it_is_idle_takes_no_job_along() -> None:
    async with open_tasks(add) as tasks, tasks.worker():
        for pause in (0.0, 0.3):
            idle = (await (await add.enqueue(1)).result(20))["pid"]
            os.kill(idle, signal.SIGKILL)
            await asyncio.sleep(pause)
            next_one = await add.enqueue(2)
            assert (await next_one.result(20))["pid"] != idle
            assert next_one.attempts == 1


async def test_a_process_leaves_it_to_its_worker_when_it_ends(tmp_path: Path) -> None:
    async with open_tasks(sleep_on) as tasks, tasks.worker():
        job = await sleep_on.enqueue(str(tmp_path), 0.5)
        os.kill(await written(tmp_path), signal.SIGTERM)  # as by a supervisor, to all at once
        assert await job.result(20) == "ended"


@pytest.mark.parametrize(
    ("how", "error"),
    [
        ("kill", "its process died: killed by SIGKILL"),
        ("exit", "SystemExit: 3"),
        ("os._exit", "its process died: exit code 4"),
        ("result", "EncodingError: the answer is a object, which JSON answers do not carry"),
        ("raise", "ValueError: raise"),
    ],
)
async def test_however_a_process_ends_its_job_does_too(how: str, error: str) -> None:
    async with open_tasks(fail, add) as tasks, tasks.worker():
        job = await fail.enqueue(how)
        with pytest.raises(TaskFailed) as failed:
            await job.result(20)
        assert failed.value.error.startswith(error)
        assert job.attempts == 2
        assert (await (await add.enqueue(1)).result(20))["sum"] == 2


async def test_a_process_that_takes_too_long_is_killed_and_the_loop_does_not_stall() -> None:
    async with open_tasks(spin) as tasks, tasks.worker():
        job = await spin.enqueue()
        turns = 0
        while not (await job.refresh()).has_ended:
            await asyncio.sleep(0.005)
            turns += 1
        assert job.error == "TimeoutError: it did not end within 0.5 s"
        assert turns > 10  # a busy machine may take its time for one of them


async def test_a_process_is_killed_when_its_job_is_aborted(tmp_path: Path) -> None:
    async with open_tasks(sleep_on, lease=0.4) as tasks, tasks.worker():
        job = await sleep_on.enqueue(str(tmp_path))
        await until(job, "active")

        pid = await written(tmp_path)
        await job.abort("enough")
        with pytest.raises(TaskAborted, match="enough"):
            await job.result(10)
        assert not is_alive(pid)


WORKER = """
import asyncio, sys
from tests.tasks.test_processes import sleep_on
from tornkit.tasks import Tasks

async def main():
    async with Tasks(sys.argv[1], [sleep_on], lease=1) as tasks:
        await tasks.worker(shutdown_timeout=0.2).run()

asyncio.run(main())
"""


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
async def test_a_process_ends_with_its_worker(tmp_path: Path, how: signal.Signals) -> None:
    url = f"sqlite:///{tmp_path / 'tasks.db'}"
    async with Tasks(url, [sleep_on]):
        job = await sleep_on.enqueue(str(tmp_path))
        worker = subprocess.Popen([sys.executable, "-c", WORKER, url])  # noqa: ASYNC220

        pid = await written(tmp_path)
        worker.send_signal(how)

        async def ended() -> bool:
            return not is_alive(pid) and worker.poll() is not None

        await eventually(ended)
        if how == signal.SIGTERM:
            assert worker.returncode == 0
            assert (await job.status(), job.attempts) == ("queued", 0)


@task(run_in="process", timeout=None)
def fork_on(folder: str) -> None:
    child = os.fork()
    if not child:
        time.sleep(60)
    Path(folder, "pid").write_text(str(child))
    time.sleep(60)


async def test_what_a_process_has_begun_ends_with_it(tmp_path: Path) -> None:
    async with open_tasks(fork_on, lease=0.4) as tasks, tasks.worker():
        job = await fork_on.enqueue(str(tmp_path))
        await until(job, "active")

        child = await written(tmp_path)
        await job.abort("enough")
        with pytest.raises(TaskAborted, match="enough"):
            await job.result(10)

        async def ended() -> bool:
            return not is_alive(child)

        await eventually(ended)


@task(run_in="process")
def leave_a_thread(ctx: TaskContext) -> None:
    def later() -> None:
        time.sleep(0.2)
        ctx.progress(0.9, "from the job before")

    threading.Thread(target=later, daemon=True).start()


@task(run_in="process")
def wait_a_little() -> None:
    time.sleep(0.5)


async def test_a_thread_that_is_left_says_nothing_in_the_next_job() -> None:
    async with open_tasks(leave_a_thread, wait_a_little) as tasks, tasks.worker(concurrency=1):
        await (await leave_a_thread.enqueue()).result(10)
        job = await wait_a_little.enqueue()
        await job.result(10)
        assert (await job.refresh()).message in {None, ""}
