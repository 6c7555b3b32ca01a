"""JSON out and in: what answers carry, and what bodies may hold.

`encode` takes plain data straight to msgspec; whatever else it meets it converts first, by
the rules below, or refuses with the path of the offending value.

==========================  ==========================================================
value                       JSON
==========================  ==========================================================
str, int, bool, None        themselves; integers up to `MAX_INT_DIGITS` digits
float                       itself; NaN and the infinities are ``null``
dict                        object; keys str, int, enum, UUID or date, as text
list, tuple, named tuple    array
set of any kind             array, sorted where its items can be compared
date, datetime, time        ISO 8601 text
UUID, Decimal, path         text
enum                        its value
dataclass, pydantic model   object of its fields
SQLAlchemy ``Row``          object of its columns
anything with ``__json__``  whatever that method returns
==========================  ==========================================================

Everything else is an `EncodingError`: bytes, generators, and objects of a mapped class,
so that nobody publishes a password hash by accident.
"""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Callable, Iterable, Mapping, Set
from datetime import date, datetime, time
from decimal import Decimal
from enum import Enum
from functools import lru_cache
from itertools import chain
from operator import attrgetter
from pathlib import PurePath
from typing import Any
from uuid import UUID

import msgspec

from tornkit.errors import EncodingError

__all__ = ["MAX_DEPTH", "MAX_INT_DIGITS", "decode", "encode"]

MAX_DEPTH = 200
"""How deep arrays and objects may be nested, out and in."""

MAX_INT_DIGITS = 4300
"""How many digits an integer may have: the limit of Python's own conversion to text."""

_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder()

_TOO_LONG = 10**MAX_INT_DIGITS

# msgspec also encodes bytes, dataclasses (mapped classes among them) and unsorted sets by
# itself, without asking a hook; therefore only these exact types reach it unconverted.
_PLAIN = frozenset({str, int, float, bool, type(None), datetime, date, time, UUID, Decimal})
_TEXT = frozenset({str})
_ROWS = frozenset({dict})
# What a dataclass may be besides, and would then be encoded as.
_BUILT_ON = (Enum, str, int, float, date, time, Decimal, UUID, PurePath, dict)


def encode(data: object, *, pretty: bool = False) -> bytes:
    """Return ``data`` as UTF-8 JSON, indented by two spaces if ``pretty``.

    Example:
        >>> encode({"born": date(2011, 4, 1), "tags": {"b", "a"}})
        b'{"born":"2011-04-01","tags":["a","b"]}'

    Raises:
        EncodingError: with ``key_path`` such as ``courses[3].teacher``.
    """
    try:
        raw = _encoder.encode(data if _is_plain(data, 0) else _made_plain(data))
    except (_Refusal, ValueError) as error:
        raise _explained(data, error) from _cause(error)
    return msgspec.json.format(raw, indent=2) if pretty else raw


def decode(data: bytes | str) -> object:
    """Return the value of a JSON text; the last of repeated keys wins.

    Raises:
        ValueError: it is not JSON (``NaN`` is not), not UTF-8, nested deeper than
            `MAX_DEPTH`, or holds a number out of range. The message quotes no data.
    """
    try:
        value: object = _decoder.decode(data)
    except RecursionError:
        raise ValueError(_TOO_DEEP) from None
    except UnicodeError:
        raise ValueError("the JSON text is not UTF-8") from None
    except msgspec.DecodeError as error:
        raise ValueError(f"not JSON: {error}") from None
    if _openers(data) > MAX_DEPTH and isinstance(value, dict | list) and _is_deep(value):
        raise ValueError(_TOO_DEEP)
    return value


_TOO_DEEP = f"the JSON text is nested deeper than {MAX_DEPTH} levels"


def _openers(data: bytes | str) -> int:
    if isinstance(data, str):
        return data.count("[") + data.count("{")
    return data.count(b"[") + data.count(b"{")


def _is_deep(value: object) -> bool:
    level: list[Any] = [value]
    for _ in range(MAX_DEPTH):
        level = [
            item
            for holder in level
            for item in (holder.values() if type(holder) is dict else holder)
            if type(item) is dict or type(item) is list
        ]
        if not level:
            return False
    return True


# --- the fast path -----------------------------------------------------------------------


