"""Processes of a benchmark: pinned to a core, asked what they use, stopped by their ids."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import TracebackType
    from typing import Self

__all__ = ["Cores", "Process", "stop_strays"]

_PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True)
class Cores:
    """Where the server runs and where the load; None where one core has to do for both."""

    server: int | None
    load: int | None

    @classmethod
    def choose(cls) -> Cores:
        """Take the first two cores that this process may use, and move to the second."""
        usable = sorted(os.sched_getaffinity(0))
        if len(usable) < 2:
            return cls(None, None)
        os.sched_setaffinity(0, {usable[1]})
        return cls(usable[0], usable[1])

    def describe(self) -> str:
        """Return a line for whoever reads the figures."""
        if self.server is None:
            return "one core only: server and load share it, which no latency is to be read from"
        return f"server on core {self.server}, load on core {self.load}"


class Process:
    """A program in a session of its own, with all its children.

    Args:
        words: the program and its arguments.
        cwd: the folder that it starts in.
        variables: its environment.
        output: the file that it prints to.
        core: where it is pinned; None leaves it where this process is.
    """

    def __init__(
        self,
        words: Sequence[str],
        *,
        cwd: Path,
        variables: Mapping[str, str],
        output: Path,
        core: int | None,
    ) -> None:
        self._output = output
        with output.open("wb") as file:
            self._process = subprocess.Popen(
                words,
                cwd=cwd,
                env=variables,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C is for the harness, which stops the rest
            )
        if core is not None:
            os.sched_setaffinity(self._process.pid, {core})  # before it has any thread

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def last_line(self) -> str:
        """Return the last line that it printed, which after a crash is the error."""
        lines = self._output.read_text("utf-8", "replace").split("\n")
        return next((line.strip() for line in reversed(lines) if line.strip()), "no output")

    def cpu_seconds(self) -> float:
        """Return what it and its children have used of the CPU so far, user and system."""
        return sum(map(_cpu_seconds, self._tree()))

    def resident_bytes(self) -> int:
        """Return the memory that it and its children hold."""
        return sum(map(_resident_pages, self._tree())) * _PAGE

    def stop(self) -> None:
        """End it with all its children; none of them has anything to lose."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)  # its own session, so its own group
        self._process.wait()

    def _tree(self) -> list[int]:
        found = [self._process.pid]
        for pid in found:  # grows while it is walked
            found.extend(_children(pid))
        return found


def stop_strays() -> None:
    """End the children that nobody holds: a signal has come while one was being started."""
    for pid in _children(os.getpid()):
        for kill in (os.killpg, os.kill):  # its group, unless it has none yet
            with contextlib.suppress(ProcessLookupError):
                kill(pid, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(pid, 0)


def _children(pid: int) -> list[int]:
    found: list[int] = []
    with contextlib.suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            found.extend(map(int, (task / "children").read_text("ascii").split()))
    return found


def _cpu_seconds(pid: int) -> float:
    # The clock that clock_getcpuclockid(3) names: what /proc/PID/stat has as utime and stime,
    # ended threads too, but in nanoseconds instead of hundredths of a second.
    try:
        return time.clock_gettime(~pid << 3 | 2)
    except OSError:
        return 0.0


def _resident_pages(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text("ascii").split()[1])
    except (OSError, IndexError):
        return 0
