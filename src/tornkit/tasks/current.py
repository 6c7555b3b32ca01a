"""Which application's tasks ``enqueue`` means: those that are chosen, else the connected ones."""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Final

from tornkit.errors import TaskError, UnknownTask

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tornkit.tasks.task import Task
    from tornkit.tasks.tasks import Tasks

__all__ = ["connected", "home_of", "use_tasks"]

_chosen: Final[ContextVar[Tasks | None]] = ContextVar("tornkit_tasks", default=None)

connected: Final[list[Tasks]] = []
"""What is connected in this process, in order."""


@contextmanager
def use_tasks(tasks: Tasks) -> Iterator[None]:
    """Have ``enqueue`` mean these tasks inside a ``with`` block.

    Needed only where several applications of one process have the same tasks.
    """
    token = _chosen.set(tasks)
    try:
        yield
    finally:
        _chosen.reset(token)


def home_of(task: Task[..., Any]) -> Tasks:
    """Return the tasks that a task belongs to here.

    Raises:
        UnknownTask: it belongs to none that is connected.
        TaskError: it belongs to several.
    """
    chosen = _chosen.get()
    if chosen is not None:
        return chosen
    homes = [each for each in connected if each.registry.get(task.name) is task]
    if len(homes) == 1:
        return homes[0]
    if homes:
        raise TaskError(
            f"task {task.name} belongs to {len(homes)} applications of this process",
            hint="say which one with `with use_tasks(application.tasks):`",
        )
    if not connected:
        raise TaskError(
            f"task {task.name} cannot be enqueued: no application has started its tasks here",
            hint="await tasks.connect() first, or enqueue while the application runs",
        )
    raise UnknownTask(
        f"task {task.name} ({task.place}) belongs to no application that runs here",
        hint="put it into a file tasks.py of the project, or name it in Tasks(tasks=…)",
    )
