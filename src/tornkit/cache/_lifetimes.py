"""For how long something is kept: a number of seconds, a text such as ``5m``, a timedelta."""

from __future__ import annotations

from datetime import timedelta
from typing import Final, TypeAlias

from tornkit._rates import Rate
from tornkit._text import printable
from tornkit.errors import CacheError

__all__ = ["MAX_LIFE", "TTL", "seconds_of"]

TTL: TypeAlias = float | str | timedelta
"""Seconds, a text such as ``5m``, or a timedelta."""

MAX_LIFE: Final = 366 * 86_400.0  # seconds
_SHORTEST: Final = 0.001  # seconds; Redis knows nothing shorter


def seconds_of(ttl: object) -> float:
    """Return a lifetime in seconds.

    Example:
        >>> seconds_of("5m")
        300.0

    Raises:
        CacheError: it is none, or longer than a year: what is kept for ever is a leak.
    """
    seconds = _read(ttl)
    if seconds is None or not _SHORTEST <= seconds <= MAX_LIFE:
        raise CacheError(
            f"ttl is {printable(repr(ttl))}",
            hint="give seconds from 0.001 to a year's, a timedelta, or text such as 30s, 5m, 2h "
            "or 7d",
        )
    return seconds


def _read(ttl: object) -> float | None:
    if isinstance(ttl, timedelta):
        return ttl.total_seconds()
    if isinstance(ttl, int | float) and not isinstance(ttl, bool):
        return float(ttl) if abs(ttl) <= MAX_LIFE else None
    if isinstance(ttl, str):
        try:
            # The units of a lifetime are those of a rate.
            return float(Rate.parse(f"1/{ttl.strip()}").period)
        except ValueError:
            return None
    return None
