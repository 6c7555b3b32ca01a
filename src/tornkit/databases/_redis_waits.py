"""How long Redis may keep a command's answer back because the command asks it to.

``BLPOP queue 5`` waits for up to five seconds on purpose: that is no slow server.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["asked_wait"]

# Where the wait stands in a command, and how many of its units are a second; 0 is for ever.
_WAITS: Final[dict[bytes, tuple[int, int]]] = {
    **dict.fromkeys((b"BLPOP", b"BRPOP", b"BRPOPLPUSH", b"BLMOVE"), (-1, 1)),
    **dict.fromkeys((b"BZPOPMIN", b"BZPOPMAX"), (-1, 1)),
    **dict.fromkeys((b"BLMPOP", b"BZMPOP"), (1, 1)),
    **dict.fromkeys((b"WAIT", b"WAITAOF"), (-1, 1000)),
}
_STREAMS: Final = frozenset({b"XREAD", b"XREADGROUP"})  # BLOCK and milliseconds, if at all
_ENDLESS: Final = frozenset({b"MONITOR"})


def asked_wait(command: Sequence[Any]) -> float:
    """Return the seconds that a command asks Redis to wait; `math.inf` is for ever.

    Example:
        >>> asked_wait(("BLPOP", "queue", 5)), asked_wait(("XREAD", "BLOCK", 200, "STREAMS"))
        (5.0, 0.2)
    """
    name = _word(command[0]) if command else b""
    if name in _WAITS:
        place, units = _WAITS[name]
        return _seconds(command[place], units) if len(command) > 1 else 0.0
    if name in _STREAMS:
        words = [_word(part) for part in command[:-1]]
        return _seconds(command[words.index(b"BLOCK") + 1], 1000) if b"BLOCK" in words else 0.0
    return math.inf if name in _ENDLESS else 0.0


def _word(part: Any) -> bytes:
    raw = part if isinstance(part, bytes) else str(part).encode("utf-8", "replace")
    return raw.upper()


def _seconds(given: Any, units: int) -> float:
    try:
        seconds = float(given) / units
    except (TypeError, ValueError):
        return 0.0  # Redis will refuse it
    return seconds if seconds > 0 else math.inf
