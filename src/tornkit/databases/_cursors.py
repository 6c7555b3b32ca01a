"""A place in an ordered list as a short text, and back: what pages give as tokens.

A token is URL-safe base64 of a checksum and a MessagePack array: whether the row of that
place belongs to the page itself, then the row's value of each ordering column, as the
driver gave it. The checksum covers the ordering that the token was made for. It is no
signature: whoever makes one up asks for another place in a list that is theirs to read, so
what comes out is still judged by type before a database sees it.
"""

from __future__ import annotations

import base64
import math
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from hashlib import blake2b
from hmac import compare_digest
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Place", "UnknownValue", "decode", "encode"]

_CHECKSUM = 8  # bytes
_INT64 = range(-(2**63), 2**63)
# What PostgreSQL's numeric can hold; beyond it a short text would ask for gigabytes of digits.
_MAX_EXPONENT = 131_072

_PLAIN: Final = frozenset({type(None), int, float, str, bytes})
_RICH: Final = frozenset({Decimal, date, datetime, timedelta})
_KNOWN: Final = {
    "sqlite": _PLAIN,
    "mysql": _PLAIN | _RICH,
    "mariadb": _PLAIN | _RICH,
    "postgresql": _PLAIN | _RICH | {bool, time, UUID},
}
"""What the drivers give, and take back without a question."""


@dataclass(frozen=True, slots=True)
class Place:
    """The values of the ordering columns of one row.

    ``inclusive`` tells whether that row itself is on the page that the place begins.
    """

    values: tuple[Any, ...]
    inclusive: bool = False


class UnknownValue(Exception):
    """A row is ordered by a value of a type that tokens do not carry."""


def encode(place: Place, ordering: bytes, dialect: str) -> str:
    """Return the token of a place in the list that is ordered so.

    Raises:
        UnknownValue: a value is of another type than those that tokens carry.
    """
    for value in place.values:
        if not _is_known(value, dialect):
            raise UnknownValue(type(value).__name__)
    packed = _encoder.encode([place.inclusive, *map(_packed, place.values)])
    return base64.urlsafe_b64encode(_checksum(packed, ordering) + packed).rstrip(b"=").decode()


def decode(token: str, ordering: bytes, dialect: str, count: int) -> Place:
    """Return the place that a token of this ordering, of ``count`` columns, stands for.

    Raises:
        ValueError: it is none of this ordering.
    """
    raw = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
    checksum, packed = raw[:_CHECKSUM], raw[_CHECKSUM:]
    if not compare_digest(checksum, _checksum(packed, ordering)):
        raise ValueError("the checksum is another one")
    inclusive, *values = _decoder.decode(packed)
    values = [_unpacked(value) for value in values]
    if not isinstance(inclusive, bool) or len(values) != count:
        raise ValueError("it has another form")
    if not all(_is_known(value, dialect) for value in values):
        raise ValueError("a value is of a type that the database does not give")
    return Place(tuple(values), inclusive)


def _checksum(packed: bytes, ordering: bytes) -> bytes:
    return blake2b(packed, key=ordering, digest_size=_CHECKSUM).digest()


def _is_known(value: object, dialect: str) -> bool:
    if type(value) not in _KNOWN[dialect]:
        return False
    if type(value) is int:
        return value in _INT64 or (dialect != "sqlite" and 0 < value < 2**64)
    if type(value) is float:
        return dialect == "postgresql" or math.isfinite(value)
    if type(value) is Decimal:
        if not value.is_finite():
            return dialect == "postgresql" and not value.is_snan()
        return abs(value.adjusted()) <= _MAX_EXPONENT
    return True


# --- values that MessagePack has no type for ---------------------------------------------

_MICROSECOND = timedelta(microseconds=1)
_TO_BYTES: Final[dict[type, tuple[int, Callable[[Any], bytes]]]] = {
    Decimal: (1, lambda value: str(value).encode()),
    datetime: (2, lambda value: value.isoformat().encode()),
    date: (3, lambda value: value.isoformat().encode()),
    time: (4, lambda value: value.isoformat().encode()),
    timedelta: (5, lambda value: str(value // _MICROSECOND).encode()),
    UUID: (6, lambda value: value.bytes),
    bytes: (7, bytes),
}
_FROM_BYTES: Final[dict[int, Callable[[bytes], Any]]] = {
    1: lambda raw: Decimal(raw.decode()),
    2: lambda raw: datetime.fromisoformat(raw.decode()),
    3: lambda raw: date.fromisoformat(raw.decode()),
    4: lambda raw: time.fromisoformat(raw.decode()),
    5: lambda raw: timedelta(microseconds=int(raw)),
    6: lambda raw: UUID(bytes=raw),
    7: bytes,
}

_encoder = msgspec.msgpack.Encoder()
# No arrays in arrays: nothing here recurses.
_decoder = msgspec.msgpack.Decoder(list[bool | int | float | str | msgspec.msgpack.Ext | None])


def _packed(value: Any) -> Any:
    known = _TO_BYTES.get(type(value))
    return value if known is None else msgspec.msgpack.Ext(known[0], known[1](value))


def _unpacked(value: Any) -> Any:
    if not isinstance(value, msgspec.msgpack.Ext):
        return value
    read = _FROM_BYTES.get(value.code)
    if read is None:
        raise ValueError("a value is of an unknown type")
    try:
        return read(bytes(value.data))
    except (ArithmeticError, ValueError) as error:
        raise ValueError("a value cannot be read") from error
