"""JSON out and in."""

from __future__ import annotations

import contextlib
import json
import math
import subprocess
import sys
from collections import OrderedDict, namedtuple
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum, IntEnum, StrEnum
from pathlib import Path, PurePosixPath
from types import MappingProxyType
from typing import Any
from uuid import UUID

import pydantic
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from markupsafe import Markup
from sqlalchemy import create_engine, text
from sqlalchemy.orm import DeclarativeBase, Mapped, MappedAsDataclass, mapped_column

from tornkit.encoding import MAX_DEPTH, MAX_INT_DIGITS, decode, encode
from tornkit.errors import EncodingError


class Color(Enum):
    RED = "red"
    PAIR = (1, 2)


class Level(IntEnum):
    LOW = 1


class Word(StrEnum):
    YES = "yes"


Point = namedtuple("Point", "x y")


class MyInt(int):
    def __str__(self) -> str:
        return "boo"


class MyFloat(float):
    def __repr__(self) -> str:
        return "boo"


class MyDict(dict[str, int]):
    pass


class MyDatetime(datetime):
    pass


class MyDate(date):
    pass


@dataclass
class Course:
    title: str
    starts: date
    tags: set[str] = field(default_factory=set)
    teacher: Any = None


@dataclass(slots=True)
class Slotted:
    x: int


class Form(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(arbitrary_types_allowed=True)
    name: str
    born: date = date(2011, 4, 1)
    extra: Any = None
    hidden: str = pydantic.Field(default="h", exclude=True)


class Base(DeclarativeBase):
    pass


class Teacher(Base):
    __tablename__ = "teacher"
    id: Mapped[int] = mapped_column(primary_key=True)
    password_hash: Mapped[str]


class Pupil(MappedAsDataclass, Base):
    __tablename__ = "pupil"
    id: Mapped[int] = mapped_column(primary_key=True)
    password_hash: Mapped[str]


class Shown(Base):
    __tablename__ = "shown"
    id: Mapped[int] = mapped_column(primary_key=True)
    password_hash: Mapped[str]

    def __json__(self) -> dict[str, object]:
        return {"id": self.id, "when": {date(2020, 1, 1)}}


class Custom:
    def __init__(self, value: object) -> None:
        self.value = value

    def __json__(self) -> object:
        return self.value


TEACHER = Teacher(id=1, password_hash="secret")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, None),
        (True, True),
        ("é</script>\x00", "é</script>\x00"),
        (-0.5, -0.5),
        (math.nan, None),
        ([math.inf, {"x": -math.inf}], [None, {"x": None}]),
        (MyFloat("nan"), None),
        (MyFloat(1.5), 1.5),
        (2**64, 2**64),
        (-(10**4000), -(10**4000)),
        (10**MAX_INT_DIGITS - 1, 10**MAX_INT_DIGITS - 1),
        (MyInt(7), 7),
        (date(2026, 2, 28), "2026-02-28"),
        (time(1, 2, 3), "01:02:03"),
        (datetime.fromisoformat("2026-01-02T03:04:05.000006"), "2026-01-02T03:04:05.000006"),
        (datetime(2026, 1, 2, 3, tzinfo=UTC), "2026-01-02T03:00:00Z"),
        (datetime(2026, 1, 2, tzinfo=timezone(timedelta(hours=-3))), "2026-01-02T00:00:00-03:00"),
        (MyDatetime(2026, 1, 2, tzinfo=UTC), "2026-01-02T00:00:00Z"),
        (MyDate(2026, 1, 2), "2026-01-02"),
        (Decimal("1.10"), "1.10"),
        (Decimal("NaN"), "NaN"),
        (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (PurePosixPath("/a/b"), "/a/b"),
        (Path("x"), "x"),
        (Color.RED, "red"),
        (Color.PAIR, [1, 2]),
        (Level.LOW, 1),
        (Word.YES, "yes"),
        (Markup("<b>"), "<b>"),
        ({3, 1, 2}, [1, 2, 3]),
        (frozenset({"b", "a"}), ["a", "b"]),
        ({Word.YES, Color.RED}, ["red", "yes"]),
        ((1, (2, 3)), [1, [2, 3]]),
        (Point(1, {2}), [1, [2]]),
        (MyDict(a=1), {"a": 1}),
        (OrderedDict(b=1, a=2), {"b": 1, "a": 2}),
        ({1: "a", Level.LOW + 1: "b"}, {"1": "a", "2": "b"}),
        ({Color.RED: 1, Word.YES: 2}, {"red": 1, "yes": 2}),
        ({UUID(int=1): 1}, {"00000000-0000-0000-0000-000000000001": 1}),
        ({date(2026, 1, 2): 1}, {"2026-01-02": 1}),
        (
            Course("x", date(2026, 1, 2), {"b", "a"}, [Slotted(1)]),
            {"title": "x", "starts": "2026-01-02", "tags": ["a", "b"], "teacher": [{"x": 1}]},
        ),
        (
            Form(name="Ada", extra={1}),
            {"name": "Ada", "born": "2011-04-01", "extra": [1]},
        ),
        (Custom({"x": Custom([Color.RED])}), {"x": ["red"]}),
        (Shown(id=3, password_hash="secret"), {"id": 3, "when": ["2020-01-01"]}),
    ],
)
def test_values(value: object, expected: object) -> None:
    assert json.loads(encode(value)) == expected
    assert json.loads(encode({"k": [value]})) == {"k": [expected]}


