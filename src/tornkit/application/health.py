"""Whether what a site needs answers: each part is asked at once, none for long."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tornkit.errors import TornkitError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Sequence

__all__ = ["Health", "Part", "Reading", "read"]

PING_TIMEOUT = 1.0
"""Seconds that a part has for its answer."""


@dataclass(frozen=True, slots=True)
class Part:
    """What can be asked for a sign of life; ``ping`` raises where it gives none."""

    name: str
    ping: Callable[[], Awaitable[None]]
    required: bool = True


@dataclass(frozen=True, slots=True)
class Reading:
    """What asking a part has given: its error, or None, and the seconds that it took."""

    name: str
    required: bool
    seconds: float
    error: str | None


async def read(parts: Iterable[Part], timeout: float = PING_TIMEOUT) -> list[Reading]:  # noqa: ASYNC109 - seconds for each
    """Ask all parts at once, and return what they gave within ``timeout`` seconds."""
    return await asyncio.gather(*(_read(part, timeout) for part in parts))


@dataclass(frozen=True, slots=True)
class Health:
    """How a site is: what its parts have answered, and whether it is about to end."""

    readings: Sequence[Reading]
    draining: bool = False

    @property
    def is_ready(self) -> bool:
        """Whether it takes requests, and everything answers that it requires."""
        return not self.draining and not any(
            reading.required and reading.error for reading in self.readings
        )


async def _read(part: Part, seconds: float) -> Reading:
    began = time.perf_counter()
    error = await _error_of(part, seconds)
    return Reading(part.name, part.required, time.perf_counter() - began, error)


async def _error_of(part: Part, seconds: float) -> str | None:
    # Some end what they have begun also when they are cancelled; who asks does not wait.
    ping = asyncio.ensure_future(part.ping())
    ping.add_done_callback(lambda ended: ended.cancelled() or ended.exception())
    done, _ = await asyncio.wait([ping], timeout=seconds)
    if not done:
        ping.cancel()
        return f"gave no answer within {seconds:g} s"
    failure = ping.exception() if not ping.cancelled() else asyncio.CancelledError()
    if failure is None:
        return None
    # What others raise may quote a URL with its password.
    return str(failure) if isinstance(failure, TornkitError) else type(failure).__name__
