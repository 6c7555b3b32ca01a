"""`Limiter`: what the rest of the site counts with."""

from __future__ import annotations

import hashlib
import time
from typing import TYPE_CHECKING

from tornkit.errors import TooManyRequests

if TYPE_CHECKING:
    from collections.abc import Callable

    from tornkit._rates import Rate
    from tornkit.security.limits.base import LimitStore

__all__ = ["Limiter"]


class Limiter:
    """Count how often a subject does what a name stands for.

    The store sees a hash of both and never the subject, which may be an address or an e-mail.
    Every method raises `StoreUnavailable` when the store does not answer.

    Args:
        store: where it is counted.
        clock: returns seconds since the epoch.

    Example:
        >>> import asyncio
        >>> from tornkit.security.limits import MemoryLimitStore, Rate
        >>> limiter = Limiter(MemoryLimitStore())
        >>> asyncio.run(limiter.hit("report", "user 7", Rate.parse("3/hour")))
    """

    def __init__(self, store: LimitStore, clock: Callable[[], float] = time.time) -> None:
        self.store = store
        self._clock = clock

    async def hit(self, name: str, subject: str, rate: Rate) -> None:
        """Count one.

        Raises:
            TooManyRequests: it was too often, and has not been counted; ``retry_after`` says
                when it may be tried again.
        """
        wait = await self.store.hit(_key(name, subject), rate, self._clock())
        if wait > 0:
            raise TooManyRequests(wait)

    async def forgive(self, name: str, subject: str, rate: Rate) -> None:
        """Give one hit back, for what turned out not to count."""
        await self.store.forgive(_key(name, subject), rate, self._clock())

    async def forget(self, name: str, subject: str) -> None:
        """Give all hits back."""
        await self.store.forget(_key(name, subject))

    async def clear_expired(self) -> int:
        """Delete from the store what is over; return how many."""
        return await self.store.clear_expired(self._clock())


def _key(name: str, subject: str) -> str:
    # With the length before it, no name can end in the beginning of a subject.
    text = f"{len(name)}:{name}{subject}"
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