def test_sets_that_cannot_be_compared_are_lists_all_the_same() -> None:
    found = json.loads(encode({1, "a", None}))
    assert sorted(map(str, found)) == ["1", "None", "a"]


def test_rows_are_objects() -> None:
    engine = create_engine("sqlite://")
    with engine.connect() as connection:
        query = text("SELECT 1 AS id, 'Ada' AS name")
        rows = connection.execute(query).all()
        assert json.loads(encode({"rows": rows})) == {"rows": [{"id": 1, "name": "Ada"}]}
        mappings = connection.execute(query).mappings().all()
        assert json.loads(encode(mappings)) == [{"id": 1, "name": "Ada"}]
    engine.dispose()


def a_list_that_contains_itself() -> list[Any]:
    loop: list[Any] = [1]
    loop.append({"back": loop})
    return loop


def nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("value", "key_path", "words"),
    [
        (b"x", "", "the answer is bytes"),
        ({"a": [0, bytearray(b"x")]}, "a[1]", "bytearray"),
        ({"a": memoryview(b"x")}, "a", "memoryview"),
        ({"courses": [1, 2, 3, {"teacher": TEACHER}]}, "courses[3].teacher", "class Teacher"),
        ([Course("x", date.min, set(), TEACHER)], "[0].teacher", "class Teacher"),
        ({"p": Pupil(id=1, password_hash="secret")}, "p", "class Pupil"),
        (Form(name="x", extra=[TEACHER]), "extra[0]", "class Teacher"),
        (Form(name="x", extra=pydantic.SecretStr("secret")), "extra", "SecretStr"),
        (Custom([TEACHER]), "[0]", "class Teacher"),
        ({"x": object()}, "x", "a object"),
        ({"x": Course}, "x", "a type"),
        ({"x": timedelta(1)}, "x", "timedelta"),
        ({"x": 1j}, "x", "complex"),
        ({"x": (n for n in "ab")}, "x", "make it a list"),
        ({"x": {}.values()}, "x", "make it a list"),
        ({"x": MappingProxyType({})}, "x", "mappingproxy"),
        ({"x": {1.5: 1}}, "x", "key of type float"),
        ({"x": {None: 1}}, "x", "key of type NoneType"),
        ({"x": {True: 1}}, "x", "key of type bool"),
        ({"x": {(1,): 1}}, "x", "key of type tuple"),
        ({"x": {b"k": 1}}, "x", "key of type bytes"),
        ({"x": {1: 1, "1": 2}}, "x", "two keys"),
        ({"x": [10**MAX_INT_DIGITS]}, "x[0]", "4300 digits"),
        ({"x": [-(10**9000)]}, "x[0]", "4300 digits"),
        ({"x": {10**9000: 1}}, "x", "4300 digits"),
        ({"x": ["\ud800"]}, "x[0]", "surrogate"),
        ({"x": {"\ud800": 1}}, "x", "surrogate"),
        (a_list_that_contains_itself(), "[1].back", "contains itself"),
        (nested(MAX_DEPTH + 1), "[0]" * MAX_DEPTH, "nested deeper"),
        (nested(100_000), "[0]" * MAX_DEPTH, "nested deeper"),
        ({"x": {object()}}, "x[0]", "a object"),
        ({"rows": [{"a": 1}, {"a": b"x"}]}, "rows[1].a", "bytes"),
        ({"rows": [{"a": 1}, {"a": [b"x"]}]}, "rows[1].a[0]", "bytes"),
        ({"rows": [{"a": 1}, {1.5: 2}]}, "rows[1]", "key of type float"),
    ],
    ids=lambda value: value if isinstance(value, str) and len(value) < 40 else "value",
)
def test_refusals_name_the_place(value: object, key_path: str, words: str) -> None:
    with pytest.raises(EncodingError) as caught:
        encode(value)
    assert caught.value.key_path == key_path
    assert words in str(caught.value)
    assert "secret" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_circles_through_dataclasses_and_custom_methods_are_refused() -> None:
    course = Course("x", date.min)
    course.teacher = {"course": course}
    with pytest.raises(EncodingError, match="contains itself"):
        encode(course)
    custom = Custom(None)
    custom.value = [custom]
    with pytest.raises(EncodingError, match="contains itself"):
        encode(custom)
    form = Form(name="x")
    form.extra = form
    with pytest.raises(EncodingError, match="contains itself"):
        encode(form)


def test_the_same_object_twice_is_no_circle() -> None:
    shared = [1, {2}]
    assert json.loads(encode([shared, shared])) == [[1, [2]], [1, [2]]]


