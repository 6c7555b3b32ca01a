"""Tasks beside plain SAQ and huey: ``python -m tests.benchmarks.tasks [--huey PYTHON]``.

For each, in rounds that alternate: how many jobs one process enqueues a second, one by one;
how many a worker of ten at a time runs, of tasks that do nothing and of tasks that wait ten
milliseconds; and how long it takes an idle worker in another process to begin one. Medians; rates
are by the wall clock, CPU time is the worker's own, from the kernel. Not a test.
"""

from __future__ import annotations

import argparse
import json
import secrets
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from tests import services

JOBS, SHORT_JOBS, PINGS = 2000, 500, 40
REDIS = "redis://127.0.0.1:6379/15"

# What all of them do: note when bodies begin and end.
COMMON = """
import asyncio, json, os, random, resource, sys, time
what, url, name, folder, number = *sys.argv[1:5], int(sys.argv[5])
begun = ended = 0
first, latencies = None, []

def begin(sent):
    global begun, first
    now = time.time()
    first = first or now
    begun += 1
    latencies.append(now - sent)

def end():
    global ended
    ended += 1
    if ended == number:
        used = resource.getrusage(resource.RUSAGE_SELF)
        told = {"seconds": time.time() - first, "latencies": latencies,
                "cpu": used.ru_utime + used.ru_stime}
        with open(os.path.join(folder, "part"), "w") as file:
            json.dump(told, file)
        os.rename(os.path.join(folder, "part"), os.path.join(folder, "done"))

def pauses():
    for _ in range(number):
        yield 0.05 + random.random() / 10
"""

TORNKIT = """
from tornkit.tasks import Tasks, task

@task(name="noop")
async def noop(sent: float) -> None:
    begin(sent)
    end()

@task(name="wait")
async def wait(sent: float) -> None:
    begin(sent)
    await asyncio.sleep(0.01)
    end()

async def main():
    async with Tasks(url, [noop, wait], name=name) as tasks:
        if what == "work":
            await tasks.worker(concurrency=10).run()
        elif what == "ping":
            for pause in pauses():
                await asyncio.sleep(pause)
                await noop.enqueue(time.time())
        else:
            chosen = noop if what == "noop" else wait
            began = time.perf_counter()
            for _ in range(number):
                await chosen.enqueue(time.time())
            print(number / (time.perf_counter() - began))

asyncio.run(main())
"""

SAQ = """
from saq import Queue, Worker

async def noop(ctx, *, sent):
    begin(sent)
    end()

async def wait(ctx, *, sent):
    begin(sent)
    await asyncio.sleep(0.01)
    end()

async def main():
    queue = Queue.from_url(url, name=name)
    await queue.connect()
    if what == "work":
        await Worker(queue, [noop, wait], concurrency=10).start()
    elif what == "ping":
        for pause in pauses():
            await asyncio.sleep(pause)
            await queue.enqueue("noop", sent=time.time())
    else:
        began = time.perf_counter()
        for _ in range(number):
            await queue.enqueue(what, sent=time.time())
        print(number / (time.perf_counter() - began))
    await queue.disconnect()

asyncio.run(main())
"""

HUEY = """
from huey import SqliteHuey
huey = SqliteHuey(filename=url)

@huey.task()
def noop(sent):
    begin(sent)
    end()

@huey.task()
def wait(sent):
    begin(sent)
    time.sleep(0.01)
    end()

if what == "work":
    huey.create_consumer(workers=10).run()
elif what == "ping":
    for pause in pauses():
        time.sleep(pause)
        noop(time.time())
else:
    chosen = noop if what == "noop" else wait
    began = time.perf_counter()
    for _ in range(number):
        chosen(time.time())
    print(number / (time.perf_counter() - began))
"""


