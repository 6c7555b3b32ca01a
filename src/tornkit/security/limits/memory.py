"""Limits in the memory of one process: for tests, and sites of a single worker."""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING

from tornkit.security.limits.base import LimitStore, Measure

if TYPE_CHECKING:
    from tornkit._rates import Rate

__all__ = ["MemoryLimitStore"]

_FIRST_LOOK = 1000


class MemoryLimitStore(LimitStore):
    """Keep limits in a dict; a restart forgets them, and each process counts for itself.

    No method awaits anything, so each is atomic within its event loop.

    Args:
        max_keys: how many to keep at most; where all of them are in use, those are forgotten
            that have the least to remember.
    """

    def __init__(self, *, max_keys: int = 100_000) -> None:
        self._ends: dict[str, float] = {}
        self._max_keys = max_keys
        self._next_look = min(_FIRST_LOOK, max_keys)

    async def ping(self) -> None:
        """Answer."""

    async def hit(self, key: str, rate: Rate, now: float) -> float:
        """Count one and return 0.0, or return the seconds until it may be, and count nothing."""
        if key not in self._ends and len(self._ends) >= self._next_look:
            self._make_room(now)
        wait, self._ends[key] = Measure.of(rate, now).hit(self._ends.get(key, now))
        return wait

    async def forgive(self, key: str, rate: Rate, now: float) -> None:
        """Give one hit back."""
        if key in self._ends:
            self._ends[key] -= Measure.of(rate, now).interval
            if self._ends[key] <= now:
                del self._ends[key]

    async def forget(self, key: str) -> None:
        """Give all hits back."""
        self._ends.pop(key, None)

    async def clear_expired(self, now: float) -> int:
        """Delete the keys that are as if they had never been hit; return how many."""
        return self._clear_expired(now)

    def _clear_expired(self, now: float) -> int:
        return self._delete([key for key, end in self._ends.items() if end <= now])

    def _make_room(self, now: float) -> None:
        """Look for what can be forgotten; after twice as many keys again."""
        self._clear_expired(now)
        if len(self._ends) >= self._max_keys:
            some = self._max_keys // 10 + 1
            self._delete(heapq.nsmallest(some, self._ends, key=self._ends.__getitem__))
        self._next_look = min(max(_FIRST_LOOK, 2 * len(self._ends)), self._max_keys)

    def _delete(self, keys: list[str]) -> int:
        for key in keys:
            del self._ends[key]
        return len(keys)
