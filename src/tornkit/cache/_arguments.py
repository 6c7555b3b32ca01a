"""What the arguments of a call are called in a cache key.

JSON would do for most, but writes a date like a text and a NaN like None, and of an object
what it shows to others: two users of one name would share an entry. Therefore only what a
key can tell apart is accepted.
"""

from __future__ import annotations

from datetime import date, datetime, time, timedelta, tzinfo
from decimal import Decimal
from enum import Enum
from typing import Final
from uuid import UUID

__all__ = ["ACCEPTED", "described"]

ACCEPTED: Final = (
    "None, bool, int, float, str, bytes, dates, times, Decimal, UUID, enums, and lists, tuples, "
    "sets and dicts of them"
)

_LITERAL: Final = frozenset({type(None), bool, int, float, str, bytes, Decimal, UUID, timedelta})
_MOMENTS: Final = frozenset({date, time, datetime})
_BRACKETS: Final[dict[type[object], tuple[str, str]]] = {
    list: ("[", "]"),
    tuple: ("(", ")"),
    set: ("set(", ")"),
    frozenset: ("frozenset(", ")"),
}
_UNORDERED: Final = frozenset({set, frozenset})


def described(value: object) -> str:
    """Return printable text that equal values of one type share, and no others.

    Raises:
        TypeError: a value inside has no such text; the message is the name of its type.
        ValueError: an integer beyond Python's limit of digits.
        RecursionError: it is nested too deep, or contains itself.
    """
    kind = type(value)
    if kind in _LITERAL:
        return repr(value)
    if kind in _MOMENTS:
        zone = _zone(getattr(value, "tzinfo", None))
        return f"{kind.__name__} {value.isoformat()}{zone}"  # type: ignore[attr-defined]
    if isinstance(value, Enum):
        return _member(value)
    if kind in _BRACKETS:
        left, right = _BRACKETS[kind]
        items = [described(item) for item in value]  # type: ignore[attr-defined]
        return left + ", ".join(sorted(items) if kind in _UNORDERED else items) + right
    if isinstance(value, dict) and kind is dict:
        pairs = [f"{described(name)}: {described(item)}" for name, item in value.items()]
        return "{" + ", ".join(sorted(pairs)) + "}"
    raise TypeError(kind.__name__)


def _member(member: Enum) -> str:
    """Return the name of an enum's member, with its value: some have no name of their own."""
    kind = type(member)
    name = f"{kind.__module__}.{kind.__qualname__}.{member.name}"
    try:
        return f"{name}={described(member.value)}"
    except TypeError:
        if kind.__members__.get(member.name) is member:
            return name
        raise TypeError(kind.__name__) from None


def _zone(zone: tzinfo | None) -> str:
    """Return what a moment's offset does not say of its zone: when it will be another.

    The repr of a zone may be another each time.
    """
    if zone is None or zone.utcoffset(None) is not None:
        return ""
    name = getattr(zone, "key", None) or getattr(zone, "zone", None)  # of zoneinfo, of pytz
    if not isinstance(name, str):
        raise TypeError(type(zone).__name__)
    return f"[{name}]"
