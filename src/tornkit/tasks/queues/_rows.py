"""A job as the row of a table, in SQLite and in PostgreSQL.

What changes, and what is asked for, are columns; the rest is JSON that is written once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Protocol

from tornkit import encoding
from tornkit.tasks.saq import SaqJob, load

if TYPE_CHECKING:
    from tornkit.tasks.saq import TaskQueue

__all__ = ["job_of", "json_of", "row_of"]

_COLUMNS: Final = (
    *("key", "function", "status", "priority", "scheduled", "queued", "attempts", "started"),
    *("touched", "ttl", "worker_id", "completed", "progress", "error"),
)
_FIXED: Final = ("kwargs", "timeout", "retries", "retry_delay", "retry_backoff", "group_key")


def row_of(job: SaqJob) -> dict[str, Any]:
    """Return the columns of a job that is new."""
    fixed = {name: getattr(job, name) for name in _FIXED}
    fixed["meta"] = {name: value for name, value in job.meta.items() if name != "owner"}
    return {
        "key": job.key,
        "function": job.function,
        "owner": job.meta.get("owner"),
        "job": encoding.encode(fixed),
        "priority": job.priority,
        "scheduled": float(job.scheduled),
        "queued": job.queued,
        "ttl": job.ttl,
    }


class Row(Protocol):
    """What both drivers give."""

    def __getitem__(self, name: str, /) -> Any:
        """Return a column."""


def job_of(row: Row, queue: TaskQueue) -> SaqJob:
    """Return the job of a row."""
    fields = load(row["job"])
    fields["meta"] = {
        **fields.get("meta", {}),
        **{name: row[name] for name in ("owner", "message", "lost") if row[name]},
    }
    for name in _COLUMNS:
        fields[name] = row[name]
    fields["heartbeat"] = row["lease"] // 1000
    fields["result"] = None if row["result"] is None else load(row["result"])
    return SaqJob(**fields, queue=queue)


def json_of(value: Any) -> str | None:
    """Return a result as it is stored."""
    return None if value is None else encoding.encode(value).decode()
