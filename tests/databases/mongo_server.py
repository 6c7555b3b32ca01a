"""A server that speaks MongoDB's protocol, of the test's own, to be frozen and killed."""

from __future__ import annotations

import importlib.util
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from tests import services
from tests.sessions.redis_server import Freezable, free_port

if TYPE_CHECKING:
    import signal
    from typing import Self

__all__ = ["MongoServer"]

PATIENCE = 20  # seconds


class MongoServer(Freezable):
    """``nx-27017`` on a free port, with its files in a folder of its own.

    It keeps its data in SQLite and knows neither users nor TLS nor replica sets.
    """

    def __init__(self) -> None:
        if importlib.util.find_spec("nx_27017") is None:
            services.unavailable("nx-27017 is not installed")
        self.folder = Path(tempfile.mkdtemp(prefix="tornkit-mongo-"))
        self.port = free_port()
        self.url = f"mongodb://127.0.0.1:{self.port}/site"
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        shutil.rmtree(self.folder)

    def start(self) -> None:
        """Start it on the same port, with what it saved; return when it listens."""
        folder = self.folder
        files = ["--log-file", str(folder / "log"), "--pid-file", str(folder / "pid")]
        command = [sys.executable, "-W", "ignore", "-m", "nx_27017.nx_27017", *files]
        with (folder / "output").open("ab") as output:
            self._process = subprocess.Popen(
                [*command, "--port", str(self.port), "--data-dir", str(folder)],
                cwd=folder,
                stdout=output,
                stderr=output,
            )
        deadline = time.monotonic() + PATIENCE
        while not self._listens():
            assert self._process.poll() is None, (folder / "output").read_text()
            assert time.monotonic() < deadline, (folder / "output").read_text()

    def _listens(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
        except OSError:
            time.sleep(0.02)  # there is no event to wait for in another program
            return False
        return True

    def kill(self) -> None:
        """End it at once, as a crash does."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(PATIENCE)
            self._process = None

    def _signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        os.kill(self._process.pid, number)
