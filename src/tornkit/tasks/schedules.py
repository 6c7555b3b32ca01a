"""When polling tasks are due: every so often, or by a cron expression.

A tick is a moment in seconds since the epoch. Ticks of ``every`` are the multiples of the period
since the epoch, so that all workers find the same ones without asking each other.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Protocol
from zoneinfo import ZoneInfo

from tornkit._text import printable
from tornkit.errors import MissingDriver, TaskError

__all__ = ["Cron", "Every", "Schedule", "zone_of"]

_FIELDS: Final = 5
_HOUR: Final = timedelta(hours=1)  # that clocks are set back or forward
_RANDOM: Final = re.compile(r"(?<![A-Z])[HR](?![A-Z])", re.IGNORECASE)


class Schedule(Protocol):
    """The ticks of one polling task."""

    def last(self, now: float) -> float:
        """Return the latest tick that is not after ``now``."""

    def next(self, now: float) -> float:
        """Return the first tick after ``now``."""


@dataclass(frozen=True, slots=True)
class Every:
    """A tick each ``period`` seconds."""

    period: float

    def last(self, now: float) -> float:
        """Return the latest tick that is not after ``now``."""
        return math.floor(now / self.period) * self.period

    def next(self, now: float) -> float:
        """Return the first tick after ``now``."""
        return (math.floor(now / self.period) + 1) * self.period

    def __str__(self) -> str:
        return f"every {self.period:g} s"


@dataclass(frozen=True, slots=True)
class Cron:
    """Ticks of a cron expression, by the clocks of a time zone.

    Where clocks are set back, a given hour of the day comes once, and what is for every hour
    comes in both; where they are set forward, a time that is left out comes an hour later.

    Raises:
        TaskError: the expression is none, or never comes.
        MissingDriver: SAQ, whose croniter reads it, is not installed.
    """

    expression: str
    zone: ZoneInfo

    def __post_init__(self) -> None:
        given = self.expression
        croniter = _croniter()
        if len(given.split()) != _FIELDS or _RANDOM.search(given) or not croniter.is_valid(given):
            raise TaskError(
                f"cron is {printable(repr(given))}",
                hint="write minute, hour, day, month and weekday, such as 0 3 * * * or "
                "*/15 8-17 * * mon-fri",
            )
        try:
            self.next(0)
        except ValueError:
            raise TaskError(f"cron is {given!r}, a day that never comes") from None

    def last(self, now: float) -> float:
        """Return the latest tick that is not after ``now``."""
        found = self._walk(now, _HOUR)
        latest = -math.inf
        while True:
            ticks = self._moments(found.get_prev(datetime))
            latest = max([latest, *(tick for tick in ticks if tick <= now)])
            if ticks[-1] <= now:
                return latest

    def next(self, now: float) -> float:
        """Return the first tick after ``now``."""
        found = self._walk(now, -_HOUR)
        first = math.inf
        while True:
            ticks = self._moments(found.get_next(datetime))
            first = min([first, *(tick for tick in ticks if tick > now)])
            if ticks[0] > now:
                return first

    def _walk(self, now: float, ahead: timedelta) -> Any:
        """Return a walk over what clocks show at ticks, from so far ahead of ``now``."""
        local = datetime.fromtimestamp(now, self.zone)
        # Without the zone: the times of a day are counted here, not the hours between them.
        wall = local.replace(tzinfo=None, fold=0, microsecond=0)
        return _croniter()(self.expression, wall + ahead + timedelta(seconds=1))

    def _moments(self, wall: datetime) -> list[float]:
        """Return when the clocks show this: twice where they are set back."""
        folds = (0, 1) if self.expression.split()[1].startswith("*") else (0,)
        return [wall.replace(tzinfo=self.zone, fold=fold).timestamp() for fold in folds]

    def __str__(self) -> str:
        return f"cron {self.expression} ({self.zone.key})"


def zone_of(name: str) -> ZoneInfo:
    """Return a time zone.

    Raises:
        TaskError: there is none of that name.
    """
    try:
        return ZoneInfo(name)
    except (ValueError, OSError, LookupError):
        raise TaskError(
            f"there is no time zone {printable(repr(name))}", hint="write UTC or Europe/Berlin"
        ) from None


def _croniter() -> Any:
    try:
        from tornkit.tasks.saq import croniter  # noqa: PLC0415 - SAQ is optional
    except ImportError as error:
        raise MissingDriver(
            "tasks with cron= need SAQ, which cannot be imported",
            hint='run pip install "tornkit[tasks]"',
        ) from error
    return croniter
