"""Arguments travel as JSON and arrive as the annotations say; results likewise."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, Field

from tests.tasks.support import open_tasks
from tornkit.errors import BadArgument, TaskError
from tornkit.tasks import Tasks, task
from tornkit.tasks.arguments import Arguments

if TYPE_CHECKING:
    from fractions import Fraction


class Colour(Enum):
    RED = "red"


@dataclass
class Point:
    x: int
    on: date


class Model(BaseModel):
    number: int = Field(alias="Number")
    model_config = {"populate_by_name": True}


class Session:
    """Something that JSON does not carry."""


def everything(
    a: int,
    b: date,
    /,
    c: Decimal = Decimal(1),
    *more: UUID,
    point: Point | None = None,
    colour: Colour = Colour.RED,
    model: Model | None = None,
    numbers: frozenset[int] = frozenset(),
    pair: tuple[int, str] = (1, "a"),
    path: Path = Path(),
    either: str | datetime | None = None,
    **others: float,
) -> None: ...


def packed(function: Any, *args: Any, **kwargs: Any) -> dict[str, Any]:
    return Arguments(function, name="f").pack(args, kwargs)


def test_every_kind_comes_back_as_it_was() -> None:
    args = (1, date(2026, 1, 2), Decimal("1.50"), UUID(int=7))
    kwargs = {
        "point": Point(1, date(2026, 1, 3)),
        "colour": Colour.RED,
        "model": Model.model_validate({"number": 3}),
        "numbers": frozenset({2, 3}),
        "pair": (2, "b"),
        "path": Path("x/y"),
        "either": "text",
        "rate": 1.5,
    }
    arguments = Arguments(everything, name="f")
    there = arguments.pack(args, kwargs)
    assert there["c"] == "1.50"
    assert there["others"] == {"rate": 1.5}
    back = arguments.unpack(there)
    assert (back.args, back.kwargs) == (args, kwargs)


def plain(count: int, name: str = "x", when: time | None = None) -> None: ...


def test_defaults_are_those_of_the_function_when_it_runs() -> None:
    assert packed(plain, 1) == {"count": 1}
    assert Arguments(plain, name="f").unpack({"count": 1}).arguments == {"count": 1}


@pytest.mark.parametrize(
    ("function", "args", "argument", "complaint"),
    [
        (plain, ("1",), "count", "argument count: Input should be a valid integer"),
        (plain, (True,), "count", "argument count: Input should be a valid integer"),
        (plain, (1, b"x"), "name", "the value at name is bytes; decode it to text"),
        (plain, (1, Session()), "name", "the value at name is a Session"),
        (plain, (10**5000,), "count", "an integer of more than 4300 digits"),
        (everything, (1, date(2026, 1, 1), Decimal(1), 5), "more", "argument more.0: "),
    ],
)
def test_what_does_not_fit_is_refused_where_it_is_enqueued(
    function: Any, args: tuple[Any, ...], argument: str, complaint: str
) -> None:
    with pytest.raises(BadArgument) as refused:
        packed(function, *args)
    assert refused.value.argument == argument
    assert complaint in str(refused.value)
    assert "task f" in str(refused.value)


def test_a_secret_value_is_not_quoted() -> None:
    with pytest.raises(BadArgument) as refused:
        packed(plain, "hunter2")
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize(
    ("stored", "complaint"),
    [
        ({}, "argument 'count' is missing"),
        (
            {"count": 1, "nam": 2},
            "it takes no argument 'nam', but count, name, when; did you mean",
        ),
        ({"count": "many"}, "argument count: Input should be a valid integer"),
        ({"count": 1, "when": "now"}, "argument when: Input should be in a valid time format"),
    ],
    ids=["missing", "unknown", "kind", "value"],
)
def test_arguments_from_older_code_are_explained(stored: dict[str, Any], complaint: str) -> None:
    with pytest.raises(BadArgument) as refused:
        Arguments(plain, name="f").unpack(stored)
    assert complaint in str(refused.value)


def session_wanted(session: Session) -> None: ...


def unresolvable(share: Fraction) -> None: ...


@pytest.mark.parametrize(
    ("function", "complaint"),
    [
        (session_wanted, "parameter 'session' is a Session, which JSON cannot bring back; pass"),
        (unresolvable, "annotation of 'share' cannot be resolved: name 'Fraction' is not defined"),
    ],
    ids=["session", "unresolvable"],
)
def test_annotations_that_cannot_serve_are_refused_at_the_start(
    function: Any, complaint: str
) -> None:
    made = task(function)
    with pytest.raises(TaskError) as refused:
        Tasks("memory://", [made])
    assert complaint in str(refused.value)


Short = Annotated[list[int], Field(max_length=2)]


def constrained(numbers: Short) -> None: ...


def test_constraints_of_annotations_hold() -> None:
    with pytest.raises(BadArgument, match="at most 2 items"):
        packed(constrained, [1, 2, 3])


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**40), 10**40)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("ab\0ü"), inner),
    max_leaves=10,
)


def anything(what: Any) -> None: ...


ANYTHING = Arguments(anything, name="f")


@settings(max_examples=40)
@given(json_values)
def test_plain_values_come_back_as_they_were(value: Any) -> None:
    assert ANYTHING.unpack(ANYTHING.pack((value,), {})).args == (value,)


# --- results ---------------------------------------------------------------------------------


@task
async def somewhere() -> Point:
    return Point(1, date(2026, 1, 3))


@task
async def untyped():  # type: ignore[no-untyped-def]
    return {"when": date(2026, 1, 3), "colours": {Colour.RED}}


@task
async def liar() -> int:
    return "text"  # type: ignore[return-value]


async def test_results_come_back_by_their_annotation() -> None:
    async with open_tasks(somewhere, untyped, liar) as tasks:
        typed, raw, false = [await each.enqueue() for each in (somewhere, untyped, liar)]
        await tasks.run_all()
        assert await typed.result() == Point(1, date(2026, 1, 3))
        assert await raw.result() == {"when": "2026-01-03", "colours": ["red"]}
        assert await false.result() == "text"
