"""Tokens of places: what goes in comes out, and nothing else is believed."""

# ruff: noqa: DTZ001 - columns without a zone give such values

from __future__ import annotations

import base64
import uuid
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tornkit.databases import _cursors
from tornkit.databases._cursors import Place, UnknownValue, decode, encode

ORDERING = b"o" * 32
PLAIN = [None, 0, -(2**63), 2**63 - 1, 1.5, "", "é\0\U0001f600", b"", b"\xff\0"]
RICH = [
    Decimal("-1.50"),
    date(1, 1, 1),
    datetime(2026, 1, 1, 12, 0, 0, 5),
    datetime(2026, 1, 1, tzinfo=UTC),
    timedelta(days=-1, microseconds=1),
]
EVERY = [*PLAIN, *RICH, True, time(12, 0, 0, 5), uuid.UUID(int=5), float("inf"), Decimal("NaN")]


@pytest.mark.parametrize(
    ("dialect", "values"),
    [("sqlite", PLAIN), ("mysql", [*PLAIN, *RICH, 2**64 - 1]), ("postgresql", EVERY)],
)
@pytest.mark.parametrize("inclusive", [False, True])
def test_values_come_out_as_they_went_in(dialect: str, values: list[Any], inclusive: bool) -> None:
    place = Place(tuple(values), inclusive)
    token = encode(place, ORDERING, dialect)
    read = decode(token, ORDERING, dialect, len(values))
    assert repr(read) == repr(place)
    for other, count in ((b"p" * 32, len(values)), (ORDERING, len(values) + 1)):
        with pytest.raises(ValueError):
            decode(token, other, dialect, count)


@pytest.mark.parametrize(
    ("dialect", "value"),
    [
        ("sqlite", 2**63),
        ("sqlite", True),
        ("sqlite", Decimal(1)),
        ("sqlite", date(2026, 1, 1)),
        ("sqlite", float("nan")),
        ("mysql", float("inf")),
        ("mysql", Decimal("Infinity")),
        ("mysql", uuid.UUID(int=1)),
        ("mysql", 2**64),
        ("postgresql", Decimal("sNaN")),
        ("postgresql", Decimal("1E+999999")),
        ("postgresql", [1]),
    ],
)
def test_what_a_database_does_not_give_is_in_no_token(dialect: str, value: Any) -> None:
    with pytest.raises(UnknownValue, match=type(value).__name__):
        encode(Place((value,)), ORDERING, dialect)


@pytest.mark.parametrize("value", [2**63, True, Decimal(1), date(2026, 1, 1)], ids=repr)
def test_what_another_database_gives_is_refused(value: Any) -> None:
    token = encode(Place((value,)), ORDERING, "postgresql")
    with pytest.raises(ValueError, match="does not give"):
        decode(token, ORDERING, "sqlite", 1)


@given(st.text() | st.binary().map(lambda raw: base64.urlsafe_b64encode(raw).decode()))
def test_nothing_but_a_token_is_read(text: str) -> None:
    with pytest.raises(ValueError):
        decode(text, ORDERING, "postgresql", 1)


@given(st.data())
def test_a_token_with_one_character_changed_is_none(data: st.DataObject) -> None:
    token = encode(Place(("a title", 7)), ORDERING, "sqlite")
    at = data.draw(st.integers(0, len(token) - 1))
    character = data.draw(st.characters())
    changed = token[:at] + character + token[at + 1 :]
    try:
        read = decode(changed, ORDERING, "sqlite", 2)
    except ValueError:
        return
    # The last character of base64 has bits to spare.
    assert read == Place(("a title", 7))


def forge(value: object) -> str:
    """Return a token with a right checksum, as whoever has read this code can make it."""
    return forge_raw(msgspec.msgpack.encode(value))


def forge_raw(packed: bytes) -> str:
    raw = _cursors._checksum(packed, ORDERING) + packed
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


EXTS = st.builds(msgspec.msgpack.Ext, st.integers(-3, 9), st.binary(max_size=20))


@settings(max_examples=30)
@given(
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers(-(2**63), 2**64 - 1)
        | st.floats()
        | EXTS
        | st.text()
        | st.binary(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
    | st.tuples(st.booleans(), EXTS)
)
def test_what_is_made_up_is_refused_or_a_value(value: object) -> None:
    for dialect in ("sqlite", "mysql", "postgresql"):
        try:
            read = decode(forge(value), ORDERING, dialect, 1)
        except ValueError:
            continue
        assert encode(read, ORDERING, dialect)


@given(st.binary(max_size=30))
def test_made_up_bytes_are_refused_or_a_value(packed: bytes) -> None:
    try:
        read = decode(forge_raw(packed), ORDERING, "postgresql", 1)
    except ValueError:
        return
    assert encode(read, ORDERING, "postgresql")


def test_deep_nesting_is_refused() -> None:
    with pytest.raises(ValueError):
        decode(forge_raw(b"\x91" * 100_000 + b"\xc0"), ORDERING, "postgresql", 1)
