"""Workers are killed in turn, one each second, and every task ends exactly once all the same.

``python -m tests.contracts.task_soak --tasks 2000 --workers 4 --queue sqlite:///soak.db``

Each body writes a line when it begins and one when it ends, each worker one when it has stored an
end; what is in these lines is compared with whom the parent has killed, and with the records.
"""

from __future__ import annotations

import argparse
import asyncio
import collections
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tornkit.tasks import TaskContext, Tasks, task

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["Report", "soak"]

LEASE = 3.0  # seconds
CONCURRENCY = 6
KILL_EACH = 1.0  # seconds
LOG = "TORNKIT_SOAK_LOG"


def note(*words: object) -> None:
    """Write a line that many processes may write at one time."""
    line = " ".join(map(str, (os.getpid(), *words))) + "\n"
    file = os.open(os.environ[LOG], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    try:
        os.write(file, line.encode())
    finally:
        os.close(file)


@task(ttl="1d")
async def in_loop(ctx: TaskContext, seconds: float) -> int:
    note("begin", ctx.job_id)
    await asyncio.sleep(seconds)
    note("end", ctx.job_id)
    return os.getpid()


@task(ttl="1d")
def in_thread(ctx: TaskContext, seconds: float) -> int:
    note("begin", ctx.job_id)
    time.sleep(seconds)
    note("end", ctx.job_id)
    return os.getpid()


def open_tasks(queue: str, name: str) -> Tasks:
    tasks = Tasks(queue, [in_loop, in_thread], name=name, lease=LEASE)
    # On a slow machine the last jobs are with whoever is killed next, again and again.
    tasks.queue.most_losses = 1000
    return tasks


async def work(queue: str, name: str) -> None:
    """Be a worker, until somebody ends it."""
    async with open_tasks(queue, name) as tasks:
        finish = tasks.queue.finish

        async def noted(job: Any, status: Any, **how: Any) -> None:
            await finish(job, status, **how)
            note("stored", job.key)

        tasks.queue.finish = noted  # type: ignore[method-assign]
        await tasks.worker(concurrency=CONCURRENCY, shutdown_timeout=5).run()


@dataclass(frozen=True)
class Report:
    """What came of it."""

    counts: Mapping[Any, int]
    kills: int
    seconds: float
    runs: int
    repeated: int
    """Bodies that ran once more because their worker was killed."""
    wrong: list[str]
    """What must not be."""

    def __str__(self) -> str:
        ended = {name: number for name, number in self.counts.items() if number}
        return (
            f"{ended}, {self.kills} workers killed, {self.runs} runs, {self.repeated} of them "
            f"once more after a kill, {self.seconds:.1f} s, wrong: {self.wrong or 'nothing'}"
        )


async def soak(
    queue: str, *, name: str, tasks: int, workers: int, seconds: float, patience: float = 300
) -> Report:
    """Enqueue, kill, and compare.

    Args:
        queue: the URL.
        name: of the queue, where it is shared.
        tasks: how many.
        workers: how many processes.
        seconds: how long a body takes on the average.
        patience: how long all of it may take.
    """
    chance = random.Random(6)
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log"
        log.touch()
        os.environ[LOG] = str(log)
        async with open_tasks(queue, name) as opened:
            began = time.monotonic()
            ids = []
            for number in range(tasks):
                each = (in_loop, in_thread)[number % 2]
                ids.append((await each.enqueue(chance.uniform(0, 2 * seconds))).id)
            killed = await _kill_in_turn(opened, queue, name, workers, began + patience)
            took = time.monotonic() - began
            counts = await opened.counts()
            states = {job_id: (await opened.get(job_id)).state for job_id in ids}
        lines = [line.split() for line in log.read_text().splitlines()]
    runs = sum(words[1] == "begin" for words in lines)
    wrong = _compare(lines, killed, states)
    repeated = runs - len({words[2] for words in lines if words[1] == "begin"})
    return Report(counts, len(killed), took, runs, repeated, wrong)


async def _kill_in_turn(
    tasks: Tasks, queue: str, name: str, workers: int, deadline: float
) -> set[int]:
    """Keep workers running, and kill the oldest each second, until all tasks have ended."""

    def start() -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-m", "tests.contracts.task_soak", "--work", queue, "--name", name],
            stdin=subprocess.DEVNULL,
        )

    running = [start() for _ in range(workers)]
    killed = set()
    try:
        while time.monotonic() < deadline:
            await asyncio.sleep(KILL_EACH)
            counts = await tasks.counts()
            if not counts["queued"] + counts["active"] + counts["aborting"]:
                break
            victim = running.pop(0)
            victim.kill()
            victim.wait()
            killed.add(victim.pid)
            running.append(start())
    finally:
        for each in running:
            each.send_signal(signal.SIGTERM)
        for each in running:
            each.wait(20)
    return killed


def _compare(
    lines: Sequence[Sequence[str]], killed: set[int], states: Mapping[str, str]
) -> list[str]:
    begun: dict[str, list[int]] = collections.defaultdict(list)
    stored: collections.Counter[str] = collections.Counter()
    for pid, what, job_id in lines:
        if what == "begin":
            begun[job_id].append(int(pid))
        elif what == "stored":
            stored[job_id] += 1
    wrong = [f"{job_id} is {state}" for job_id, state in states.items() if state != "complete"]
    for job_id in states:
        survivors = [pid for pid in begun[job_id] if pid not in killed]
        if not begun[job_id]:
            wrong.append(f"{job_id} never ran")
        elif len(survivors) > 1:
            wrong.append(f"{job_id} ran in {begun[job_id]}, of which {survivors} were not killed")
        if stored[job_id] > 1:
            wrong.append(f"{job_id} ended {stored[job_id]} times")
    return wrong


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--tasks", type=int, default=2000)
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--seconds", type=float, default=0.2, help="of a body, on the average")
    parser.add_argument("--queue", default="", help="default: a new SQLite file")
    parser.add_argument("--name", default=f"soak-{os.getpid()}")
    parser.add_argument("--work", metavar="QUEUE", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.work:
        asyncio.run(work(given.work, given.name))
        return
    with tempfile.TemporaryDirectory() as folder:
        report = asyncio.run(
            soak(
                given.queue or f"sqlite:///{folder}/soak.db",
                name=given.name,
                tasks=given.tasks,
                workers=given.workers,
                seconds=given.seconds,
                patience=3600,
            )
        )
    print(report)
    sys.exit(bool(report.wrong))


if __name__ == "__main__":
    main()
