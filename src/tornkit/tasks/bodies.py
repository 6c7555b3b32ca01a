"""Where the body of a task runs: in the loop, in a thread, or in a process of its own.

Each place can begin a body and, as far as that is possible there, end it early.
"""

from __future__ import annotations

import asyncio
import contextvars
import threading
from abc import ABC, abstractmethod
from contextlib import suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import inspect
    from collections.abc import Callable, Mapping

    from tornkit.tasks.context import TaskContext
    from tornkit.tasks.processes import Processes
    from tornkit.tasks.task import Task

__all__ = ["Body", "BodyExited", "body_of"]


class BodyExited(Exception):
    """The body called ``sys.exit()``, which must not end the worker."""


class Body(ABC):
    """One run of a task's function."""

    def __init__(
        self, task: Task[..., Any], context: TaskContext, bound: inspect.BoundArguments
    ) -> None:
        self.task = task
        self.context = context
        self._args = (*([context] if task.takes_context else []), *bound.args)
        self._kwargs = bound.kwargs

    @abstractmethod
    async def run(self) -> Any:
        """Run it, and return what it returns."""

    @abstractmethod
    def stop(self, running: asyncio.Task[Any], reason: str) -> None:
        """Have it end early, if it can.

        Args:
            running: the task that awaits `run`.
            reason: what it is told.
        """


class InLoop(Body):
    """An ``async def``; it is cancelled."""

    async def run(self) -> Any:
        """Await the function."""
        try:
            return await self.task.function(*self._args, **self._kwargs)
        except (SystemExit, KeyboardInterrupt) as error:
            raise BodyExited(f"{type(error).__name__}: {error}") from error

    def stop(self, running: asyncio.Task[Any], reason: str) -> None:
        """Cancel it."""
        running.cancel(reason)


class InThread(Body):
    """A plain ``def``; it ends when it next tells its progress."""

    async def run(self) -> Any:
        """Wait for the function in a thread that keeps no process from ending."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Any] = loop.create_future()
        variables = contextvars.copy_context()

        def work() -> None:
            settle: Callable[[Any], None]
            try:
                outcome = variables.run(self.task.function, *self._args, **self._kwargs)
                settle = future.set_result
            except Exception as error:  # noqa: BLE001 - it belongs to who waits
                outcome, settle = _raisable(error), future.set_exception
            except BaseException as error:  # noqa: BLE001 - as above
                outcome, settle = _exited(error), future.set_exception
            _deliver(loop, future, settle, outcome)

        threading.Thread(target=work, name=f"task {self.task.name}", daemon=True).start()
        return await future

    def stop(self, running: asyncio.Task[Any], reason: str) -> None:
        """Ask it to end."""
        self.context.stop(reason)


class InProcess(Body):
    """A plain ``def`` in a process of its own, which is killed."""

    def __init__(
        self,
        task: Task[..., Any],
        context: TaskContext,
        bound: inspect.BoundArguments,
        processes: Processes,
        arguments: Mapping[str, Any],
    ) -> None:
        super().__init__(task, context, bound)
        self._process = processes.run(task, context, arguments)

    async def run(self) -> Any:
        """Wait for the function in the process."""
        return await self._process.outcome()

    def stop(self, running: asyncio.Task[Any], reason: str) -> None:
        """Kill the process."""
        self._process.kill()


def body_of(
    task: Task[..., Any],
    context: TaskContext,
    arguments: Mapping[str, Any],
    processes: Processes,
) -> Body:
    """Return a run of a task, not begun.

    Raises:
        BadArgument: the function does not take these arguments.
    """
    bound = task.arguments.unpack(arguments)
    if task.options.run_in == "process":
        return InProcess(task, context, bound, processes, arguments)
    return (InLoop if task.options.run_in == "loop" else InThread)(task, context, bound)


def _deliver(
    loop: asyncio.AbstractEventLoop,
    future: asyncio.Future[Any],
    settle: Callable[[Any], None],
    outcome: Any,
) -> None:
    def deliver() -> None:
        if not future.done():
            settle(outcome)

    with suppress(RuntimeError):  # the loop is closed: the worker has not waited
        loop.call_soon_threadsafe(deliver)


def _raisable(error: Exception) -> Exception:
    """Return what a future can carry: not an end of iteration."""
    if isinstance(error, StopIteration):
        return RuntimeError(f"the task raised {error!r}").with_traceback(error.__traceback__)
    return error


def _exited(error: BaseException) -> BodyExited:
    return BodyExited(f"{type(error).__name__}: {error}").with_traceback(error.__traceback__)
