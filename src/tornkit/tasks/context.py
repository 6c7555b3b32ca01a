"""`TaskContext`: what a running task is told about itself, and what it can say."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any, ParamSpec, Protocol, TypeVar

from tornkit._text import printable
from tornkit.errors import TaskAborted, TaskError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Generator
    from contextlib import AbstractAsyncContextManager

    from sqlalchemy.ext.asyncio import AsyncSession

    from tornkit.tasks.task import Task

__all__ = ["Done", "Inner", "TaskContext", "Teller"]

P = ParamSpec("P")
R = TypeVar("R")


class Done:
    """An awaitable for what has happened already."""

    def __await__(self) -> Generator[Any, None, None]:
        """Return as soon as others had their turn."""
        yield


class Teller(Protocol):
    """Pass on what a task says of its progress."""

    def __call__(self, progress: float | None, message: str | None) -> Awaitable[None]:
        """Pass it on; the awaitable is done when it can be seen by others, or soon will be."""


class Inner(Protocol):
    """Run a task as a part of a job."""

    async def __call__(
        self,
        task: Task[..., Any],
        context: TaskContext,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> Any:
        """Return what it returns."""


class TaskContext:
    """The first parameter of a task that asks for it.

    Attributes:
        job_id: of the job that is running.
        name: of its task.
        attempt: 1 the first time, 2 when it is tried again.
        owner: whom the job belongs to, as it was enqueued.
        app: the application that runs it; None in a process of its own.

    Example:
        >>> from tornkit.tasks import TaskContext, task
        >>> @task
        ... async def count(ctx: TaskContext, pages: int) -> int:
        ...     for page in range(pages):
        ...         await ctx.progress(page / pages, f"page {page + 1} of {pages}")
        ...     return pages
    """

    def __init__(
        self,
        *,
        job_id: str,
        name: str,
        attempt: int = 1,
        owner: str | None = None,
        app: Any = None,
        tell: Teller | None = None,
        run: Inner | None = None,
    ) -> None:
        self.job_id = job_id
        self.name = name
        self.attempt = attempt
        self.owner = owner
        self.app = app
        self._tell = tell
        self._run = run
        self._stop_reason = ""

    def __repr__(self) -> str:
        return f"<TaskContext {self.name} {self.job_id}>"

    @property
    def should_stop(self) -> bool:
        """Whether a task in a thread had better end: nothing can end a thread from outside."""
        return bool(self._stop_reason)

    def progress(
        self, fraction: float | None = None, message: str | None = None
    ) -> Awaitable[None]:
        """Say how far the task is, and thereby that it is alive.

        ``await ctx.progress(0.4, "page 4 of 10")`` in an async task, the same without ``await``
        in a plain one. What is said often is not stored each time.

        Args:
            fraction: from 0 to 1; None leaves it.
            message: for people; None leaves it.

        Raises:
            TaskAborted: the task runs in a thread and has to stop; let it pass.
            TaskError: the fraction is none.
        """
        if fraction is not None and not 0 <= fraction <= 1:
            raise TaskError(
                f"task {self.name}: progress is {printable(repr(fraction))}",
                hint="give a fraction from 0 to 1",
            )
        if self._stop_reason:
            raise TaskAborted(f"task {self.name}: {self._stop_reason}", job_id=self.job_id)
        return Done() if self._tell is None else self._tell(fraction, message)

    async def run(self, task: Task[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
        """Run another task as a part of this one, where its options say, and return its result.

        So an async task, which has the databases, can give what computes for long to a process.
        Nothing is enqueued: progress, the time limit and the end by `abort` are this job's.

        Example:
            ``total = await ctx.run(add_up, numbers)``

        Raises:
            BadArgument: an argument is none of the function's, or JSON does not carry it.
            TaskError: it raised in a process, or that died; what is raised elsewhere passes.
        """
        result: R
        if self._run is not None:
            result = await self._run(task, self, args, kwargs)
            return result
        first = (self,) if task.takes_context else ()
        made: Any = task.function(*first, *args, **kwargs)
        result = await made if inspect.isawaitable(made) else made
        return result

    def db(
        self, name: str = "default", *, read_only: bool = False
    ) -> AbstractAsyncContextManager[AsyncSession]:
        """Open a block of database work, as ``self.db()`` does in a handler.

        Raises:
            TaskError: there is no application here.
        """
        if self.app is None:
            raise TaskError(
                f"task {self.name}: ctx.db() needs an application, and there is none here",
                hint="run it in the loop, and within a site",
            )
        block: AbstractAsyncContextManager[AsyncSession] = self.app.db(name, read_only=read_only)
        return block

    def again(self) -> TaskContext:
        """Return the same for a part of the job, which may have to stop before the rest."""
        return TaskContext(
            job_id=self.job_id,
            name=self.name,
            attempt=self.attempt,
            owner=self.owner,
            app=self.app,
            tell=self._tell,
            run=self._run,
        )

    def stop(self, reason: str) -> None:
        """Ask a task in a thread to end."""
        self._stop_reason = reason
