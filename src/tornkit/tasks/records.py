"""`Record`: what the queue knows of one job, in this room's words and types."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

from tornkit._text import printable
from tornkit.errors import UnknownJob
from tornkit.tasks.options import MAX_PRIORITY

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tornkit.tasks.saq import SaqJob

__all__ = ["ENDED", "STATUSES", "Record", "Status", "gone", "id_of", "new_id", "record_of"]

Status: TypeAlias = Literal["new", "queued", "active", "aborting", "aborted", "failed", "complete"]

STATUSES: Final[tuple[Status, ...]] = (
    *("new", "queued", "active", "aborting", "aborted", "failed", "complete"),
)
ENDED: Final[frozenset[Status]] = frozenset({"aborted", "failed", "complete"})
_ID_BYTES: Final = 16


@dataclass(frozen=True, slots=True)
class Record:
    """One job as it was when somebody looked."""

    id: str
    name: str
    status: Status
    arguments: Mapping[str, Any]
    owner: str | None
    priority: int
    retries: int
    attempts: int
    lost: int
    progress: float
    message: str
    enqueued_at: datetime
    run_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    result: Any
    error: str | None
    worker: str | None


def new_id() -> str:
    """Return an id that nobody guesses."""
    return os.urandom(_ID_BYTES).hex()


def id_of(name: str, *what: str) -> str:
    """Return the one id that a job of this task has for a key, or for a tick."""
    text = "\0".join((name, *what))
    return hashlib.blake2b(text.encode(), digest_size=_ID_BYTES).hexdigest()


def gone(job_id: str) -> UnknownJob:
    """Return the error for an id that the queue does not know."""
    return UnknownJob(
        f"there is no job {printable(job_id)!r}",
        hint="was its record deleted after its time (ttl), or is it another queue's?",
    )


def record_of(job: SaqJob) -> Record:
    """Return what SAQ's job says."""
    status: Any = job.status.value
    return Record(
        id=job.key,
        name=job.function,
        status=status,
        arguments=job.kwargs or {},
        owner=job.meta.get("owner"),
        priority=MAX_PRIORITY - job.priority,
        retries=job.retries - 1,
        attempts=job.attempts,
        lost=job.meta.get("lost", 0),
        progress=job.progress,
        message=job.meta.get("message") or "",
        enqueued_at=_moment(job.queued),
        run_at=_moment(max(job.queued, job.scheduled * 1000)),
        started_at=_moment(job.started) if job.started else None,
        finished_at=_moment(job.completed) if job.completed else None,
        result=job.result,
        error=job.error,
        worker=job.worker_id,
    )


def _moment(milliseconds: float) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)