def _is_plain(value: object, depth: int) -> bool:
    """Tell whether msgspec gives our answer unaided; most of it runs in C."""
    kind = type(value)
    items: Iterable[object]
    if kind is dict:
        if not _TEXT.issuperset(map(type, value)):  # type: ignore[call-overload]
            return False
        items = value.values()  # type: ignore[attr-defined]
    elif kind is list or kind is tuple:
        items = value  # type: ignore[assignment]
    else:
        return kind in _PLAIN
    if depth >= MAX_DEPTH:
        return False
    kinds = set(map(type, items))
    if kinds <= _PLAIN or (kinds == _ROWS and depth + 1 < MAX_DEPTH and _are_flat(items)):
        return True
    return all(type(item) in _PLAIN or _is_plain(item, depth + 1) for item in items)


def _are_flat(rows: Iterable[Any]) -> bool:
    """Tell the same of a list of dicts, the usual big answer, without a step a row."""
    cells = chain.from_iterable(map(dict.values, rows))
    return _PLAIN.issuperset(map(type, cells)) and _TEXT.issuperset(
        map(type, chain.from_iterable(rows))
    )


def _made_plain(data: object) -> object:
    """Return ``data`` in types that msgspec encodes as documented."""
    unpacked = _unpacked(data)
    return unpacked if _is_plain(unpacked, 0) else _convert(data, ())


_DEEPEST = 3  # dicts within each other in which rows are looked for


def _unpacked(value: object, depth: int = 0) -> object:
    """Return ``value`` with a dict for each dataclass and database row in lists near the top."""
    kind: Any = type(value)
    if kind is dict:
        if depth == _DEEPEST:
            return value
        fields: dict[Any, object] = value  # type: ignore[assignment]
        return {name: _unpacked(item, depth + 1) for name, item in fields.items()}
    if kind is not list and kind is not tuple:
        unpack = _unpacking(kind)
        return value if unpack is None else unpack(value)
    items: Iterable[object] = value  # type: ignore[assignment]
    kinds: set[Any] = set(map(type, items))
    if len(kinds) != 1:
        return value
    unpack = _unpacking(kinds.pop())
    return value if unpack is None else [unpack(item) for item in items]


def _unpacking(kind: Any) -> Callable[[Any], dict[str, object]] | None:
    """Return what makes a dict of a value, where `_convert` would take its fields."""
    # Asked each time: a class may be mapped after it was first met.
    if hasattr(kind, "__json__") or hasattr(kind, "_sa_class_manager"):
        return None
    return _taking_apart(kind)


@lru_cache(256)
def _taking_apart(kind: Any) -> Callable[[Any], dict[str, object]] | None:
    if kind.__name__ == "Row" and kind.__module__ == "sqlalchemy.engine.row":
        return _row_as_dict
    if issubclass(kind, _BUILT_ON) or not dataclasses.is_dataclass(kind):
        return None
    names = [field.name for field in dataclasses.fields(kind)]
    if len(names) < 2:
        return None  # attrgetter() makes a tuple of several values only
    values = attrgetter(*names)
    return lambda value: dict(zip(names, values(value), strict=True))


def _row_as_dict(row: Any) -> dict[str, object]:
    fields: dict[str, object] = row._asdict()
    return fields


# --- the slow path -----------------------------------------------------------------------


