"""The parent of a development server: it watches files and replaces the child that serves.

The parent never imports the project, so no mistake in it can end the parent. It keeps the
listening sockets between two children: a browser waits instead of being refused, and gets
a page with the error where the project does not start.

It has no event loop: the child starts as soon as the parent does, and a second process should
take no more memory than it must.
"""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import signal
import socket
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

from tornkit.cli._channel import ENVIRONMENT_VARIABLE
from tornkit.cli._watch import Change, Watcher

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path
    from types import FrameType

    from tornkit.cli._error_pages import ErrorPages

__all__ = ["NO_RELOAD", "Supervisor"]

NO_RELOAD = -1000  # what `Supervisor.run` returns where the child's environment wants no reload
_STOP_SECONDS = 5.0


class _Child:
    """One serving process, and what it has said."""

    def __init__(self, command: Sequence[str], sockets: list[socket.socket]) -> None:
        ours, theirs = socket.socketpair()
        numbers = [theirs.fileno(), *(each.fileno() for each in sockets)]
        environment = {**os.environ, ENVIRONMENT_VARIABLE: ",".join(map(str, numbers))}
        self.process = subprocess.Popen(command, env=environment, pass_fds=numbers)  # noqa: S603  our own command line
        theirs.close()
        self.end = ours
        ours.setblocking(False)
        self.gone = False
        self._buffer = b""

    def hear(self) -> tuple[list[dict[str, Any]], list[socket.socket], bool]:
        """Return the messages and sockets that have arrived, and whether the child is there."""
        sockets: list[socket.socket] = []
        try:
            while True:
                data, numbers, _, _ = socket.recv_fds(self.end, 65536, 16)
                sockets += [socket.socket(fileno=number) for number in numbers]
                if not data:
                    return self._lines(), sockets, False
                self._buffer += data
        except BlockingIOError:
            return self._lines(), sockets, True
        except OSError:
            return self._lines(), sockets, False

    def stop(self, number: signal.Signals) -> int:
        """Ask the process to end, make it end where it does not, and return its exit code."""
        if not self.gone and self.process.poll() is None:
            self.process.send_signal(number)
        patience = None if number == signal.SIGTERM else _STOP_SECONDS
        try:
            return self.process.wait(patience)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()

    def _lines(self) -> list[dict[str, Any]]:
        *lines, self._buffer = self._buffer.split(b"\n")
        return [json.loads(line) for line in lines]


class Supervisor:
    """Keep one child serving until a signal ends both.

    Args:
        command: what starts a child.
        folder: the project's folder, which is watched.
    """

    def __init__(self, command: Sequence[str], folder: Path) -> None:
        self._command = command
        self._folder = folder
        self._sockets: list[socket.socket] = []
        self._pages: ErrorPages | None = None
        self._child: _Child | None = None
        self._error = ""
        self._served_once = False
        self._wants_reload = True
        self._ending: int | None = None
        self._hurries = False

    def run(self) -> int:
        """Serve and reload; return the exit code, or `NO_RELOAD`."""
        self._watcher = Watcher(self._folder)
        with selectors.DefaultSelector() as self._selector, self._signals():
            try:
                return self._generations()
            finally:
                self._hide_error()
                for each in self._sockets:
                    each.close()

    @contextlib.contextmanager
    def _signals(self) -> Iterator[None]:
        """Note signals, and let them end a wait."""
        woken, waking = socket.socketpair()
        for each in (woken, waking):
            each.setblocking(False)
        self._selector.register(woken, selectors.EVENT_READ)
        signal.set_wakeup_fd(waking.fileno(), warn_on_full_buffer=False)
        before = {each: signal.signal(each, self._end) for each in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
            signal.set_wakeup_fd(-1)
            woken.close()
            waking.close()

    def _end(self, number: int, _frame: FrameType | None) -> None:
        if self._ending is not None and self._child and self._child.process.poll() is None:
            # Asked twice, it ends at once, but gives back what it has begun; asked again, it ends.
            self._child.process.send_signal(signal.SIGKILL if self._hurries else signal.SIGINT)
            self._hurries = True
        self._ending = 130 if number == signal.SIGINT else 0

    def _generations(self) -> int:
        while True:
            child = self._child = _Child(self._command, self._sockets)
            self._selector.register(child.end, selectors.EVENT_READ)
            change = self._generation(child, time.monotonic())
            if not child.gone:
                self._selector.unregister(child.end)
            # SIGTERM lets requests in flight take their whole time, SIGINT a short one.
            code = child.stop(signal.SIGTERM if self._ending == 0 else signal.SIGINT)
            # It may have opened its port while it was told to go.
            self._hear(child, None)
            child.end.close()
            if self._ending is not None:
                return self._ending
            if change is None:
                return code if self._wants_reload else NO_RELOAD
            _say(f"Changed: {_named(change, self._folder)}; restarting.")

    def _generation(self, child: _Child, began: float) -> Change | None:
        """Wait until this child has to go; None means that no other shall follow."""
        while self._ending is None:
            self._selector.select(self._watcher.pause)
            if not child.gone:
                child.gone = not self._hear(child, began)
                if child.gone:
                    self._selector.unregister(child.end)
                    if not (self._served_once and self._wants_reload):
                        return None
                    self._show_error(child)
            change = self._look(child.gone)
            if change is not None:
                return change
        return None

    def _hear(self, child: _Child, began: float | None) -> bool:
        messages, sockets, alive = child.hear()
        self._sockets += sockets
        for message in messages:
            match message["kind"]:
                case "no-reload":
                    self._wants_reload = False
                case "failed":
                    self._error = message["text"]
                case "ready":
                    self._watcher.ignore(message["ignore"])
                    self._hide_error()
                case "serving":
                    if self._served_once and began is not None:
                        _say(f"Reloaded in {time.monotonic() - began:.1f} s.")
                    self._served_once = True
        return alive

    def _look(self, everything: bool) -> Change | None:
        """Return a change that asks for another child, once no more files change."""
        change = self._watcher.look()
        if change is None or not (change.needs_restart or everything):
            return None
        deadline = time.monotonic() + 1
        while time.monotonic() < deadline and self._ending is None:
            time.sleep(0.05)
            if self._watcher.look() is None:
                break
        return change

    def _show_error(self, child: _Child) -> None:
        from tornkit.cli._error_pages import ErrorPages  # noqa: PLC0415  imports asyncio

        code = child.process.wait()
        text = self._error or f"The server process ended with code {code}; see the terminal."
        _say("Waiting for a change.")
        self._pages = ErrorPages(self._sockets, text)

    def _hide_error(self) -> None:
        self._error = ""
        if self._pages is not None:
            self._pages.close()
            self._pages = None


def _named(change: Change, folder: Path) -> str:
    first = os.path.relpath(change.paths[0], folder)
    shown = first.encode("unicode_escape").decode("ascii")
    return f"{shown} and {len(change.paths) - 1} more" if len(change.paths) > 1 else shown


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)  # noqa: T201  the parent imports as little as it can
