"""How long something takes, lasts or is kept: seconds, a text such as ``5m``, a timedelta."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final, TypeAlias

from tornkit._rates import Rate
from tornkit._text import printable

if TYPE_CHECKING:
    from tornkit.errors import TornkitError

__all__ = ["Duration", "seconds_of"]

Duration: TypeAlias = float | str | timedelta
"""Seconds, a text such as ``30s``, ``5m``, ``2h`` or ``7d``, or a timedelta."""

_LONGEST: Final = 366 * 86_400.0  # seconds


def seconds_of(
    given: object, *, what: str, error: type[TornkitError], least: float = 0.0
) -> float:
    """Return a duration in seconds.

    Args:
        given: the duration.
        what: what it is the duration of, for the message.
        error: what is raised where it cannot be used.
        least: the shortest that will do.

    Example:
        >>> from tornkit.errors import TaskError
        >>> seconds_of("5m", what="timeout", error=TaskError)
        300.0

    Raises:
        TornkitError: it is none, too short, or longer than a year.
    """
    seconds = _read(given)
    if seconds is None or not least <= seconds <= _LONGEST:
        raise error(
            f"{what} is {printable(repr(given))}",
            hint=f"give seconds from {least:g} to a year's, a timedelta, or text such as 30s, 5m, "
            "2h or 7d",
        )
    return seconds


def _read(given: object) -> float | None:
    if isinstance(given, timedelta):
        return given.total_seconds()
    if isinstance(given, int | float) and not isinstance(given, bool):
        return float(given) if abs(given) <= _LONGEST else None
    if isinstance(given, str):
        try:
            # The units are those of a rate.
            return float(Rate.parse(f"1/{given.strip()}").period)
        except ValueError:
            return None
    return None
