"""What a cache knows of a store that does not answer, so that not every request waits for it."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    from tornkit.errors import StoreUnavailable

__all__ = ["Outage"]

PAUSE: Final = 2.0  # seconds

_log = logging.getLogger("tornkit.cache")


class Outage:
    """After a failure, let one caller in every `PAUSE` seconds ask the store.

    Args:
        purpose: what is asked for, such as ``reading``.
        clock: returns seconds that never go back.
    """

    def __init__(self, purpose: str, clock: Callable[[], float]) -> None:
        self._purpose = purpose
        self._clock = clock
        self._next: float | None = None

    @property
    def lasts(self) -> bool:
        """Whether the store did not answer when it was asked last."""
        return self._next is not None

    def lets_ask(self) -> bool:
        """Tell whether the caller may ask the store; during an outage that is a try for all."""
        if self._next is None:
            return True
        now = self._clock()
        if now < self._next:
            return False
        self._next = now + PAUSE
        return True

    def failed(self, error: StoreUnavailable) -> None:
        """Take note of a failure; log the first one."""
        if self._next is None:
            _log.warning("%s the cache: %s; the site goes on without", self._purpose, error)
        self._next = self._clock() + PAUSE

    def answered(self) -> None:
        """Take note of an answer; log the first one after a failure."""
        if self._next is not None:
            self._next = None
            _log.info("%s the cache: it answers again", self._purpose)
