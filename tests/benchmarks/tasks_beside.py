"""A site while tasks run: ``python -m tests.benchmarks.tasks_beside``.

Rounds alternate between a site that nothing runs beside, and the same one while tasks run: in a
worker of its own, in the process of the site, and in a process that a task keeps busy. A load asks
for ``/`` at a fixed rate; what is printed are medians of its p50 and p99, and by how much the load
itself was late. The site has one core, all else the other. Not a test.
"""

from __future__ import annotations

import argparse
import os
import secrets
import sqlite3
import statistics
import sys
import tempfile
import time
from contextlib import ExitStack, closing
from pathlib import Path

from tests.benchmarks.harness.asking import Request
from tests.benchmarks.harness.errors import LeftOutError
from tests.benchmarks.harness.loads import Generator
from tests.benchmarks.harness.processes import Process
from tests.benchmarks.harness.site import Entry, Site
from tests.benchmarks.run_app import free_port

PROGRAM = """
import asyncio, time
from tornkit import PUBLIC, Application, BaseHandler, Module, Settings, path
from tornkit.tasks import task

@task
async def short(number: int) -> int:
    await asyncio.sleep(0.01)
    return number

@task(run_in="process")
def busy(seconds: float) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        pass

class Home(BaseHandler):
    async def get(self):
        self.response_json(hello="world")

module = Module(name="home", access=PUBLIC, routes=[path("/", Home, name="home")])

def make_app(settings=None):
    return Application(settings or Settings.load(), modules=[module])
"""
# Enqueues for as long as the round lasts: SECONDS KIND RATE.
FEED = """
import asyncio, sys, time
from app import busy, make_app, short

async def main(seconds, kind, rate):
    app = make_app()
    async with app.tasks:
        end = time.monotonic() + seconds
        number = 0
        if kind == "busy":
            await busy.enqueue(seconds)
        while kind == "short" and time.monotonic() < end:
            await short.enqueue(number)
            number += 1
            await asyncio.sleep(1 / rate)

asyncio.run(main(float(sys.argv[1]), sys.argv[2], float(sys.argv[3])))
"""
SETTINGS = """
secret = "{secret}"
allowed_hosts = ["127.0.0.1"]
[session]
store = "memory://"
[tasks]
name = "beside"
run_in_site = {inside}
"""
WAYS = {  # what is enqueued, and who runs it
    "no tasks": (None, "worker"),
    "in a worker": ("short", "worker"),
    "in the site": ("short", "site"),
    "a busy process of the site": ("busy", "site"),
}
SOURCE = Path(__file__).parents[2] / "src"
START, JOBS, CONNECTIONS = 1.0, 100, 20


class Round:
    """One site in a folder of its own, and what is beside it."""

    def __init__(self, seconds: float, rate: float) -> None:
        self.seconds, self.rate = seconds, rate

    def measure(self, kind: str | None, runs_in: str) -> tuple[float, float, float]:
        """Return p50 and p99, and the lateness of the load, in milliseconds."""
        with ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            (folder / "app.py").write_text(PROGRAM)
            (folder / "settings.toml").write_text(
                SETTINGS.format(secret=secrets.token_urlsafe(32), inside=runs_in == "site").lower()
            )
            port = free_port()
            process = self._start(stack, folder, "run", "--port", str(port))
            site = Site(Entry("tornkit"), port, folder, process)
            site.wait()
            if runs_in == "worker":
                self._start(stack, folder, "worker")
            if kind is not None:
                words = ["-c", FEED, str(self.seconds + 2 * START), kind, str(JOBS)]
                self._python(stack, folder, "feed", words)
            time.sleep(START)
            seen = self._ask(site)
            if kind is not None:
                self._make_sure(folder, kind)
            return seen

    def _make_sure(self, folder: Path, kind: str) -> None:
        """End where the tasks did not run, so that nothing was measured."""
        with closing(sqlite3.connect(folder / "data" / "site-tasks.db")) as queue:
            rows = queue.execute("SELECT status, count(*) FROM jobs GROUP BY status")
            counts: dict[str, int] = dict(rows.fetchall())
        wanted = self.seconds * JOBS / 2 if kind == "short" else 1
        if counts.get("complete" if kind == "short" else "active", 0) < wanted:
            raise LeftOutError(f"the tasks did not run: {counts}")

    def _start(self, stack: ExitStack, folder: Path, *words: str) -> Process:
        command = ["-P", "-m", "tornkit", *words, "--no-reload", "--environment", "production"]
        return self._python(stack, folder, words[0], [*command, "--app", "app:make_app"])

    @staticmethod
    def _python(stack: ExitStack, folder: Path, name: str, words: list[str]) -> Process:
        process = Process(
            [sys.executable, *words],
            cwd=folder,
            variables={**os.environ, "PYTHONPATH": f"{SOURCE}:{folder}"},
            output=folder / f"{name}.txt",
            core=None,
        )
        return stack.enter_context(process)

    def _ask(self, site: Site) -> tuple[float, float, float]:
        load = Generator(
            *("rate", site, Request(), CONNECTIONS),
            seconds=self.seconds,
            rate=self.rate,
            alone=False,
        )
        with load:
            seen = load.run()
        if seen.unfinished or seen.late is None:
            raise LeftOutError(f"the site does not keep up: {seen}")
        return seen.p50 * 1000, seen.p99 * 1000, seen.late * 1000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--rate", type=float, default=400, help="requests a second")
    given = parser.parse_args()
    each = Round(given.seconds, given.rate)
    found: dict[str, list[tuple[float, float, float]]] = {way: [] for way in WAYS}
    for _ in range(given.rounds):
        for way, how in WAYS.items():
            try:
                found[way].append(each.measure(*how))
            except LeftOutError as reason:
                raise SystemExit(f"Error: {reason}") from None
    print(f"{'ms':28}{'p50':>8}{'p99':>8}{'load late':>11}")
    for way, rows in found.items():
        p50, p99, late = (statistics.median(column) for column in zip(*rows, strict=True))
        print(f"{way:28}{p50:8.2f}{p99:8.2f}{late:11.2f}")


if __name__ == "__main__":
    main()
