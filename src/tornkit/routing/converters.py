"""The converters of `path()`: text in a URL to a Python object, and back."""

from __future__ import annotations

import datetime
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["CONVERTERS", "Converter"]


@dataclass(frozen=True, slots=True)
class Converter:
    """One kind of parameter.

    Args:
        name: what is written after the colon in ``{course_id:int}``.
        regex: what the raw, still percent-encoded text looks like; it has no group.
        load: turns the decoded text into the value; ValueError means "no match".
        dump: turns the value into decoded text; TypeError or ValueError refuse it.
        expected: the values it takes, in words, for messages.
        typed: the value is something else than text, which only typed handlers take.
        crosses: the value may hold slashes.
        fixed: all its texts have the same length.
    """

    name: str
    regex: str
    load: Callable[[str], object]
    dump: Callable[[object], str]
    expected: str
    typed: bool = False
    crosses: bool = False
    fixed: bool = False


def _load_text(text: str) -> str:
    # An encoded slash is a slash all the same: `{name}` never holds one.
    if "/" in text:
        raise ValueError("a slash")
    return text


def _dump_int(value: object) -> str:
    if isinstance(value, bool):
        raise TypeError("a bool")
    return str(value)


def _dump_date(value: object) -> str:
    if isinstance(value, datetime.datetime):
        value = value.date()
    return value.isoformat() if isinstance(value, datetime.date) else str(value)


_HEX = "[0-9a-fA-F]"

CONVERTERS: dict[str, Converter] = {
    converter.name: converter
    for converter in (
        Converter("str", "[^/]+", _load_text, str, "text without a slash"),
        Converter("int", "[0-9]+", int, _dump_int, "a whole number, 0 or more", typed=True),
        Converter(
            "uuid",
            f"{_HEX}{{8}}-{_HEX}{{4}}-{_HEX}{{4}}-{_HEX}{{4}}-{_HEX}{{12}}",
            uuid.UUID,
            str,
            "a UUID",
            typed=True,
            fixed=True,
        ),
        Converter("slug", "[-a-zA-Z0-9_]+", str, str, "letters, digits, - and _", typed=True),
        Converter(
            "date",
            "[0-9]{4}-[0-9]{2}-[0-9]{2}",
            datetime.date.fromisoformat,
            _dump_date,
            "a date such as 2026-11-30",
            typed=True,
            fixed=True,
        ),
        Converter("path", ".+", str, str, "text that may hold slashes", crosses=True),
    )
}
