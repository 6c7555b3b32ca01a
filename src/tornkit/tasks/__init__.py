"""Tasks: work outside of requests, with a status that can be asked for.

`task` makes a function one, `Tasks` holds those of an application and the queue that their jobs
go through, `Job` is one call of a task, `Worker` runs them. The engine is SAQ; it is imported
when a queue is opened, for it is optional.

Nothing here knows settings, handlers or databases: what is needed of them is handed in.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tornkit.tasks.context import TaskContext
from tornkit.tasks.current import use_tasks
from tornkit.tasks.job import Job
from tornkit.tasks.queues import beside
from tornkit.tasks.registry import find_tasks
from tornkit.tasks.task import Call, Task, task
from tornkit.tasks.tasks import Tasks

if TYPE_CHECKING:
    from tornkit.tasks.worker import Worker

__all__ = [
    "Call",
    "Job",
    "Task",
    "TaskContext",
    "Tasks",
    "Worker",
    "beside",
    "find_tasks",
    "task",
    "use_tasks",
]


def __getattr__(name: str) -> object:
    if name == "Worker":  # it is SAQ's, which is optional
        from tornkit.tasks.worker import Worker  # noqa: PLC0415

        return Worker
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
