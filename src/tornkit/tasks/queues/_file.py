"""A SQLite file behind a thread of its own: what is asked at one time is committed at one time.

Whoever enqueues or ends jobs by the hundred shares transactions that way, without knowing it.
"""

from __future__ import annotations

import asyncio
import os
import random
import sqlite3
import stat
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

from tornkit._text import printable
from tornkit._uninterrupted import uninterrupted
from tornkit.errors import TaskError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["MEMORY", "PATIENCE", "File", "glance_at"]

T = TypeVar("T")

MEMORY: Final = ":memory:"
PATIENCE: Final = 1.5
"""Seconds that work waits for the writers of other processes."""
_MOST: Final = 500  # pieces of work in one transaction

_OTHER = "move it away, or name another one in tasks.queue"
_RIGHTS = "whoever runs this needs to read and write it, and to write into its folder"
_REASONS: Final = {
    "NOTADB": ("is no SQLite database", _OTHER),
    "CORRUPT": ("is damaged", _OTHER),
    "CANTOPEN": ("cannot be opened", _RIGHTS),
    "PERM": ("cannot be opened", _RIGHTS),
    "READONLY": ("cannot be written", _RIGHTS),
    "FULL": ("has no room to grow", "make room on its disk"),
    "IOERR": ("cannot be read or written", "look at its disk, and whether that is full"),
}
"""Why there can be no queue in a file, and what to do, by how SQLite's error begins."""


@dataclass(slots=True)
class _Work(Generic[T]):
    carry_out: Callable[[sqlite3.Connection], T]
    future: asyncio.Future[T]
    loop: asyncio.AbstractEventLoop
    deadline: float  # of time.monotonic
    writes: bool
    result: T | None = None
    error: Exception | None = None

    def deliver(self) -> None:
        if self.future.done():
            return
        if self.error is not None:
            self.future.set_exception(self.error)
        else:
            self.future.set_result(self.result)  # type: ignore[arg-type]


class File:
    """One connection in one thread.

    Args:
        path: of the file, or `MEMORY`.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self._inbox: SimpleQueue[_Work[Any] | None] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._place: tuple[int, int] | None = None

    async def open(self, prepare: Callable[[sqlite3.Connection], None]) -> None:
        """Connect, in WAL, and prepare the connection.

        Raises:
            TaskError: there can be no queue in this file, such as in one of another kind.
            sqlite3.Error: it cannot be used now.
        """
        if self._thread is not None:
            return
        loop = asyncio.get_running_loop()
        opened: asyncio.Future[None] = loop.create_future()

        def serve() -> None:
            try:
                connection = _connect(self.path)
                try:
                    prepare(connection)
                except BaseException:
                    connection.close()
                    raise
            except Exception as error:  # noqa: BLE001 - it belongs to who opens
                loop.call_soon_threadsafe(opened.set_exception, _worded(self.path, error))
                return
            loop.call_soon_threadsafe(opened.set_result, None)
            try:
                self._serve(connection)
            finally:
                connection.close()

        # A thread that is left over must not keep the process from ending.
        thread = threading.Thread(target=serve, name="tornkit-tasks-sqlite", daemon=True)
        thread.start()
        await uninterrupted(opened)
        self._thread = thread
        self._place = _place_of(self.path)

    def check_place(self) -> None:
        """Make sure that the file still has its name.

        Raises:
            FileNotFoundError: it was deleted or replaced, and nobody else finds this one.
        """
        if self._thread is not None and _place_of(self.path) != self._place:
            raise FileNotFoundError(
                "the file was deleted or replaced while it was in use; begin anew with the new one"
            )

    async def close(self) -> None:
        """Carry out what was asked so far, and close the connection."""
        thread, self._thread = self._thread, None
        if thread is not None:
            self._inbox.put(None)
            await asyncio.to_thread(thread.join)

    async def read(self, carry_out: Callable[[sqlite3.Connection], T]) -> T:
        """Return what a function reads; it runs in the thread."""
        return await self._ask(carry_out, PATIENCE, writes=False)

    async def write(
        self, carry_out: Callable[[sqlite3.Connection], T], *, patience: float = PATIENCE
    ) -> T:
        """Return what a function returns that writes, in a transaction, committed.

        It has happened when the caller goes on, or never will, also if the caller is cancelled.

        Raises:
            sqlite3.Error: the file cannot be used, or stayed locked.
        """
        return await self._ask(carry_out, patience, writes=True)

    async def _ask(
        self, carry_out: Callable[[sqlite3.Connection], T], patience: float, *, writes: bool
    ) -> T:
        if self._thread is None:
            raise sqlite3.ProgrammingError("the file is not open")
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        deadline = time.monotonic() + patience
        self._inbox.put(_Work(carry_out, future, loop, deadline, writes))
        return await uninterrupted(future)

    # --- in the thread -----------------------------------------------------------------------

    def _serve(self, connection: sqlite3.Connection) -> None:
        last = False
        while not last:
            work, last = self._next()
            for each in work:
                if not each.writes:
                    _carry_out(each, connection)
            _transact([each for each in work if each.writes], connection)
            _deliver(work)

    def _next(self) -> tuple[list[_Work[Any]], bool]:
        """Return all the work that is there, at least one piece, and whether it is the last."""
        work = []
        try:
            each = self._inbox.get()
            while each is not None:
                work.append(each)
                if len(work) >= _MOST:
                    return work, False
                each = self._inbox.get_nowait()
        except Empty:
            return work, False
        return work, True


def _place_of(path: str) -> tuple[int, int] | None:
    try:
        found = Path(path).stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def glance_at(path: str) -> sqlite3.Connection:
    """Return a connection that only tells whether others have written; any thread may ask it."""
    return sqlite3.connect(path, isolation_level=None, timeout=0, check_same_thread=False)


def _connect(path: str) -> sqlite3.Connection:
    if path != MEMORY:
        _make_way(Path(path))
    # None turns off the driver's own idea of when a transaction begins.
    connection = sqlite3.connect(path, isolation_level=None, timeout=PATIENCE)
    try:
        _to_wal(connection)
        connection.execute("PRAGMA synchronous = NORMAL")
    except BaseException:
        connection.close()
        raise
    connection.row_factory = sqlite3.Row
    return connection


def _make_way(path: Path) -> None:
    """Make the folder of a file, and refuse what SQLite would take long to refuse, or never."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        mode = path.stat().st_mode if path.exists() else None
    except FileExistsError:
        raise _unusable(path, "is in no folder", _OTHER) from None
    except OSError as error:
        raise _unusable(path, f"cannot be reached: {error.strerror}", _RIGHTS) from error
    if mode is None:
        return
    if stat.S_ISDIR(mode):
        raise _unusable(path, "is a folder", "name a file in tasks.queue")
    if not stat.S_ISREG(mode):
        raise _unusable(path, "is no regular file", _OTHER)
    if not os.access(path, os.W_OK):
        raise _unusable(path, *_REASONS["READONLY"])


