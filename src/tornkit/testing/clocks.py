"""`TaskClock`: the time as tasks are told it in a test."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

__all__ = ["TaskClock"]


class TaskClock:
    """A clock that stands still until a test moves it; its readings are in UTC.

    Example:
        >>> clock = TaskClock()
        >>> clock.set(datetime(2026, 11, 30, 2, 59, tzinfo=UTC))
        >>> clock.move(minutes=2)
        >>> clock.now.isoformat()
        '2026-11-30T03:01:00+00:00'
    """

    def __init__(self) -> None:
        self._now = time.time()

    def __call__(self) -> float:
        """Return the time in seconds since the epoch."""
        return self._now

    def __repr__(self) -> str:
        return f"<TaskClock {self.now.isoformat()}>"

    @property
    def now(self) -> datetime:
        """The time that it shows."""
        return datetime.fromtimestamp(self._now, UTC)

    def set(self, moment: datetime) -> None:
        """Show another time.

        Raises:
            ValueError: the moment has no time zone.
        """
        if moment.tzinfo is None:
            raise ValueError(f"{moment!r} has no time zone; write datetime(…, tzinfo=UTC)")
        self._now = moment.timestamp()

    def move(self, **by: float) -> None:
        """Go on by so much, in words of ``timedelta``: ``move(days=1, minutes=2)``."""
        self._now += timedelta(**by).total_seconds()
