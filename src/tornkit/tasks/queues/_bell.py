"""A bell beside the file of a SQLite queue: who enqueues rings, and idle workers look at once.

It is a named pipe, which costs nothing while it is silent. Where there can be none (Windows, some
network file systems) or something else has its name, workers look by themselves a little later.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import stat
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tornkit._text import printable

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Bell"]

_log = logging.getLogger("tornkit.tasks")

_READ: Final = 65_536
"""Bytes that a pipe holds: all that has been rung."""


class Bell:
    """One end of it, in this process.

    Args:
        path: of the queue's file.
    """

    def __init__(self, path: str) -> None:
        self._queue = Path(path)
        self._path = Path(f"{path}-bell")
        self._pipe: int | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._warned = False

    def open(self) -> None:
        """Make the pipe, if there is none, and open it."""
        if self._pipe is not None:
            return
        try:
            with suppress(FileExistsError):
                os.mkfifo(self._path)
        except (OSError, AttributeError):
            return  # there can be none here
        try:
            self._pipe = self._open()
        except OSError as error:
            self._warn(error.strerror or str(error))

    def _open(self) -> int:
        """Open the pipe.

        Raises:
            OSError: what is there is no pipe, or not of those whose queue it is.
        """
        if self._path.is_symlink():
            raise OSError(errno.ELOOP, "it is a link")
        # For both, so that it is open for reading wherever it is written to.
        pipe = os.open(self._path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOFOLLOW)
        try:
            found = os.fstat(pipe)
            if not stat.S_ISFIFO(found.st_mode):
                raise OSError(errno.EINVAL, "it is no named pipe")
            if found.st_uid not in (os.geteuid(), self._queue.stat().st_uid):
                raise OSError(errno.EPERM, f"it belongs to user {found.st_uid}")
        except OSError:
            os.close(pipe)
            raise
        return pipe

    def _warn(self, reason: str) -> None:
        """Say once that there is no bell."""
        if not self._warned:
            self._warned = True
            _log.warning(
                "%s cannot be the bell of the task queue: %s; workers look for jobs by themselves,"
                " move it away to have them woken",
                printable(self._path, limit=1000),
                reason,
            )

    def close(self) -> None:
        """Hear no more."""
        self.ignore()
        if self._pipe is not None:
            os.close(self._pipe)
            self._pipe = None

    def ring(self) -> None:
        """Have whoever listens look, in this process and in others."""
        if self._pipe is not None:
            with suppress(OSError):  # it is full: nobody has looked for long, and somebody will
                os.write(self._pipe, b"\0")

    def listen(self, heard: Callable[[], None]) -> bool:
        """Call a function when it rings; False where that cannot be heard."""
        if self._pipe is None:
            return False
        if self._loop is None:
            self._loop = asyncio.get_running_loop()
            self._loop.add_reader(self._pipe, self._hear, heard)
        return True

    def _hear(self, heard: Callable[[], None]) -> None:
        if self._pipe is not None:
            with suppress(OSError):  # another process was faster
                os.read(self._pipe, _READ)
        heard()

    def ignore(self) -> None:
        """Call nothing any more, while there is no time to look."""
        loop, self._loop = self._loop, None
        if loop is not None and self._pipe is not None and not loop.is_closed():
            loop.remove_reader(self._pipe)
