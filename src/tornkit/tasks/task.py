"""`task`: what makes a function one that can be enqueued, and run on a schedule."""

from __future__ import annotations

import inspect
import sys
from dataclasses import dataclass
from functools import cached_property, update_wrapper
from typing import (
    TYPE_CHECKING,
    Any,
    Concatenate,
    Generic,
    ParamSpec,
    Protocol,
    TypeVar,
    overload,
)

from tornkit.errors import TaskError
from tornkit.tasks import current
from tornkit.tasks.arguments import Arguments, Results
from tornkit.tasks.context import TaskContext
from tornkit.tasks.options import CallOptions, call_options, task_options

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from datetime import datetime

    from tornkit.tasks._durations import Duration
    from tornkit.tasks.job import Job
    from tornkit.tasks.options import Missed, RunIn, TaskOptions

__all__ = ["AsyncTask", "Call", "SyncTask", "Task", "task"]

P = ParamSpec("P")
R = TypeVar("R")


class Task(Generic[P, R]):
    """What `task` makes of a function.

    Attributes:
        name: ``module:function``, or what was given.
        function: the function itself.
        options: how its jobs run.
        takes_context: whether its first parameter is a `TaskContext`.
        file: where it is defined; ``line`` is the line.
    """

    __name__: str
    __qualname__: str

    def __init__(
        self, function: Callable[..., Any], options: TaskOptions, *, name: str | None
    ) -> None:
        update_wrapper(self, function)  # type: ignore[arg-type]  # it need not be called alike
        self.name = name or name_of(function)
        self.function = function
        self.options = options
        self.takes_context = _takes_context(function)
        self.file = function.__code__.co_filename
        self.line = function.__code__.co_firstlineno

    @property
    def place(self) -> str:
        """Where it is defined, as ``file:line``."""
        return f"{self.file}:{self.line}"

    @cached_property
    def arguments(self) -> Arguments:
        """What it takes.

        Raises:
            TaskError: an annotation that JSON cannot serve.
        """
        return Arguments(self.function, name=self.name, skip=int(self.takes_context))

    @cached_property
    def results(self) -> Results:
        """What it returns."""
        return Results(self.function)

    async def enqueue(self, *args: P.args, **kwargs: P.kwargs) -> Job[R]:
        """Have it run soon, by a worker, with these arguments.

        Inside a ``self.db()`` block that happens when the block has committed, and never if it
        fails.

        Raises:
            BadArgument: an argument is none of the function's, or JSON does not carry it.
            QueueUnavailable: the queue does not answer; uncaught, a 503.
            TaskError: no application here has this task.
        """
        return await current.home_of(self).enqueue(self, *args, **kwargs)

    def using(
        self,
        *,
        delay: Duration | None = None,
        at: datetime | None = None,
        key: str | None = None,
        owner: object = None,
        priority: int | None = None,
        timeout: Duration | None = None,
        retries: int | None = None,
    ) -> Call[P, R]:
        """Say how one job differs: ``await report.using(delay="5m").enqueue(class_id=3)``.

        Args:
            delay: for how long it waits.
            at: until when it waits, with a time zone.
            key: of all jobs of this task and owner with one key, only the first is made; the
                others are given that one, for as long as it is kept.
            owner: whom the job belongs to, such as the id of a user.
            priority: from -100 to 100; a higher one runs first.
            timeout: how long it may run.
            retries: how often it is tried again when it fails.

        Raises:
            TaskError: one of them cannot be used.
        """
        options = call_options(
            f"task {self.name}",
            delay=delay,
            at=at,
            key=key,
            owner=owner,
            priority=priority,
            timeout=timeout,
            retries=retries,
        )
        return Call(self, options)

    def __repr__(self) -> str:
        return f"<task {self.name}>"


class AsyncTask(Task[P, R]):
    """A task of an ``async def``."""

    async def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Run the function here and now, without a queue."""
        result: R = await self.function(*_with_context(self, args), **kwargs)
        return result


class SyncTask(Task[P, R]):
    """A task of a plain ``def``."""

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Run the function here and now, without a queue."""
        result: R = self.function(*_with_context(self, args), **kwargs)
        return result


@dataclass(frozen=True, slots=True)
class Call(Generic[P, R]):
    """A task, and how one job of it differs; see `Task.using`."""

    task: Task[P, R]
    options: CallOptions

    async def enqueue(self, *args: P.args, **kwargs: P.kwargs) -> Job[R]:
        """Have it run, with these arguments; see `Task.enqueue`."""
        return await current.home_of(self.task).enqueue(self, *args, **kwargs)


# A coroutine function is a function too: of two overloads that fit, the first one counts.
class _Decorator(Protocol):
    @overload
    def __call__(  # type: ignore[overload-overlap]
        self, function: Callable[Concatenate[TaskContext, P], Coroutine[Any, Any, R]], /
    ) -> AsyncTask[P, R]: ...
    @overload
    def __call__(  # type: ignore[overload-overlap]
        self, function: Callable[P, Coroutine[Any, Any, R]], /
    ) -> AsyncTask[P, R]: ...
    @overload
    def __call__(
        self, function: Callable[Concatenate[TaskContext, P], R], /
    ) -> SyncTask[P, R]: ...
    @overload
    def __call__(self, function: Callable[P, R], /) -> SyncTask[P, R]: ...


