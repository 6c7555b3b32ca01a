"""How long users wait for the command line, beside Flask's and Django's, in alternating rounds.

``python tests/benchmarks/commands.py [--peers PYTHON] [--rounds N]``; without ``--peers`` a
fresh environment with Flask and Django in it is made.
"""

from __future__ import annotations

import argparse
import itertools
import statistics
import subprocess
import sys
import tempfile
import time
import venv
from pathlib import Path

PAIRS = {
    "--help": (["-m", "tornkit", "--help"], ["-m", "flask", "--help"]),
    "a new project": (["-m", "tornkit", "new", "{}"], ["-m", "django", "startproject", "{}"]),
}


def make_peers(folder: Path) -> str:
    """Return the Python of an environment with Flask and Django in it."""
    venv.create(folder, with_pip=True)
    python = str(folder / "bin" / "python")
    subprocess.run([python, "-m", "pip", "install", "-q", "flask", "django"], check=True)
    return python


def milliseconds(command: list[str], cwd: Path) -> float:
    began = time.perf_counter()
    quiet = subprocess.DEVNULL  # flask warns that there is no application
    subprocess.run(command, cwd=cwd, check=True, stdout=quiet, stderr=quiet)
    return (time.perf_counter() - began) * 1000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peers", help="the Python of an environment with flask and django")
    parser.add_argument("--rounds", type=int, default=15)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        peers = given.peers or make_peers(folder / "peers")
        numbers = itertools.count()
        for label, commands in PAIRS.items():
            times: tuple[list[float], list[float]] = ([], [])
            for _ in range(given.rounds + 1):  # the first round writes the bytecode
                for python, words, column in zip(
                    (sys.executable, peers), commands, times, strict=True
                ):
                    name = f"site{next(numbers)}"
                    command = [python, *(word.format(name) for word in words)]
                    column.append(milliseconds(command, folder))
            ours, theirs = (statistics.median(column[1:]) for column in times)
            peer, ratio = commands[1][1], ours / theirs
            print(f"{label}: tornkit {ours:.0f} ms, {peer} {theirs:.0f} ms, ratio {ratio:.2f}")


if __name__ == "__main__":
    main()
