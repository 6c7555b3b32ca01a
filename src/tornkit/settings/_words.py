"""Say in plain words what a setting expects and what was found instead."""

from __future__ import annotations

import datetime
import enum
import types
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args, get_origin
from uuid import UUID

from tornkit._text import printable
from tornkit.settings._masking import SECRET_TYPES, mask_urls

if TYPE_CHECKING:
    from tornkit.settings._shape import Target

__all__ = ["Expected", "expected", "found"]


class Expected:
    """Put in ``Annotated`` where the type alone does not say what is expected."""

    def __init__(self, words: str) -> None:
        self.words = words


_NAMES: dict[Any, str] = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "text",
    bytes: "text",
    Path: "a path",
    UUID: "a UUID",
    datetime.datetime: "a date and time such as 2026-01-31T12:00:00",
    datetime.date: "a date such as 2026-01-31",
    datetime.time: "a time such as 12:30:00",
    datetime.timedelta: "a duration such as 90 (seconds) or PT1M30S",
}


def expected(target: Target) -> str:
    """Return what the target takes, such as ``a whole number from 1 to 9``."""
    for note in target.metadata:
        if isinstance(note, Expected):
            return note.words
    if target.kind in ("model", "table"):
        return "a table of keys and values"
    words = list(dict.fromkeys(_member(member) for member in target.members))
    return " or ".join(words) + _limits(target)


def found(value: object) -> str:
    """Return a value as messages show it; tables and lists are only named."""
    if isinstance(value, Mapping):
        return "a table"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return repr(printable(mask_urls(value))) if value.isprintable() else _escaped(value)
    if isinstance(value, Iterable):
        return "a list"
    return printable(mask_urls(str(value)))


def _escaped(value: str) -> str:
    return f"'{printable(mask_urls(value))}'"


def _member(member: Any) -> str:
    origin = get_origin(member) or member
    if origin is Literal:
        return _choice(get_args(member))
    if not isinstance(origin, type):
        return "a value of another kind"
    if issubclass(origin, enum.Enum):
        return _choice(tuple(item.value for item in origin))
    if origin in _NAMES:
        return _NAMES[origin]
    families = ((SECRET_TYPES, "text"), (Mapping, "a table"), (Collection, "a list"))
    words = (words for family, words in families if issubclass(origin, family))
    return next(words, f"a value for {origin.__name__}")


def _choice(values: tuple[Any, ...]) -> str:
    *rest, last = (str(value) for value in values)
    return f"{', '.join(rest)} or {last}" if rest else last


def _limits(target: Target) -> str:
    """Return `` from 1 to 9``, `` of at least 3 characters`` and the like."""
    limits: dict[str, Any] = {}
    for note in target.metadata:
        if isinstance(note, types.FunctionType):
            continue
        for name in ("ge", "gt", "le", "lt", "min_length", "max_length"):
            value = getattr(note, name, None)
            if value is not None:
                limits[name] = value
    return _range(limits) + _length(limits, texts=str in target.members)


def _range(limits: dict[str, Any]) -> str:
    if "ge" in limits and "le" in limits:
        return f" from {limits['ge']} to {limits['le']}"
    words = []
    for name, text in (("ge", "at least"), ("gt", "above"), ("le", "at most"), ("lt", "below")):
        if name in limits:
            words.append(f"{text} {limits[name]}")
    return f" of {' and '.join(words)}" if words else ""


def _length(limits: dict[str, Any], *, texts: bool) -> str:
    unit = "characters" if texts else "items"
    words = []
    if "min_length" in limits:
        words.append(f"at least {limits['min_length']}")
    if "max_length" in limits:
        words.append(f"at most {limits['max_length']}")
    return f" of {' and '.join(words)} {unit}" if words else ""
