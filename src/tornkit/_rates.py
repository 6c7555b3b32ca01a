"""Rates such as ``10/15m``: how often something may happen."""

from __future__ import annotations

import re
from dataclasses import dataclass

__all__ = ["Rate"]

_RATE = re.compile(r"([1-9][0-9]{0,6})/([1-9][0-9]{0,4})?([a-z]+)")
_SECONDS = {"second": 1, "minute": 60, "hour": 3600, "day": 86_400}
_UNITS = {short: _SECONDS[name] for name in _SECONDS for short in (name[0], name, name + "s")}


@dataclass(frozen=True, slots=True)
class Rate:
    """So many times within a period of seconds; a full burst may come at once."""

    times: int
    period: int

    @classmethod
    def parse(cls, text: str) -> Rate:
        """Read ``10/15m``, ``100/hour`` or ``5/s``: units are s, m, h, d and their names.

        Example:
            >>> Rate.parse("10/15m")
            Rate(times=10, period=900)

        Raises:
            ValueError: it is not a rate.
        """
        found = _RATE.fullmatch(text.strip())
        unit = _UNITS.get(found[3]) if found else None
        if found is None or unit is None:
            raise ValueError("expected a rate such as 10/15m or 100/hour")
        return cls(int(found[1]), int(found[2] or 1) * unit)

    def __str__(self) -> str:
        return f"{self.times}/{self.period}s"