def test_both_directions_have_the_same_limit_of_depth() -> None:
    deepest = nested(MAX_DEPTH)
    for value in (deepest, Custom(nested(MAX_DEPTH - 1))):
        decode(encode(value))
    assert decode(encode(deepest)) == deepest
    with pytest.raises(EncodingError, match="nested deeper"):
        encode([deepest])
    with pytest.raises(ValueError, match="nested deeper"):
        decode(b"[" + encode(deepest) + b"]")


def test_an_exception_of_the_users_own_method_is_untouched() -> None:
    class Broken:
        def __json__(self) -> object:
            raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        encode([Broken()])


def test_pretty_is_indented_and_unescaped() -> None:
    assert encode({"a": ["é", {}]}, pretty=True).decode() == (
        '{\n  "a": [\n    "é",\n    {}\n  ]\n}'
    )
    assert encode({"a": "é"}) == '{"a":"é"}'.encode()


def test_plain_data_needs_neither_sqlalchemy_nor_pydantic() -> None:
    program = (
        "import sys; from tornkit.encoding import encode; encode({'x': {1}});"
        "assert not {'sqlalchemy', 'pydantic'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


_SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
)
_JSON = st.recursive(
    _SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=20
)


@given(_JSON, st.booleans())
@example({"": {"": [10**400, -0.0, 5e-324, 1.7976931348623157e308]}}, False)
def test_json_reads_back_what_was_written(value: Any, pretty: bool) -> None:
    raw = encode(value, pretty=pretty)
    assert json.loads(raw) == value
    assert decode(raw) == value


@given(_JSON)
def test_both_paths_give_the_same_bytes(value: Any) -> None:
    assert encode(Custom(value)) == encode(value)


@given(_JSON)
def test_json_out_of_the_standard_library_is_read(value: Any) -> None:
    assert decode(json.dumps(value)) == value
    assert decode(json.dumps(value, indent=1, ensure_ascii=False).encode()) == value


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"NaN",
        b"[Infinity]",
        b"-Infinity",
        b"1e999",
        b"[1,]",
        b"{'a':1}",
        b"{a:1}",
        b"01",
        b'"\xff"',
        b"\xef\xbb\xbf1",
        b'"\n"',
        b"[1",
        b"1 2",
        b'{"a":1',
        b"1" * 5000,
        b"\x00",
        b"[" * 1000000,
        b"[" * 5000 + b"]" * 5000,
        b'{"a":' * 300 + b"1" + b"}" * 300,
        b"[" * 201 + b"]" * 201,
    ],
)
def test_what_is_not_json_is_a_value_error_that_quotes_nothing(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"JSON") as caught:
        decode(data)
    assert len(str(caught.value)) < 120


def test_many_brackets_are_not_deep() -> None:
    assert decode(b"[" + b",".join([b"[]"] * 10_000) + b"]") == [[]] * 10_000


def test_the_last_of_repeated_keys_wins() -> None:
    assert decode(b'{"a":1,"a":2}') == {"a": 2}


@given(st.binary())
def test_no_bytes_raise_anything_else(data: bytes) -> None:
    with contextlib.suppress(ValueError):
        decode(data)


def test_rows_in_lists_are_what_they_are_one_by_one() -> None:
    @dataclass
    class Row:
        id: int
        _hidden: str
        born: date
        more: object = None

    rows = [Row(n, "a", date(2011, 4, n), more={"x": [n]}) for n in range(1, 4)]
    alone = [json.loads(encode(row)) for row in rows]
    assert json.loads(encode(rows)) == alone
    assert json.loads(encode({"rows": rows, "first": rows[0]})) == {
        "rows": alone,
        "first": alone[0],
    }
    assert list(alone[0]) == ["id", "_hidden", "born", "more"]
    mixed = [*rows, {"id": 4}]
    assert json.loads(encode(mixed)) == [*alone, {"id": 4}]
    with pytest.raises(EncodingError) as refused:
        encode({"rows": [*rows, Row(4, "b", date(2012, 1, 1), more=object())]})
    assert refused.value.key_path == "rows[3].more"


def test_a_dataclass_that_says_how_it_is_written_is_asked_in_lists_too() -> None:
    @dataclass
    class Own:
        id: int
        secret: str

        def __json__(self) -> object:
            return {"id": self.id}

    assert encode([Own(1, "x"), Own(2, "y")]) == b'[{"id":1},{"id":2}]'


def test_a_class_that_is_mapped_later_is_refused_from_then_on() -> None:
    @dataclass
    class Person:
        id: int
        password: str

    assert encode([Person(1, "x")]) == b'[{"id":1,"password":"x"}]'
    Person._sa_class_manager = object()  # type: ignore[attr-defined]  # as SQLAlchemy does
    with pytest.raises(EncodingError, match="mapped class"):
        encode([Person(1, "x")])


def test_dicts_that_are_deep_or_hold_themselves_are_explained() -> None:
    loop: dict[str, object] = {}
    loop["again"] = {"more": loop}
    with pytest.raises(EncodingError, match="contains itself"):
        encode(loop)
    deep: dict[str, object] = {}
    for _ in range(3000):
        deep = {"a": deep}
    with pytest.raises(EncodingError, match="nested deeper"):
        encode(deep)
