"""Answer with the error while there is no child to do so."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING

from tornkit.cli._broken_page import answer

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterable

__all__ = ["ErrorPages"]

_PATIENCE = 5.0  # seconds


class ErrorPages:
    """Answer on listening sockets with a text, in a thread of its own, until `close`."""

    def __init__(self, sockets: Iterable[socket.socket], text: str) -> None:
        self._sockets = [each.dup() for each in sockets]
        self._text = text
        self._loop = asyncio.new_event_loop()
        self._ending = asyncio.Event()
        self._closed = threading.Event()
        threading.Thread(target=self._run, name="tornkit-error-pages", daemon=True).start()

    def close(self) -> None:
        """Take no further connection; those that are there get their answer."""
        self._loop.call_soon_threadsafe(self._ending.set)
        self._closed.wait()

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._serve())

    async def _serve(self) -> None:
        servers = [
            await asyncio.start_server(lambda r, w: answer(r, w, self._text), sock=each)
            for each in self._sockets
        ]
        await self._ending.wait()
        for server in servers:
            server.close()
        self._closed.set()
        answering = asyncio.all_tasks() - {asyncio.current_task()}
        if answering:
            await asyncio.wait(answering, timeout=_PATIENCE)
