"""For how long something is kept."""

from __future__ import annotations

from typing import Final, TypeAlias

from tornkit import _durations
from tornkit.errors import CacheError

__all__ = ["TTL", "seconds_of"]

TTL: TypeAlias = _durations.Duration
"""Seconds, a text such as ``5m``, or a timedelta."""

_SHORTEST: Final = 0.001  # seconds; Redis knows nothing shorter


def seconds_of(ttl: object) -> float:
    """Return a lifetime in seconds.

    Example:
        >>> seconds_of("5m")
        300.0

    Raises:
        CacheError: it is none, or longer than a year: what is kept for ever is a leak.
    """
    return _durations.seconds_of(ttl, what="ttl", error=CacheError, least=_SHORTEST)