class _Refusal(Exception):
    """Carry a reason up; every level above prepends its segment of the key path."""

    def __init__(self, reason: str, hint: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.hint = hint
        self.segments: list[str] = []
        self.within: BaseException | None = None


def _convert(value: object, above: tuple[int, ...]) -> object:
    """Return ``value`` in types that msgspec encodes as documented."""
    kind = type(value)
    if kind in _PLAIN:
        return _checked(value)
    if id(value) in above:
        raise _Refusal("contains itself")
    if len(above) >= MAX_DEPTH:
        raise _Refusal(f"is nested deeper than {MAX_DEPTH} levels")
    below = (*above, id(value))
    custom: Callable[[object], object] | None = getattr(kind, "__json__", None)
    if custom is not None:
        return _convert(custom(value), below)
    if hasattr(kind, "_sa_class_manager"):
        raise _Refusal(
            f"is an object of the mapped class {kind.__name__}",
            "give its fields one by one, or give the class a __json__ method",
        )
    if isinstance(value, Enum):
        return _convert(value.value, below)
    if isinstance(value, str | int | float | date | time | Decimal | UUID | PurePath):
        return _as_exact(value)
    return _convert_holder(value, below)


def _convert_holder(value: object, below: tuple[int, ...]) -> object:
    fields = _fields_of(value)
    if fields is not None:
        return _convert_dict(fields, below)
    if isinstance(value, list | tuple):
        return _convert_items(value, below)
    if isinstance(value, Set):
        return _sorted(_convert_items(value, below))
    if _is_from("pydantic", "BaseModel", value):
        return _convert_model(value, below)
    raise _Refusal(*_refusal_of(value))


def _fields_of(value: object) -> Mapping[Any, object] | None:
    """Return what becomes a JSON object, as a mapping."""
    mapping: Mapping[Any, object]
    if isinstance(value, dict) or _is_from("sqlalchemy.engine", "RowMapping", value):
        mapping = value  # type: ignore[assignment]
    elif _is_from("sqlalchemy.engine", "Row", value):
        mapping = value._mapping  # type: ignore[attr-defined]
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        mapping = {f.name: getattr(value, f.name) for f in dataclasses.fields(value)}
    else:
        return None
    return mapping


def _convert_dict(value: Mapping[Any, object], below: tuple[int, ...]) -> dict[str, object]:
    converted: dict[str, object] = {}
    for key, item in value.items():
        name = _key(key)
        if name in converted:
            raise _Refusal(f"has two keys that are both written {name!r}")
        try:
            converted[name] = _convert(item, below)
        except _Refusal as refusal:
            refusal.segments.append(f".{name}")
            raise
    return converted


def _convert_items(value: Iterable[object], below: tuple[int, ...]) -> list[object]:
    converted: list[object] = []
    for index, item in enumerate(value):
        try:
            converted.append(_convert(item, below))
        except _Refusal as refusal:
            refusal.segments.append(f"[{index}]")
            raise
    return converted


def _convert_model(value: object, below: tuple[int, ...]) -> object:
    try:
        dumped: object = value.model_dump()  # type: ignore[attr-defined]
    except (ValueError, RecursionError) as error:
        refusal = _Refusal(f"is a {type(value).__name__} that pydantic cannot dump")
        refusal.within = error
        raise refusal from error
    return _convert(dumped, below)


def _key(key: object) -> str:
    if isinstance(key, Enum):
        key = key.value
    if isinstance(key, str):
        return str(_checked(str.__str__(key)))
    if isinstance(key, int) and not isinstance(key, bool):
        return str(_checked(int(key)))
    if isinstance(key, date):
        return key.isoformat()
    if isinstance(key, UUID):
        return str(key)
    raise _Refusal(
        f"has a key of type {type(key).__name__}", "use str, int, enum, UUID or date keys"
    )


def _as_exact(value: object) -> object:
    """Strip a subclass, because msgspec knows most types only exactly."""
    if isinstance(value, str):
        return _checked(str.__str__(value))
    if isinstance(value, int):
        return _checked(int.__int__(value))
    if isinstance(value, float):
        return float.__float__(value)
    if isinstance(value, datetime):
        return datetime.fromisoformat(value.isoformat())
    if isinstance(value, date | time):
        return value.isoformat()
    return _checked(str(value))


def _checked(value: object) -> object:
    """Refuse text that is not Unicode and integers that are too long."""
    if isinstance(value, str):
        try:
            value.isascii() or value.encode()
        except UnicodeError:
            raise _Refusal("is text with a lone surrogate") from None
    elif isinstance(value, int) and value.bit_length() > 14_200 and abs(value) >= _TOO_LONG:
        # 14,200 bits have at most 4,275 digits: only beyond them is the comparison made.
        raise _Refusal(f"is an integer of more than {MAX_INT_DIGITS} digits")
    return value


def _sorted(items: list[object]) -> list[object]:
    try:
        return sorted(items)  # type: ignore[type-var]
    except TypeError:
        return items


def _is_from(module: str, name: str, value: object) -> bool:
    """Tell whether ``value`` is of that class, without importing its package."""
    loaded = sys.modules.get(module)
    return loaded is not None and isinstance(value, getattr(loaded, name, ()))


def _refusal_of(value: object) -> tuple[str, str]:
    kind = type(value).__name__
    if isinstance(value, bytes | bytearray | memoryview):
        return f"is {kind}", "decode it to text, or encode it as base64 yourself"
    if isinstance(value, Iterable):
        return f"is a {kind}", "make it a list"
    return f"is a {kind}, which JSON answers do not carry", "convert it, or give it a __json__"


# --- failures ----------------------------------------------------------------------------


def _explained(data: object, error: Exception) -> EncodingError:
    if not isinstance(error, _Refusal):
        # msgspec refused plain data without saying where: walk it to find out.
        try:
            _convert(data, ())
        except _Refusal as refusal:
            error = refusal
        else:
            return EncodingError(f"the answer cannot be encoded: {error}", key_path="")
    path = "".join(reversed(error.segments)).removeprefix(".")
    subject = f"the value at {path}" if path else "the answer"
    return EncodingError(f"{subject} {error.reason}", key_path=path, hint=error.hint)


def _cause(error: Exception) -> BaseException | None:
    return error.within if isinstance(error, _Refusal) else error
