"""What a session in memory adds to a busy request: ``python -m tests.benchmarks.session_cost``.

The site is pinned to one core and ``wrk`` (Debian's package) to another; rounds alternate
between Tornado's own hello world and pages without a session, with a cookie that nobody looks
at, and with a session that is read. Medians of the server's CPU time for each request, in
microseconds, from the kernel's accounting. Not a test.
"""

from __future__ import annotations

import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from tests.benchmarks import sessions

ROUNDS = 7
SECONDS = 3
PLAIN = """
import asyncio, logging, sys, tornado.httpserver, tornado.testing, tornado.web, uvloop
logging.getLogger("tornado.access").disabled = True

class Hello(tornado.web.RequestHandler):
    def get(self):
        self.write({"cpu": 1.0})

async def main():
    listening, port = tornado.testing.bind_unused_port()
    server = tornado.httpserver.HTTPServer(tornado.web.Application([("/plain", Hello)]))
    server.add_socket(listening)
    print(port, flush=True)
    await asyncio.to_thread(sys.stdin.read)

uvloop.run(main())
"""


def seconds_of(process: int) -> float:
    """Return the CPU time of a process so far."""
    fields = Path(f"/proc/{process}/stat").read_text("ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def microseconds(process: int, url: str, cookie: str) -> float:
    before = seconds_of(process)
    load = ["taskset", "-c", "1", "wrk", "-t1", "-c32", f"-d{SECONDS}", "-H", f"Cookie: {cookie}"]
    done = subprocess.run([*load, url], capture_output=True, text=True, check=True)
    found = re.search(r"(\d+) requests in", done.stdout)
    assert found is not None, done.stdout
    return (seconds_of(process) - before) / int(found[1]) * 1e6


def measure() -> None:
    started: list[subprocess.Popen[Any]] = []

    def pinned(command: list[str], **options: Any) -> subprocess.Popen[Any]:
        started.append(subprocess.Popen(["taskset", "-c", "0", *command], **options))
        return started[-1]

    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        settings: dict[str, object] = {"session.store": "memory://", "databases": {}}
        site = sessions.Site(stack, folder / "memory", settings, start=pinned)
        pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        plain = stack.enter_context(pinned([sys.executable, "-c", PLAIN], **pipes))
        assert plain.stdout is not None
        port = int(plain.stdout.readline())
        places = {"plain Tornado": (plain.pid, f"http://127.0.0.1:{port}/plain")}
        for page in sessions.PAGES[:3]:
            places[page] = (started[0].pid, f"{site.url}/{page.split()[0]}")
        taken: dict[str, list[float]] = {}
        for _ in range(ROUNDS):
            for name, (process, url) in places.items():
                taken.setdefault(name, []).append(microseconds(process, url, site.cookie))
        for name, found in taken.items():
            print(f"{name:16}{statistics.median(found):8.1f} µs", flush=True)
        site.close()


if __name__ == "__main__":
    if shutil.which("wrk") is None:
        raise SystemExit("wrk is not installed: apt-get install wrk")
    measure()
