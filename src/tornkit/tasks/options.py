"""How a task runs, and how one job of it may differ: plain values, checked where given."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

from tornkit._text import printable
from tornkit.errors import TaskError
from tornkit.tasks._durations import seconds_of

if TYPE_CHECKING:
    from tornkit.tasks._durations import Duration

__all__ = [
    "MAX_PRIORITY",
    "CallOptions",
    "Missed",
    "RunIn",
    "TaskOptions",
    "call_options",
    "task_options",
]

RunIn: TypeAlias = Literal["loop", "thread", "process"]
Missed: TypeAlias = Literal["run", "skip"]

MAX_PRIORITY: Final = 100
MAX_RETRIES: Final = 1000
MAX_TEXT: Final = 200
"""How many characters an idempotency key or an owner may have."""

LATE: Final = 60.0
"""Seconds after which a tick counts as missed."""


@dataclass(frozen=True, slots=True)
class TaskOptions:
    """How every job of a task runs; times in seconds."""

    retries: int
    retry_delay: float
    retry_backoff: float | None
    timeout: float | None
    heartbeat: float | None
    ttl: float
    priority: int
    run_in: RunIn
    every: float | None
    cron: str | None
    missed: Missed

    @property
    def is_polling(self) -> bool:
        """Whether the task runs on a schedule."""
        return self.every is not None or self.cron is not None


@dataclass(frozen=True, slots=True)
class CallOptions:
    """How one job differs from the others of its task; None where it does not."""

    delay: float | None = None
    at: float | None = None
    key: str | None = None
    owner: str | None = None
    priority: int | None = None
    timeout: float | None = None
    retries: int | None = None


def task_options(
    where: str,
    *,
    is_async: bool,
    retries: int,
    retry_delay: Duration,
    retry_backoff: Duration | None,
    timeout: Duration | None,
    heartbeat: Duration | None,
    ttl: Duration,
    priority: int,
    run_in: RunIn | None,
    every: Duration | None,
    cron: str | None,
    missed: Missed,
) -> TaskOptions:
    """Check the options of a task, which are those of the decorator.

    Raises:
        TaskError: one of them cannot be used; the message begins with ``where``.
    """

    def seconds(name: str, given: Duration | None, least: float = 0.001) -> float | None:
        return None if given is None else seconds_of(given, what=f"{where}: {name}", least=least)

    if every is not None and cron is not None:
        raise TaskError(f"{where} has both every= and cron=", hint="give it one of them")
    if missed not in ("run", "skip"):
        raise _wrong(where, "missed", missed, "run or skip")
    if missed == "skip" and every is None and cron is None:
        raise TaskError(f"{where}: missed= is for polling tasks", hint="give it every= or cron=")
    return TaskOptions(
        retries=_number(where, "retries", retries, 0, MAX_RETRIES),
        retry_delay=seconds_of(retry_delay, what=f"{where}: retry_delay"),
        retry_backoff=seconds("retry_backoff", retry_backoff),
        timeout=seconds("timeout", timeout),
        heartbeat=seconds("heartbeat", heartbeat),
        ttl=seconds_of(ttl, what=f"{where}: ttl", least=1),
        priority=_priority(where, priority),
        run_in=_place(where, run_in, is_async=is_async),
        every=seconds("every", every, least=1),
        cron=cron,
        missed=missed,
    )


def call_options(
    where: str,
    *,
    delay: Duration | None = None,
    at: datetime | None = None,
    key: str | None = None,
    owner: object = None,
    priority: int | None = None,
    timeout: Duration | None = None,
    retries: int | None = None,
) -> CallOptions:
    """Check the options of one job.

    Raises:
        TaskError: one of them cannot be used.
    """
    if delay is not None and at is not None:
        raise TaskError(f"{where}: both delay= and at=", hint="give one of them")
    if at is not None and _is_no_moment(at):
        raise _wrong(where, "at", at, "a datetime with a time zone, such as datetime.now(UTC)")
    return CallOptions(
        delay=None if delay is None else seconds_of(delay, what=f"{where}: delay"),
        at=None if at is None else at.timestamp(),
        key=None if key is None else _text(where, "key", key),
        # Ids of users are numbers, UUIDs or text.
        owner=None if owner is None else _text(where, "owner", str(owner)),
        priority=None if priority is None else _priority(where, priority),
        timeout=(
            None if timeout is None else seconds_of(timeout, what=f"{where}: timeout", least=0.001)
        ),
        retries=None if retries is None else _number(where, "retries", retries, 0, MAX_RETRIES),
    )


def _is_no_moment(given: object) -> bool:
    return not isinstance(given, datetime) or given.utcoffset() is None


def _place(where: str, run_in: RunIn | None, *, is_async: bool) -> RunIn:
    if is_async:
        if run_in not in (None, "loop"):
            raise TaskError(
                f"{where} is async and has run_in={run_in!r}",
                hint="only a plain def runs in a thread or a process",
            )
        return "loop"
    if run_in is None:
        return "thread"
    if run_in not in ("thread", "process"):
        raise _wrong(where, "run_in", run_in, "thread or process: a plain def would stop the loop")
    return run_in


def _priority(where: str, given: object) -> int:
    return _number(where, "priority", given, -MAX_PRIORITY, MAX_PRIORITY)


def _number(where: str, name: str, given: Any, least: int, most: int) -> int:
    if type(given) is not int or not least <= given <= most:
        raise _wrong(where, name, given, f"a whole number from {least} to {most}")
    return int(given)


def _text(where: str, name: str, given: Any) -> str:
    if not isinstance(given, str) or not given or len(given) > MAX_TEXT or not given.isprintable():
        raise _wrong(where, name, given, f"1 to {MAX_TEXT} printable characters")
    return given


def _wrong(where: str, name: str, given: object, expected: str) -> TaskError:
    return TaskError(f"{where}: {name} is {printable(repr(given))}", hint=f"expected {expected}")
