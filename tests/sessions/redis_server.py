"""A Redis server of the test's own, to be stopped, killed and started again."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from abc import ABC, abstractmethod
from pathlib import Path

from tests import services

__all__ = ["Freezable", "RedisServer", "free_port"]

PATIENCE = 10  # seconds


def free_port() -> int:
    """Return a port that nothing listens at."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Freezable(ABC):
    """A server that can be made silent."""

    def stop(self) -> None:
        """Freeze it: its port still takes connections, and nobody answers."""
        self._signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """Let a frozen one go on."""
        self._signal(signal.SIGCONT)

    @abstractmethod
    def _signal(self, number: signal.Signals) -> None:
        """Send a signal to all of its processes."""


class RedisServer(Freezable):
    """``redis-server`` on a free port and a socket, with its files in a folder of its own.

    Starts on entering; on leaving it is killed, whatever became of it.
    """

    def __init__(self, *options: str) -> None:
        if shutil.which("redis-server") is None:
            services.unavailable("redis-server is not installed")
        # Not the test's own folder: the path of a socket has at most 107 characters.
        self.folder = Path(tempfile.mkdtemp(prefix="tornkit-redis-"))
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self.socket = self.folder / "redis.sock"
        self._options = options
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> RedisServer:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        shutil.rmtree(self.folder)

    def start(self) -> None:
        """Start it on the same port, with what it saved; return when it listens."""
        self._process = subprocess.Popen(
            [
                *("redis-server", "--port", str(self.port), "--bind", "127.0.0.1"),
                *("--unixsocket", str(self.socket), "--dir", str(self.folder)),
                *("--appendonly", "yes", "--appendfsync", "always", "--save", ""),
                *self._options,
            ],
            stdout=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + PATIENCE
        while not self._answers():
            assert self._process.poll() is None, "redis-server ended"
            assert time.monotonic() < deadline, "redis-server does not listen"

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1) as connection:
                connection.sendall(b"PING\r\n")
                answer = connection.recv(64)
        except OSError:
            time.sleep(0.01)  # there is no event to wait for in another program
            return False
        return answer.startswith((b"+PONG", b"-NOAUTH"))

    def kill(self) -> None:
        """End it at once, as a crash does."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(PATIENCE)
            self._process = None

    def _signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        os.kill(self._process.pid, number)