@dataclass
class Contender:
    """One of them, and what was measured of it."""

    name: str
    script: str
    url: str
    python: str = sys.executable
    figures: dict[str, list[float]] = field(default_factory=dict)

    def note(self, what: str, figure: float) -> None:
        self.figures.setdefault(what, []).append(figure)

    def start(self, what: str, name: str, folder: Path, number: int) -> subprocess.Popen[str]:
        url = self.url.replace("FOLDER", str(folder))
        return subprocess.Popen(
            [self.python, "-c", COMMON + self.script, what, url, name, str(folder), str(number)],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def run(self, what: str, name: str, folder: Path, number: int) -> str:
        printed, _ = self.start(what, name, folder, number).communicate(timeout=120)
        return printed

    def measure(self) -> None:
        for what, number in (("noop", JOBS), ("wait", SHORT_JOBS)):
            with tempfile.TemporaryDirectory() as text:
                folder, name = Path(text), f"bench-{secrets.token_hex(4)}"
                rate = float(self.run(what, name, folder, number))
                if what == "noop":
                    self.note("enqueued/s", rate)
                worker = self.start("work", name, folder, number)
                told = _wait_for(folder, worker)
                self.note("no-op jobs/s" if what == "noop" else "10 ms jobs/s", number / told[0])
                if what == "noop":
                    self.note("worker CPU µs/job", told[2] / number * 1e6)
        with tempfile.TemporaryDirectory() as text:
            folder, name = Path(text), f"bench-{secrets.token_hex(4)}"
            worker = self.start("work", name, folder, PINGS)
            time.sleep(3)  # it begins to be idle
            self.run("ping", name, folder, PINGS)
            latencies = sorted(each * 1000 for each in _wait_for(folder, worker)[1])
            self.note("begins after ms, p50", statistics.median(latencies))
            self.note("p99", latencies[round(0.99 * (len(latencies) - 1))])


def _wait_for(folder: Path, worker: subprocess.Popen[str]) -> tuple[float, list[float], float]:
    """Wait until the worker has told what it measured, and end it."""
    deadline = time.monotonic() + 120
    try:
        while not (folder / "done").exists():
            if time.monotonic() > deadline or worker.poll() is not None:
                raise SystemExit(f"the worker did not run all jobs: {worker.args!r:.300}")
            time.sleep(0.02)
        told = json.loads((folder / "done").read_text("utf-8"))
    finally:
        worker.kill()
        worker.communicate()
    return told["seconds"], told["latencies"], told["cpu"]


def _clean_redis() -> None:
    from redis import Redis

    with Redis.from_url(REDIS, protocol=2) as client:
        for pattern in ("saq:bench-*", "saq:job:bench-*"):
            for key in client.scan_iter(pattern, count=1000):
                client.delete(key)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--huey", metavar="PYTHON", help="an interpreter that has huey")
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    with services.fresh_databases() as database:
        services.require("redis")
        contenders = [
            Contender("tornkit, SQLite", TORNKIT, "sqlite:///FOLDER/tasks.db"),
            Contender("tornkit, Redis", TORNKIT, REDIS),
            Contender("SAQ, Redis", SAQ, REDIS),
            Contender("tornkit, PostgreSQL", TORNKIT, database("postgresql")),
            Contender("SAQ, PostgreSQL", SAQ, database("postgresql")),
        ]
        if given.huey:
            huey = Contender("huey, SQLite", HUEY, "FOLDER/huey.db", given.huey)
            contenders.insert(1, huey)
        for turn in range(given.rounds):
            for contender in contenders:
                contender.measure()
            print(f"round {turn + 1} of {given.rounds}", file=sys.stderr)
        _clean_redis()
    columns = list(contenders[0].figures)
    print("|", " | ".join(["", *columns]), "|")
    print("|", " | ".join(["---"] * (len(columns) + 1)), "|")
    for each in contenders:
        figures = [f"{statistics.median(each.figures[name]):,.3g}" for name in columns]
        print("|", " | ".join([each.name, *figures]), "|")


if __name__ == "__main__":
    main()
