"""A contender at work: started for one case, with a folder and a port of its own."""

from __future__ import annotations

import os
import socket
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tests.benchmarks.contenders.common import HOST
from tests.benchmarks.harness.asking import Answer, Request, ask
from tests.benchmarks.harness.contenders import CONTENDERS, PORT, Contender
from tests.benchmarks.harness.errors import LeftOutError
from tests.benchmarks.harness.processes import Process

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import ExitStack

__all__ = ["ROOT", "Entry", "Site", "start"]

ROOT = Path(__file__).parents[3]
_PATIENCE = 30.0  # seconds until a server listens
# What a developer's shell carries must not change who is compared.
_FOREIGN = ("PYTHON", "TORNKIT", "BENCH", "UVICORN", "GUNICORN", "SANIC", "FLASK", "DJANGO", "WEB")


@dataclass(frozen=True)
class Entry:
    """A contender in a case, with the number of its routes where that is what is compared."""

    contender: str
    routes: int | None = None

    @property
    def label(self) -> str:
        routes = "" if self.routes is None else f", {self.routes:,} routes"
        return f"{self.contender}{routes}"


@dataclass(frozen=True)
class Site:
    """A server that listens."""

    entry: Entry
    port: int
    folder: Path
    process: Process

    def ask(self, request: Request) -> Answer:
        """Ask once; no answer is a `LeftOutError`."""
        return ask(self.port, request)

    def wait(self) -> None:
        """Wait until it takes connections.

        Raises:
            LeftOutError: it has ended, or takes too long.
        """
        deadline = time.monotonic() + _PATIENCE
        while time.monotonic() < deadline:
            if not self.process.alive:
                raise LeftOutError(f"does not start: {self.process.last_line()}")
            try:
                socket.create_connection((HOST, self.port), timeout=1).close()
            except OSError:
                time.sleep(0.02)
            else:
                return
        raise LeftOutError(f"does not listen after {_PATIENCE:g} s: {self.process.last_line()}")


def start(
    stack: ExitStack,
    entry: Entry,
    case: str,
    *,
    folder: Path,
    core: int | None,
    peers: Callable[[], Path],
) -> Site:
    """Start a contender; the stack stops it.

    Args:
        stack: what ends with the case.
        entry: who.
        case: what it is to serve.
        folder: where it may write.
        core: where it is pinned.
        peers: gives the Python of the peers.
    """
    contender = CONTENDERS[entry.contender]
    folder.mkdir(parents=True)
    port = _free_port()
    words = [str(port) if word == PORT else word for word in contender.words]
    python = str(peers()) if contender.is_peer else sys.executable
    variables = {
        **_variables(contender),
        "BENCH_CASE": case,
        "BENCH_PORT": str(port),
        "BENCH_FOLDER": str(folder),
    }
    if entry.routes is not None:
        variables["BENCH_ROUTES"] = str(entry.routes)
    process = Process(
        [python, *words], cwd=ROOT, variables=variables, output=folder / "output", core=core
    )
    return Site(entry, port, folder, stack.enter_context(process))


def _variables(contender: Contender) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_FOREIGN)}
    return kept if contender.is_peer else {**kept, "PYTHONPATH": str(ROOT / "src")}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port
