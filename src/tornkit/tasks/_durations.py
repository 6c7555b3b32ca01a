"""How long a task may take, wait or be kept."""

from __future__ import annotations

from tornkit import _durations
from tornkit._durations import Duration
from tornkit.errors import TaskError

__all__ = ["Duration", "seconds_of"]


def seconds_of(given: object, *, what: str, least: float = 0.0) -> float:
    """Return a duration in seconds; see `tornkit._durations.seconds_of`.

    Raises:
        TaskError: it is none, too short, or longer than a year.
    """
    return _durations.seconds_of(given, what=what, error=TaskError, least=least)
