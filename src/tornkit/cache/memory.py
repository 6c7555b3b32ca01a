"""A cache in the memory of one process, of bounded size."""

from __future__ import annotations

import logging
import time
from collections import OrderedDict
from typing import TYPE_CHECKING, Final

from tornkit.cache.base import CacheStore

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["MemoryCacheStore"]

MAX_ENTRIES: Final = 10_000
MAX_BYTES: Final = 32 * 1024 * 1024
# What Python needs for an entry beside the characters of its key and text.
ENTRY: Final = 250  # bytes
# One entry must not push out all others.
SHARE: Final = 4

_log = logging.getLogger("tornkit.cache")


class MemoryCacheStore(CacheStore):
    """Keep texts in a dict; a restart forgets them, and each process has its own.

    Where there is no room, what was not used for the longest time goes first. No method
    awaits anything, so each is atomic within its event loop.

    Args:
        max_entries: how many to keep at most.
        max_bytes: how much memory they may take, about; an entry that would take more than a
            quarter of it is not kept.
        clock: returns seconds that never go back.
    """

    def __init__(
        self,
        *,
        max_entries: int = MAX_ENTRIES,
        max_bytes: int = MAX_BYTES,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._entries: OrderedDict[str, tuple[bytes, float]] = OrderedDict()
        self._bytes = 0
        self._max_entries = max_entries
        self._max_bytes = max_bytes
        self._clock = clock
        self._has_refused = False

    async def load(self, key: str) -> bytes | None:
        """Return the text of a key, or None."""
        entry = self._entries.get(key)
        if entry is None:
            return None
        if entry[1] <= self._clock():
            self._remove(key)
            return None
        self._entries.move_to_end(key)
        return entry[0]

    async def save(self, key: str, text: bytes, life: float) -> None:
        """Keep a text for at most ``life`` seconds."""
        self._remove(key)
        size = _size(key, text)
        if size > self._max_bytes // SHARE:
            self._refuse(key, size)
            return
        now = self._clock()
        self._entries[key] = (text, now + life)
        self._bytes += size
        self._make_room(now)

    async def delete(self, key: str) -> bool:
        """Delete a key; False if there is none."""
        return await self.load(key) is not None and self._remove(key)

    async def clear(self) -> None:
        """Delete every key."""
        self._entries.clear()
        self._bytes = 0

    def _remove(self, key: str) -> bool:
        entry = self._entries.pop(key, None)
        if entry is None:
            return False
        self._bytes -= _size(key, entry[0])
        return True

    def _make_room(self, now: float) -> None:
        """Remove what was not used for the longest time, while there is too much or it is over."""
        while self._entries:
            oldest, (_, end) = next(iter(self._entries.items()))
            too_much = len(self._entries) > self._max_entries or self._bytes > self._max_bytes
            if not too_much and end > now:
                return
            self._remove(oldest)

    def _refuse(self, key: str, size: int) -> None:
        if not self._has_refused:
            self._has_refused = True
            _log.warning(
                "cache key %r takes %d bytes, more than 1/%d of the %d that the cache may have: "
                "it is not kept, and no such key will be; this is logged once",
                *(key, size, SHARE, self._max_bytes),
            )


def _size(key: str, text: bytes) -> int:
    return ENTRY + len(key) + len(text)
