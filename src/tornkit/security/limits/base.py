"""The contract of a limit store, and the arithmetic that every store follows.

The algorithm is GCRA, a leaky bucket in one number. Each hit pushes the *end* of its key,
the moment at which all of its hits will have drained away, further by ``period / times``.
Once the end is past, the key is as if it had never been hit, so nothing else need be kept.
A hit that would push the end more than a period ahead of now is refused, and pushes nothing.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from typing import Self

    from tornkit._rates import Rate

__all__ = ["LimitStore", "Measure"]

# Doubles near today's time are 2⁻²² seconds apart, and 2⁻²⁰ will do for some centuries: each
# hit of a full burst may have been rounded up by that much.
_ROUNDING: Final = 2.0**-20  # seconds


@dataclass(frozen=True, slots=True)
class Measure:
    """A rate as it stands at one moment; times are seconds since the epoch."""

    now: float
    interval: float
    """What a hit takes to drain away."""
    full: float
    """Where the end of a key is that takes no hit any more."""
    latest: float
    """The same, with room for rounding."""

    @classmethod
    def of(cls, rate: Rate, now: float) -> Self:
        """Measure a rate from now."""
        interval, full = rate.period / rate.times, now + rate.period
        slack = min(interval / 2, (rate.times + 4) * _ROUNDING)
        return cls(now, interval, full, full + slack)

    def hit(self, end: float) -> tuple[float, float]:
        """Return the seconds until a key with this end takes a hit, and the end to keep.

        An end beyond ``full`` was left by a longer rate, or by a clock that has been set back
        since: nobody shall wait for that.
        """
        end = min(max(end, self.now), self.full)
        pushed = end + self.interval
        if pushed > self.latest:
            return self.wait(pushed), end
        return 0.0, pushed

    def wait(self, pushed: float) -> float:
        """Return the seconds until a hit may push the end that far."""
        return pushed - self.full


class LimitStore(ABC):
    """Keep the ends of keys somewhere.

    Every method is atomic, also against the same call from another process, and either
    happens as a whole or not at all when its task is cancelled. A store that cannot answer
    raises `tornkit.errors.StoreUnavailable`. Keys are SHA-256 in hexadecimal.
    """

    async def open(self) -> None:  # noqa: B027 - memory has nothing to open
        """Get ready; called once in each worker, after it has started."""

    async def close(self) -> None:  # noqa: B027 - or to close
        """Let go of what `open` took; safe to call twice."""

    @abstractmethod
    async def ping(self) -> None:
        """Ask for an answer.

        Raises:
            StoreUnavailable: there was none.
        """

    @abstractmethod
    async def hit(self, key: str, rate: Rate, now: float) -> float:
        """Count one and return 0.0, or return the seconds until it may be, and count nothing."""

    @abstractmethod
    async def forgive(self, key: str, rate: Rate, now: float) -> None:
        """Give one hit back; nothing happens if there is none."""

    @abstractmethod
    async def forget(self, key: str) -> None:
        """Give all hits back."""

    @abstractmethod
    async def clear_expired(self, now: float) -> int:
        """Delete the keys that are as if they had never been hit; return how many."""
