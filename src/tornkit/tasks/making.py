"""A task and its arguments, made into the job that SAQ keeps."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from tornkit import encoding
from tornkit.errors import BadArgument, TaskError
from tornkit.tasks.options import MAX_PRIORITY, CallOptions
from tornkit.tasks.records import id_of, new_id

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tornkit.tasks.saq import SaqJob, TaskQueue
    from tornkit.tasks.task import Task

__all__ = ["Maker", "check_priorities"]

_HINT = "leave it out, or keep the queue in SQLite or PostgreSQL"


def check_priorities(tasks: Iterable[Task[..., Any]], queue: TaskQueue) -> None:
    """Refuse tasks with a priority where the queue has none.

    Raises:
        TaskError: there is one.
    """
    for each in tasks:
        if each.options.priority and not queue.has_priorities:
            raise TaskError(
                f"task {each.name} ({each.place}) has a priority, and {queue.place} knows none",
                hint=_HINT,
                file=each.file,
                line=each.line,
            )


class Maker:
    """Make jobs for a queue.

    Args:
        queue: which they are for.
        max_size: how many bytes of JSON the arguments may have.
    """

    def __init__(self, queue: TaskQueue, *, max_size: int) -> None:
        self._queue = queue
        self._max_size = max_size

    def make(self, task: Task[..., Any], arguments: dict[str, Any], call: CallOptions) -> SaqJob:
        """Return a job, not enqueued.

        Raises:
            BadArgument: the arguments are too large.
            TaskError: the queue has no priorities.
        """
        from tornkit.tasks.saq import SaqJob  # noqa: PLC0415 - SAQ is optional

        self._check_size(task, arguments)
        options, now = task.options, self._queue.clock()
        timeout = options.timeout if call.timeout is None else call.timeout
        due = now + (call.delay or 0) if call.at is None else max(now, call.at)
        seconds: Any = {"scheduled": due, "timeout": timeout or 0}  # in SAQ, whole ones
        return SaqJob(
            function=task.name,
            kwargs=arguments,
            key=_key(task, call),
            **seconds,
            retries=1 + (options.retries if call.retries is None else call.retries),
            retry_delay=options.retry_delay,
            retry_backoff=options.retry_backoff or False,
            ttl=math.ceil(options.ttl),
            priority=self._priority(task, call),
            meta={} if call.owner is None else {"owner": call.owner},
        )

    def make_tick(self, task: Task[..., Any], key: str, tick: float) -> SaqJob:
        """Return the job of a polling task for a tick."""
        job = self.make(task, {}, CallOptions())
        job.key = key
        job.meta["tick"] = tick
        return job

    def _priority(self, task: Task[..., Any], call: CallOptions) -> int:
        priority = task.options.priority if call.priority is None else call.priority
        if priority and not self._queue.has_priorities:
            raise TaskError(
                f"task {task.name}: priority is {priority}, and {self._queue.place} knows none",
                hint=_HINT,
            )
        return MAX_PRIORITY - priority  # in SAQ, a lower one runs first

    def _check_size(self, task: Task[..., Any], arguments: Mapping[str, Any]) -> None:
        sizes = {name: len(encoding.encode(value)) for name, value in arguments.items()}
        if sum(sizes.values()) > self._max_size:
            raise BadArgument(
                f"task {task.name}: the arguments have {sum(sizes.values()):,} bytes of JSON, and "
                f"at most {self._max_size:,} are taken",
                argument=max(sizes, key=lambda name: sizes[name]),
                hint="store what is large in a file or database, and pass where",
            )


def _key(task: Task[..., Any], call: CallOptions) -> str:
    if call.key is None:
        return new_id()
    return id_of(task.name, "key", call.owner or "", call.key)
