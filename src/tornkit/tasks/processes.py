"""Processes that run plain functions: one at a time each, as many as are needed at once.

A process is begun anew, not forked, for a worker has threads and open connections. It imports the
file of its first task, and is kept for the next one.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from tornkit import encoding
from tornkit.tasks.child import LENGTH, packed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tornkit.tasks.context import TaskContext
    from tornkit.tasks.task import Task

__all__ = ["ProcessRun", "Processes", "RunFailed"]

_END_PATIENCE: Final = 5.0  # seconds that a killed process has to end
_RUNS: Final = 200  # after which a process is replaced, for what it may have leaked


class RunFailed(Exception):
    """The function raised, or its process died.

    Attributes:
        error: what happened, as `tornkit.tasks.failures.explain` has it.
        has_begun: whether the function was called.
    """

    def __init__(self, error: str, *, has_begun: bool = True) -> None:
        super().__init__(error.partition("\n")[0])
        self.error = error
        self.has_begun = has_begun


class Processes:
    """The processes of one worker.

    Args:
        spare: how many are kept while there is nothing to do.
    """

    def __init__(self, spare: int | None = None) -> None:
        self._spare = spare or os.cpu_count() or 1
        self._idle: list[_Child] = []
        self._busy: set[_Child] = set()

    def run(
        self, task: Task[..., Any], context: TaskContext, arguments: Mapping[str, Any]
    ) -> ProcessRun:
        """Return a run of a task, not begun."""
        order = {
            "module": task.function.__module__,
            "qualname": task.function.__qualname__,
            "arguments": arguments,
            "context": {
                "job_id": context.job_id,
                "name": context.name,
                "attempt": context.attempt,
                "owner": context.owner,
            },
        }
        return ProcessRun(self, order, context)

    async def take(self) -> _Child:
        """Return a process that has nothing to do."""
        while self._idle:
            child = self._idle.pop()
            if child.is_alive:
                break
        else:
            child = await _Child.start()
        self._busy.add(child)
        return child

    async def give_back(self, child: _Child) -> None:
        """Keep a process for the next run, if it is of use."""
        self._busy.discard(child)
        child.runs += 1
        if child.is_alive and child.runs < _RUNS and len(self._idle) < self._spare:
            self._idle.append(child)
        else:
            await child.end()

    async def close(self) -> None:
        """End all of them."""
        children, self._idle = [*self._idle, *self._busy], []
        await asyncio.gather(*(child.end() for child in children), return_exceptions=True)


class ProcessRun:
    """One function in one process."""

    def __init__(
        self, processes: Processes, order: Mapping[str, Any], context: TaskContext
    ) -> None:
        self._processes = processes
        self._order = order
        self._context = context
        self._child: _Child | None = None
        self._killed = False

    async def outcome(self) -> Any:
        """Run it, and return what it returns, as JSON brings it back.

        Raises:
            RunFailed: it raised, or its process died.
        """
        while True:
            self._child = child = await self._processes.take()
            is_used = child.runs > 0
            try:
                if self._killed:
                    child.kill()
                said = await self._converse(child)
                break
            except BaseException as error:
                child.kill()
                # One that died while it had nothing to do is no fault of this job.
                has_begun = not isinstance(error, RunFailed) or error.has_begun
                if has_begun or self._killed or not is_used:
                    raise
            finally:
                await self._processes.give_back(child)
        if "error" in said:
            raise RunFailed(said["error"])
        return said["result"]

    async def _converse(self, child: _Child) -> dict[str, Any]:
        """Send the order, pass progress on, and return the last that is said."""
        has_begun = False
        try:
            await child.send(self._order)
            while True:
                said = await child.receive()
                if "progress" in said:
                    await self._context.progress(said["progress"], said["message"])
                elif "begun" in said:
                    has_begun = True
                else:
                    return said
        except (EOFError, OSError) as error:
            how = await child.ending()
            raise RunFailed(f"its process died: {how}", has_begun=has_begun) from error

    def kill(self) -> None:
        """End it, wherever it is."""
        self._killed = True
        if self._child is not None:
            self._child.kill()


class _Child:
    """One process, seen from the worker."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.runs = 0
        self._process = process
        self._is_killed = False

    @classmethod
    async def start(cls) -> _Child:
        """Begin a process that finds what this one does."""
        code = (
            f"import sys; sys.path[:] = {sys.path!r}; from tornkit.tasks.child import main; main()"
        )
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", code),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            start_new_session=True,  # Ctrl-C is for the worker, which knows what to do
        )
        return cls(process)

    @property
    def is_alive(self) -> bool:
        """Whether it has not ended, nor was told to."""
        return self._process.returncode is None and not self._is_killed

    async def send(self, message: object) -> None:
        """Send it a message."""
        stdin = self._process.stdin
        if stdin is None or stdin.is_closing():
            raise EOFError
        stdin.write(packed(message))
        await stdin.drain()

    async def receive(self) -> dict[str, Any]:
        """Return its next message.

        Raises:
            EOFError: it has ended.
        """
        stdout = self._process.stdout
        if stdout is None:
            raise EOFError
        length = int.from_bytes(await stdout.readexactly(LENGTH), "big")
        message: Any = encoding.decode(await stdout.readexactly(length))
        return dict(message)

    async def ending(self) -> str:
        """Return how it ended, in words."""
        code = await self._process.wait()
        return f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"

    def kill(self) -> None:
        """End it at once."""
        self._is_killed = True
        # With what it has begun itself, which would hold its pipes open.
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)

    async def end(self) -> None:
        """End it, and wait until it has."""
        self.kill()
        with suppress(TimeoutError):
            await asyncio.wait_for(self._process.wait(), _END_PATIENCE)