@overload
def task(  # type: ignore[overload-overlap]
    function: Callable[Concatenate[TaskContext, P], Coroutine[Any, Any, R]], /
) -> AsyncTask[P, R]: ...
@overload
def task(  # type: ignore[overload-overlap]
    function: Callable[P, Coroutine[Any, Any, R]], /
) -> AsyncTask[P, R]: ...
@overload
def task(function: Callable[Concatenate[TaskContext, P], R], /) -> SyncTask[P, R]: ...
@overload
def task(function: Callable[P, R], /) -> SyncTask[P, R]: ...
@overload
def task(
    *,
    name: str | None = None,
    every: Duration | None = None,
    cron: str | None = None,
    missed: Missed = "run",
    retries: int = 0,
    retry_delay: Duration = 1,
    retry_backoff: Duration | None = "10m",
    timeout: Duration | None = "1h",
    heartbeat: Duration | None = None,
    ttl: Duration = "7d",
    priority: int = 0,
    run_in: RunIn | None = None,
) -> _Decorator: ...
def task(
    function: Callable[..., Any] | None = None,
    /,
    *,
    name: str | None = None,
    every: Duration | None = None,
    cron: str | None = None,
    missed: Missed = "run",
    retries: int = 0,
    retry_delay: Duration = 1,
    retry_backoff: Duration | None = "10m",
    timeout: Duration | None = "1h",
    heartbeat: Duration | None = None,
    ttl: Duration = "7d",
    priority: int = 0,
    run_in: RunIn | None = None,
) -> Any:
    """Make a function a task: ``@task``, ``@task(every="5m")``, ``@task(cron="0 3 * * *")``.

    An ``async def`` runs in the worker's event loop, a plain ``def`` in a thread.

    Args:
        function: the function, where nothing else is given.
        name: what it is called in the queue; by default ``module:function``.
        every: run it each time so much time has passed, at least a second.
        cron: run it by minute, hour, day, month and weekday.
        missed: whether a tick that comes over a minute late is run, once, or skipped.
        retries: how often it is tried again when it fails.
        retry_delay: the longest that the first of these waits; each further one waits up to
            twice as long, by chance.
        retry_backoff: the longest that any of them waits; None has all wait ``retry_delay``.
        timeout: how long it may run; None is for ever.
        heartbeat: how long it may be silent, that is call no ``ctx.progress()``.
        ttl: how long a job is kept when it has ended.
        priority: from -100 to 100; a higher one runs first.
        run_in: ``thread`` or ``process`` for a plain ``def``.

    Raises:
        TaskError: the function or an option cannot be used.

    Example:
        >>> @task(retries=3)
        ... async def double(number: int) -> int:
        ...     return 2 * number
        >>> double.options.retries
        3
    """

    def decorate(given: Callable[..., Any]) -> Task[..., Any]:
        _check(given)
        is_async = inspect.iscoroutinefunction(given)
        options = task_options(
            f"task {name or name_of(given)} ({given.__code__.co_filename})",
            is_async=is_async,
            every=every,
            cron=cron,
            missed=missed,
            retries=retries,
            retry_delay=retry_delay,
            retry_backoff=retry_backoff,
            timeout=timeout,
            heartbeat=heartbeat,
            ttl=ttl,
            priority=priority,
            run_in=run_in,
        )
        kind: type[Task[..., Any]] = AsyncTask if is_async else SyncTask
        made = kind(given, options, name=name)
        _check_placed(made)
        return made

    return decorate if function is None else decorate(function)


def name_of(function: Callable[..., Any]) -> str:
    """Return ``module:function``, also where the module was started by ``python -m``."""
    module = function.__module__
    if module == "__main__":
        # Elsewhere the same file has its own name, and jobs find their tasks by it.
        spec = getattr(sys.modules[module], "__spec__", None)
        module = getattr(spec, "name", module)
    return f"{module}:{function.__qualname__}"


def _check(function: object) -> None:
    if not inspect.isfunction(function):
        raise TaskError(f"@task cannot run {function!r}", hint="it is for functions")
    if inspect.isasyncgenfunction(function) or inspect.isgeneratorfunction(function):
        raise TaskError(
            f"task {name_of(function)} yields", hint="return a list, or tell ctx.progress()"
        )
    first = next(iter(inspect.signature(function).parameters), None)
    if first in ("self", "cls"):
        raise TaskError(
            f"task {name_of(function)} is a method",
            hint="make it a function; what it needs of an object travels as an argument",
        )


def _check_placed(made: Task[..., Any]) -> None:
    options = made.options
    if options.run_in == "process" and "<locals>" in made.function.__qualname__:
        raise TaskError(
            f"task {made.name} runs in a process and is inside another function",
            hint="move it to the top of its file, where the process can import it",
        )
    if options.is_polling:
        parameters = list(inspect.signature(made.function).parameters.values())
        needed = [
            each.name
            for each in parameters[int(made.takes_context) :]
            if each.default is each.empty
            and each.kind not in (each.VAR_POSITIONAL, each.VAR_KEYWORD)
        ]
        if needed:
            raise TaskError(
                f"task {made.name} runs on a schedule and needs the argument {needed[0]!r}",
                hint="give it a default",
            )


def _takes_context(function: Callable[..., Any]) -> bool:
    first = next(iter(inspect.signature(function).parameters.values()), None)
    if first is None:
        return False
    annotation = first.annotation
    if annotation is first.empty:
        return first.name == "ctx"
    # Not evaluated: it may be imported for type checkers only.
    written = annotation if isinstance(annotation, str) else getattr(annotation, "__name__", "")
    return written.rpartition(".")[2] == TaskContext.__name__


def _with_context(called: Task[..., Any], args: tuple[Any, ...]) -> tuple[Any, ...]:
    return (TaskContext(job_id="", name=called.name), *args) if called.takes_context else args
