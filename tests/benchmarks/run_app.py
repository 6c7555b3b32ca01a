"""What ``tornkit run --app`` adds to a program: ``python -m tests.benchmarks.run_app``.

Rounds alternate between the program by itself (``python app.py``), ``tornkit run`` in production
without reloading, and in development, where a parent watches the files. Medians of the
milliseconds from exec to the first answer, and of the memory after 1,000 requests: what is
resident (RSS), and the process's share of what several have in common (PSS), both summed over the
parent and its child. Not a test.
"""

from __future__ import annotations

import argparse
import http.client
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PROGRAM = """
import asyncio
import sys

import tornado.httpserver
import tornado.web


class Hello(tornado.web.RequestHandler):
    def get(self):
        self.write({"hello": "world"})


def make_app():
    return tornado.web.Application([("/", Hello)])


async def main():
    tornado.httpserver.HTTPServer(make_app()).listen(int(sys.argv[1]), "127.0.0.1")
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
"""
RUN = ["-P", "-m", "tornkit", "run", "--app", "app:make_app"]
WAYS = {
    "python app.py": ["app.py", "{port}"],
    "run --no-reload": [*RUN, "--environment", "production", "--no-reload", "--port", "{port}"],
    "run, development": [*RUN, "--port", "{port}"],
}
SOURCE = Path(__file__).parents[2] / "src"
# Installed packages have their bytecode; it is compiled in the first round, which does not count.
UNWANTED = {"PYTHONDONTWRITEBYTECODE"}
REQUESTS = 1000
PATIENCE = 20.0


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def connected(port: int) -> http.client.HTTPConnection:
    """Return a connection as soon as the port is open."""
    end = time.monotonic() + PATIENCE
    while True:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
        try:
            connection.connect()
        except ConnectionRefusedError:
            if time.monotonic() > end:
                raise
            time.sleep(0.0005)
        else:
            return connection


def ask(connection: http.client.HTTPConnection) -> None:
    connection.request("GET", "/")
    answer = connection.getresponse()
    answer.read()
    assert answer.status == 200


def family(process: int) -> list[int]:
    """Return a process and its children."""
    children = Path(f"/proc/{process}/task/{process}/children").read_text("ascii").split()
    return [process, *(member for child in children for member in family(int(child)))]


def kibibytes(process: int, file: str, key: str) -> int:
    lines = Path(f"/proc/{process}/{file}").read_text("ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(key))


def measure(arguments: list[str], folder: Path) -> tuple[float, float, float]:
    """Return milliseconds to the first answer, and the MiB of RSS and PSS."""
    port = free_port()
    command = [sys.executable, *(word.format(port=port) for word in arguments)]
    environment = {name: value for name, value in os.environ.items() if name not in UNWANTED}
    environment |= {"PYTHONPATH": str(SOURCE), "PYTHONPYCACHEPREFIX": str(folder / "bytecode")}
    quiet = subprocess.DEVNULL
    began = time.perf_counter()
    process = subprocess.Popen(command, cwd=folder, env=environment, stdout=quiet, stderr=quiet)
    try:
        connection = connected(port)
        ask(connection)
        taken = (time.perf_counter() - began) * 1000
        for _ in range(REQUESTS):
            ask(connection)
        members = family(process.pid)
        resident = sum(kibibytes(member, "status", "VmRSS") for member in members)
        shared = sum(kibibytes(member, "smaps_rollup", "Pss:") for member in members)
        connection.close()
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(PATIENCE)
    return taken, resident / 1024, shared / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        (folder / "app.py").write_text(PROGRAM)
        found: dict[str, list[tuple[float, float, float]]] = {way: [] for way in WAYS}
        for number in range(rounds + 1):  # the first round writes the bytecode
            for way, arguments in WAYS.items():
                taken = measure(arguments, folder)
                if number:
                    found[way].append(taken)
    base = [statistics.median(column) for column in zip(*found["python app.py"], strict=True)]
    print(f"{'':18}{'first answer':>14}{'later by':>10}{'RSS':>10}{'PSS':>10}{'RSS':>7}{'PSS':>7}")
    for way, rows in found.items():
        first, resident, shared = (statistics.median(column) for column in zip(*rows, strict=True))
        ratios = f"{resident / base[1]:6.2f} x{shared / base[2]:6.2f} x"
        print(
            f"{way:18}{first:11.0f} ms{first - base[0]:7.0f} ms"
            f"{resident:6.1f} MiB{shared:6.1f} MiB{ratios}"
        )


if __name__ == "__main__":
    main()
