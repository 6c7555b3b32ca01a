"""A bell beside the file of a SQLite queue: who enqueues rings, and idle workers look at once.

It is a named pipe, which costs nothing while it is silent. Where there can be none (Windows, some
network file systems) workers look by themselves a little later.
"""

from __future__ import annotations

import asyncio
import os
from contextlib import suppress
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Bell"]

_READ: Final = 65_536
"""Bytes that a pipe holds: all that has been rung."""


class Bell:
    """One end of it, in this process.

    Args:
        path: of the queue's file.
    """

    def __init__(self, path: str) -> None:
        self._path = f"{path}-bell"
        self._pipe: int | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    def open(self) -> None:
        """Make the pipe, if there is none, and open it."""
        with suppress(OSError, AttributeError):
            with suppress(FileExistsError):
                os.mkfifo(self._path)
            # For both, so that it is open for reading wherever it is written to.
            self._pipe = os.open(self._path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)

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