def _worded(path: str, error: Exception) -> Exception:
    """Return what to raise for an error of SQLite: one that says what is wrong with the file."""
    code = (getattr(error, "sqlite_errorname", None) or "").removeprefix("SQLITE_")
    for beginning, (reason, hint) in _REASONS.items():
        if code.startswith(beginning):
            refused = _unusable(path, reason, hint)
            refused.__cause__ = error
            return refused
    return error


def _unusable(path: str | Path, reason: str, hint: str) -> TaskError:
    return TaskError(
        f"the file of the task queue, {printable(path, limit=1000)}, {reason}", hint=hint
    )


def _to_wal(connection: sqlite3.Connection) -> None:
    """Switch to WAL; the busy timeout does not cover the switch itself."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if not _is_busy(error) or time.monotonic() > deadline:
                raise
            time.sleep(0.02)
        else:
            return


def _transact(work: list[_Work[Any]], connection: sqlite3.Connection) -> None:
    """Carry work out in one transaction; what fails is undone, and the rest is not."""
    try:
        work = _begin(work, connection)
        if not work:
            return
        for each in work:
            connection.execute("SAVEPOINT piece")
            if not _carry_out(each, connection):
                connection.execute("ROLLBACK TO piece")
            connection.execute("RELEASE piece")
        connection.execute("COMMIT")
    except sqlite3.Error as error:
        # The full disk, say: then nothing has happened.
        if connection.in_transaction:
            connection.rollback()
        for each in work:
            each.error = error


def _begin(work: list[_Work[Any]], connection: sqlite3.Connection) -> list[_Work[Any]]:
    """Begin to write, when no other process does; return the work whose time is not up."""
    while work:
        try:
            # SQLite would look less and less often whether it may, and starve among the busy.
            connection.execute("PRAGMA busy_timeout = 0")
            connection.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as error:
            if not _is_busy(error):
                raise
            now = time.monotonic()
            for each in work:
                each.error = error if each.deadline <= now else None
            work = [each for each in work if each.error is None]
            time.sleep(random.uniform(0.0003, 0.002))  # noqa: S311 - by chance, not in secret
        else:
            break
    return work


def _carry_out(work: _Work[Any], connection: sqlite3.Connection) -> bool:
    try:
        work.result = work.carry_out(connection)
    except Exception as error:  # noqa: BLE001 - it belongs to who asked
        work.error = error
    return work.error is None


def _deliver(work: list[_Work[Any]]) -> None:
    if not work:
        return

    def deliver() -> None:
        for each in work:
            each.deliver()

    with suppress(RuntimeError):  # the loop is closed: nobody waits
        work[0].loop.call_soon_threadsafe(deliver)


def _is_busy(error: sqlite3.Error) -> bool:
    return (getattr(error, "sqlite_errorname", None) or "").startswith("SQLITE_BUSY")
