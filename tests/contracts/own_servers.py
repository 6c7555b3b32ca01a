"""SQL servers of the test's own, to be frozen, killed and started again.

They have the methods of `tests.sessions.redis_server.RedisServer`, and their files in a folder
of their own. No server of these runs as root; where the tests do, it gets a user of its own.
"""

from __future__ import annotations

import asyncio
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from abc import abstractmethod
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from tests import services
from tests.sessions.redis_server import Freezable, free_port

if TYPE_CHECKING:
    from typing import Self

__all__ = ["MariaDBServer", "PostgreSQLServer"]

PATIENCE = 30  # seconds


class SQLServer(Freezable):
    """A server on a free port; made on entering, killed on leaving."""

    user: str
    """Who runs it when the tests are run by root."""

    def __init__(self) -> None:
        self.port = free_port()
        # Not the test's own folder: the path of a socket has at most 107 characters.
        self.folder = Path(tempfile.mkdtemp(prefix="tornkit-sql-"))
        self._process: subprocess.Popen[bytes] | None = None

    @property
    @abstractmethod
    def url(self) -> str:
        """The URL of its empty database."""

    @abstractmethod
    def _install(self) -> None:
        """Make its files."""

    @abstractmethod
    def _command(self) -> list[str]:
        """Return what starts it in the foreground."""

    @abstractmethod
    async def _ask(self) -> None:
        """Connect, and see to it that the database is there."""

    def __enter__(self) -> Self:
        try:
            if self._owner is not None:
                shutil.chown(self.folder, self._owner)
            self._install()
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        shutil.rmtree(self.folder)

    @property
    def _owner(self) -> str | None:
        if os.geteuid() != 0:
            return None
        try:
            pwd.getpwnam(self.user)
        except KeyError:
            services.unavailable(f"there is no user {self.user!r} to run a server as")
        return self.user

    def run(self, *command: str) -> None:
        subprocess.run(command, user=self._owner, capture_output=True, check=True, cwd="/")

    def start(self) -> None:
        """Start it on the same port, with what it saved; return when it answers."""
        log = self.folder / "log"
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                self._command(), user=self._owner, cwd="/", stdout=output, stderr=output
            )
        deadline = time.monotonic() + PATIENCE
        while not self._answers():
            assert self._process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()

    def _answers(self) -> bool:
        try:
            asyncio.run(self._ask())
        except Exception:  # noqa: BLE001 - every driver has a tree of its own
            time.sleep(0.05)  # there is no event to wait for in another program
            return False
        return True

    def processes(self) -> list[int]:
        """Return its processes, the first one first."""
        assert self._process is not None
        main = self._process.pid
        listed = subprocess.run(
            ["ps", "-o", "pid=", "--ppid", str(main)], capture_output=True, text=True, check=False
        )
        return [main, *map(int, listed.stdout.split())]

    def kill(self) -> None:
        """End it at once, as a crash does."""
        if self._process is not None:
            self._signal(signal.SIGKILL)
            self._process.wait(PATIENCE)
            self._process = None

    def _signal(self, number: signal.Signals) -> None:
        main, *children = self.processes()
        os.kill(main, number)  # first, so that it starts no more
        for child in children:
            with suppress(ProcessLookupError):
                os.kill(child, number)


class PostgreSQLServer(SQLServer):
    """``postgres``."""

    user = "postgres"

    @property
    def url(self) -> str:
        return f"postgresql://postgres@127.0.0.1:{self.port}/postgres"

    def _install(self) -> None:
        self.run(
            *(self._program("initdb"), "--pgdata", str(self.folder / "data")),
            *("--username", "postgres", "--auth", "trust", "--no-sync", "--encoding", "UTF8"),
        )

    def _command(self) -> list[str]:
        settings = {"listen_addresses": "127.0.0.1", "fsync": "off", "shared_buffers": "16MB"}
        options = [part for pair in settings.items() for part in ("-c", "=".join(pair))]
        folders = ["-D", str(self.folder / "data"), "-k", str(self.folder)]
        return [self._program("postgres"), *folders, "-p", str(self.port), *options]

    def _program(self, name: str) -> str:
        versions = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
        found = str(versions[-1]) if versions else shutil.which(name)
        return found or services.unavailable(f"{name} is not installed")

    async def _ask(self) -> None:
        import psycopg

        await (await psycopg.AsyncConnection.connect(self.url)).close()


class MariaDBServer(SQLServer):
    """``mariadbd``."""

    user = "mysql"

    @property
    def url(self) -> str:
        return f"mysql://root@127.0.0.1:{self.port}/site"

    def _install(self) -> None:
        self.run(
            *(self._program("mariadb-install-db"), "--no-defaults", "--skip-test-db"),
            *("--auth-root-authentication-method=normal", f"--datadir={self.folder / 'data'}"),
        )

    def _command(self) -> list[str]:
        return [
            *(self._program("mariadbd"), "--no-defaults", f"--datadir={self.folder / 'data'}"),
            *(f"--port={self.port}", "--bind-address=127.0.0.1"),
            *(f"--socket={self.folder / 'sock'}", f"--pid-file={self.folder / 'pid'}"),
            *("--innodb-flush-log-at-trx-commit=2", "--innodb-buffer-pool-size=16M"),
        ]

    def _program(self, name: str) -> str:
        return shutil.which(name) or services.unavailable(f"{name} is not installed")

    async def _ask(self) -> None:
        import asyncmy

        connection = await asyncmy.connect(host="127.0.0.1", port=self.port, user="root")
        async with connection.cursor() as cursor:
            await cursor.execute("CREATE DATABASE IF NOT EXISTS site")
        await connection.ensure_closed()
