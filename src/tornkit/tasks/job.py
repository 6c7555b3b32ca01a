"""`Job`: one enqueued call of a task, to ask about it, wait for it and end it."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from tornkit.errors import DeadlineExceeded, TaskAborted, TaskFailed, UnknownJob
from tornkit.tasks.records import ENDED

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping
    from datetime import datetime
    from typing import Self

    from tornkit.tasks.commits import Pending
    from tornkit.tasks.records import Record, Status
    from tornkit.tasks.tasks import Tasks

__all__ = ["Job"]

R = TypeVar("R")


class Job(Generic[R]):
    """One job; its attributes are what was known when it was last asked for.

    Attributes:
        id: what it is known by.
        is_new: whether this call has made it, and not an earlier one with the same key; inside
            a database block that is known once the block has committed, and True until then.
    """

    def __init__(
        self,
        tasks: Tasks,
        record: Record,
        *,
        is_new: bool = False,
        pending: Pending | None = None,
    ) -> None:
        self.id = record.id
        self.is_new = is_new
        self._tasks = tasks
        self._record = record
        self._pending = pending

    def __repr__(self) -> str:
        return f"<job {self.id} {self.name} {self.state}>"

    # --- what is known -----------------------------------------------------------------------

    @property
    def name(self) -> str:
        """The name of its task."""
        return self._record.name

    @property
    def state(self) -> Status:
        """The status when it was last asked for."""
        return self._record.status

    @property
    def has_ended(self) -> bool:
        """Whether it was complete, failed or aborted when it was last asked for."""
        return self._record.status in ENDED

    @property
    def arguments(self) -> Mapping[str, Any]:
        """What the task is called with, as JSON has it."""
        return self._record.arguments

    @property
    def owner(self) -> str | None:
        """Whom it belongs to."""
        return self._record.owner

    @property
    def priority(self) -> int:
        """From -100 to 100; a higher one runs first."""
        return self._record.priority

    @property
    def progress(self) -> float:
        """How far it is, from 0 to 1."""
        return self._record.progress

    @property
    def message(self) -> str:
        """What it said with its progress."""
        return self._record.message

    @property
    def attempts(self) -> int:
        """How often it was begun; not counted are those that a stop or a death cut short."""
        return self._record.attempts

    @property
    def retries(self) -> int:
        """How often it is tried again when it fails."""
        return self._record.retries

    @property
    def lost(self) -> int:
        """How many of its workers died while it ran."""
        return self._record.lost

    @property
    def worker(self) -> str | None:
        """Who runs it, or ran it last, as ``host/pid/…``."""
        return self._record.worker

    @property
    def enqueued_at(self) -> datetime:
        """When it was enqueued, in UTC."""
        return self._record.enqueued_at

    @property
    def run_at(self) -> datetime:
        """When it is due, in UTC."""
        return self._record.run_at

    @property
    def started_at(self) -> datetime | None:
        """When it was begun the last time, in UTC."""
        return self._record.started_at

    @property
    def finished_at(self) -> datetime | None:
        """When it ended, in UTC."""
        return self._record.finished_at

    @property
    def error(self) -> str | None:
        """What failed or aborted it, or failed its last attempt, in one line."""
        text = self._record.error
        return text.partition("\n")[0] if text else None

    @property
    def traceback(self) -> str | None:
        """All that is known of the error."""
        return self._record.error

    def __json__(self) -> dict[str, Any]:
        """Return what may be shown to its owner: no arguments, and no traceback."""
        return {
            "id": self.id,
            "name": self.name,
            "status": self.state,
            "progress": self.progress,
            "message": self.message,
            "attempts": self.attempts,
            "enqueued_at": self.enqueued_at,
            "run_at": self.run_at,
            "started_at": self.started_at,
            "finished_at": self.finished_at,
            "result": self._record.result,
            "error": self.error,
        }

    # --- asking ------------------------------------------------------------------------------

    async def refresh(self) -> Self:
        """Ask the queue, and return this job.

        Raises:
            UnknownJob: it is not kept any longer, or its block has failed.
            QueueUnavailable: the queue does not answer.
        """
        if not self._is_pending():
            self._record = await self._tasks.record(self.id)
        return self

    def _is_pending(self) -> bool:
        if self._pending is None:
            return False
        if self._pending.is_dropped:
            if self.has_ended:
                return True  # aborted before anybody else knew of it
            raise UnknownJob(
                f"job {self.id} of {self.name} was not enqueued",
                hint="the database block that it was to wait for did not commit",
            )
        return not self._pending.is_sent

    async def status(self) -> Status:
        """Ask for the status; ``new`` as long as the block around `enqueue` is open.

        Raises:
            UnknownJob: it is not kept any longer, or its block has failed.
            QueueUnavailable: the queue does not answer.
        """
        return (await self.refresh()).state

    async def wait(self, timeout: float | None = None) -> bool:  # noqa: ASYNC109 - seconds, as in result
        """Wait until it has ended, at most ``timeout`` seconds; tell whether it has.

        Raises:
            UnknownJob: it is not kept any longer.
            QueueUnavailable: the queue does not answer.
        """
        async for _ in self.changes(timeout):
            pass
        return self.has_ended

    async def changes(
        self,
        timeout: float | None = None,  # noqa: ASYNC109 - as above
    ) -> AsyncIterator[Self]:
        """Yield this job at once and after each change, until it has ended or the time is up.

        Example:
            ``async for job in job.changes(): print(job.state, job.progress, job.message)``
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        yield await self.refresh()
        while not self.has_ended:
            left = None if deadline is None else deadline - time.monotonic()
            record = await self._tasks.watcher.change_of(self._record, left)
            if record is None:
                return
            self._record = record
            yield self

    async def result(self, timeout: float | None = None) -> R:  # noqa: ASYNC109 - as above
        """Wait until it has ended, and return what the task returned.

        Args:
            timeout: seconds to wait at most; None is for ever.

        Raises:
            TaskFailed: it has failed.
            TaskAborted: it was aborted.
            DeadlineExceeded: it has not ended in time; a `TimeoutError` too.
            UnknownJob: it is not kept any longer.
            QueueUnavailable: the queue does not answer.
        """
        if not await self.wait(timeout):
            raise DeadlineExceeded(
                f"job {self.id} of {self.name} is {self.state} after {timeout:g} s",
                hint="wait longer, or ask for its status later",
            )
        if self.state == "failed":
            error = self.error or "it failed"
            raise TaskFailed(
                f"job {self.id} of {self.name} failed: {error}",
                job_id=self.id,
                error=error,
                traceback=self.traceback or "",
            )
        if self.state == "aborted":
            raise TaskAborted(
                f"job {self.id} of {self.name} was aborted: {self.error}", job_id=self.id
            )
        value: R = self._tasks.result_of(self._record)
        return value

    # --- ending and beginning again ----------------------------------------------------------

    async def abort(self, reason: str = "aborted") -> Status:
        """End it: a queued one at once, an active one as soon as its worker can.

        What runs in the loop is cancelled, a process is killed; a thread ends when it next calls
        ``ctx.progress()``. What has ended already stays as it is.

        Args:
            reason: what is recorded as its error.

        Returns:
            The status that it has now: ``aborted``, ``aborting``, or what it had ended as.

        Raises:
            UnknownJob: it is not kept any longer.
            QueueUnavailable: the queue does not answer.
        """
        if self._pending is not None and self._pending.drop():
            self._record = replace(self._record, status="aborted", error=reason)
            return "aborted"
        self._record = await self._tasks.abort_record(self.id, reason)
        return self.state

    async def retry(self) -> None:
        """Have it run once more, with the same arguments; it must have failed or been aborted.

        Raises:
            TaskError: it has not.
            UnknownJob: it is not kept any longer.
            QueueUnavailable: the queue does not answer.
        """
        self._record = await self._tasks.retry_record(self.id)
