"""When a call that failed is tried again, and after how long."""

from __future__ import annotations

import random
import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from tornkit.databases._http_answers import Answer

__all__ = ["is_transient", "pause"]

_TRANSIENT: Final = frozenset({429, 502, 503, 504})
_FIRST: Final = 0.1  # seconds; each next pause is twice as long
_LONGEST: Final = 2.0


def is_transient(answer: Answer) -> bool:
    """Tell whether a service that answers so may answer otherwise in a moment."""
    return answer.status in _TRANSIENT


def pause(tried: int, answer: Answer | None) -> float:
    """Return the seconds to wait after so many tries: what the service asks for, if it does.

    Half of an unasked pause is chance, so that those who failed at once do not return at once.
    """
    asked = _asked(answer.headers.get("Retry-After", "")) if answer is not None else None
    if asked is not None:
        return asked
    longest = min(_LONGEST, _FIRST * 2.0 ** (tried - 1))
    return longest * random.uniform(0.5, 1)  # noqa: S311 - nothing secret


def _asked(value: str) -> float | None:
    """Read ``Retry-After`` (RFC 9110, 10.2.3): seconds, or a date."""
    if re.fullmatch(r"[0-9]{1,9}", value.strip()):
        return float(value)
    try:
        until = parsedate_to_datetime(value)
        if until.tzinfo is None:
            until = until.replace(tzinfo=UTC)
        return max(0.0, (until - datetime.now(UTC)).total_seconds())
    except (ValueError, OverflowError):
        return None
