"""Lists in pages: by number and by place, alike on every server."""

# ruff: noqa: DTZ001 - columns without a zone hold such values

from __future__ import annotations

import enum
import json
import uuid
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import TYPE_CHECKING, Any, assert_type

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import (
    Double,
    Enum,
    ForeignKey,
    LargeBinary,
    Numeric,
    Row,
    Select,
    String,
    delete,
    func,
    insert,
    select,
    text,
    union_all,
)
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    aliased,
    joinedload,
    mapped_column,
    relationship,
    selectinload,
    with_loader_criteria,
)
from sqlalchemy.types import DateTime, Float

from tests import services
from tornkit import encoding
from tornkit.databases import CursorPage, Databases, Page, SQLDatabase, paginate
from tornkit.databases._cursors import Place, UnknownValue, encode
from tornkit.databases._ordering import ordering_of
from tornkit.errors import DatabaseError, PageError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

pytestmark = pytest.mark.slow


class Base(DeclarativeBase):
    pass


class Colour(enum.Enum):
    RED = "r"
    GREEN = "g"
    BLUE = "b"


class Thing(Base):
    __tablename__ = "things"

    id: Mapped[int] = mapped_column(primary_key=True)
    number: Mapped[int | None]
    words: Mapped[str | None] = mapped_column(String(50))
    flag: Mapped[bool | None]
    single: Mapped[float | None] = mapped_column(Float(24))
    double: Mapped[float | None] = mapped_column(Double)
    price: Mapped[Decimal | None] = mapped_column(Numeric(20, 12))
    day: Mapped[date | None]
    at: Mapped[datetime | None]
    zoned: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    key: Mapped[uuid.UUID | None]
    colour: Mapped[Colour | None] = mapped_column(Enum(Colour))
    raw: Mapped[bytes | None] = mapped_column(LargeBinary(50))


class Teacher(Base):
    __tablename__ = "teachers"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(50))
    courses: Mapped[list[Course]] = relationship(back_populates="teacher")


class Course(Base):
    __tablename__ = "courses"

    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str] = mapped_column(String(50))
    slug: Mapped[str] = mapped_column(String(50), unique=True)
    teacher_id: Mapped[int | None] = mapped_column(ForeignKey("teachers.id"))
    teacher: Mapped[Teacher | None] = relationship(back_populates="courses")


VALUES: dict[str, list[Any]] = {
    "number": [3, -1, 0, 2**31 - 1, -(2**31)],
    "words": ["b", "a", "B", "A", "", "a ", "ä", "'; --", "%", "日本", "\U0001f600"],
    "flag": [True, False],
    "single": [0.1, 0.2, 16777216.0, -0.1, 1e-30, 3.4e38, 123456.789],
    "double": [0.1, 0.1 + 2**-56, 1e300, 5e-300, -0.0, 2.0**53],
    "price": [Decimal("0.1"), Decimal("0.000000000001"), Decimal("12345678.123456789012")],
    "day": [date(1, 1, 1), date(2026, 2, 28), date(9999, 12, 31)],
    "at": [datetime(2026, 1, 1, 12, 0, 0, 5), datetime(2026, 1, 1, 12), datetime(1999, 1, 1)],
    "zoned": [
        datetime(2026, 1, 1, 12, tzinfo=UTC),
        datetime(2026, 1, 1, 12, 30, tzinfo=timezone(timedelta(hours=5))),
    ],
    "key": [uuid.UUID(int=0), uuid.UUID(int=2**127), uuid.UUID(int=77)],
    "colour": [*Colour],
    "raw": [b"", b"\0", b"\xff\0", b"a", b"\\'"],
}


@pytest.fixture(scope="module")
def servers() -> Iterator[Callable[[str], str]]:
    with services.fresh_databases() as url_of:
        yield url_of


@pytest.fixture(
    params=[
        "sqlite",
        pytest.param("postgresql", marks=pytest.mark.slow),
        pytest.param("mysql", marks=pytest.mark.slow),
    ]
)
async def database(
    request: pytest.FixtureRequest, servers: Callable[[str], str]
) -> AsyncIterator[SQLDatabase]:
    url = "sqlite://" if request.param == "sqlite" else servers(request.param)
    async with Databases({"default": url}, library=()) as databases:
        found = databases.sql["default"]
        async with found.connect(write=True) as connection:
            await connection.run_sync(Base.metadata.create_all)
        yield found
        async with found.connect(write=True) as connection:
            await connection.run_sync(Base.metadata.drop_all)


@pytest.fixture
async def session(database: SQLDatabase) -> AsyncIterator[AsyncSession]:
    async with database.session() as opened:
        yield opened


async def add_things(session: AsyncSession, column: str) -> None:
    """Add two of each value, in a mixed order, and some rows without one."""
    values = [None, *VALUES[column], None, *reversed(VALUES[column]), None]
    # Not add_all(): ORM objects in the session would be shown instead of what was stored.
    for value in values:
        await session.execute(insert(Thing).values({column: value}))


async def add_courses(session: AsyncSession, count: int, teachers: int = 3) -> None:
    session.add_all(Teacher(id=n + 1, name=f"T{n}") for n in range(teachers))
    await session.flush()
    for n in range(count):
        teacher_id = n % (teachers + 1) or None
        session.add(
            Course(id=n + 1, title=f"title {n % 3}", slug=f"s{count - n}", teacher_id=teacher_id)
        )
    await session.flush()


async def forwards(
    session: AsyncSession, statement: Select[*tuple[Any, ...]], size: int = 3
) -> list[list[Any]]:
    pages, after = [], None
    while True:
        page = await paginate(session, statement, after=after, size=size)
        pages.append(page.items)
        assert len(pages) < 100, "the pages go round in circles"
        assert page.has_previous is (after is not None)
        after = page.next
        if after is None:
            return pages


async def backwards(
    session: AsyncSession, statement: Select[*tuple[Any, ...]], size: int = 3
) -> list[list[Any]]:
    page = await paginate(session, statement, size=size)
    while page.next is not None:
        page = await paginate(session, statement, after=page.next, size=size)
    pages = [page.items]
    while page.previous is not None:
        page = await paginate(session, statement, before=page.previous, size=size)
        assert page.has_next
        pages.insert(0, page.items)
    return pages


async def everything(session: AsyncSession, statement: Select[*tuple[Any, ...]]) -> list[Any]:
    page = await paginate(session, statement, page=1, size=10_000, max_size=10_000)
    assert len(page) == page.total
    return list(page.items)


async def agrees(session: AsyncSession, statement: Select[*tuple[Any, ...]]) -> list[Any]:
    """Check that pages of all kinds show every row once, in one order; return the rows."""
    wanted = await everything(session, statement)
    for size in (2, len(wanted)):
        pages = await forwards(session, statement, size)
        assert [item for page in pages for item in page] == wanted
        assert all(len(page) == size for page in pages[:-1])
        assert [i for page in await backwards(session, statement, size) for i in page] == wanted
        last = -(-len(wanted) // size)
        numbered = await paginate(session, statement, page=last, size=size)
        assert numbered.items == wanted[(last - 1) * size :]
    return wanted


# --- by place: values --------------------------------------------------------------------


@pytest.mark.parametrize(
    "descending",
    [pytest.param(False, id="asc"), pytest.param(True, id="desc", marks=pytest.mark.slow)],
)
@pytest.mark.parametrize("column", VALUES)
async def test_every_value_is_resumed_at(
    session: AsyncSession, column: str, descending: bool
) -> None:
    await add_things(session, column)
    attribute = getattr(Thing, column)
    order = attribute.desc() if descending else attribute
    shown = await agrees(session, select(Thing.id, attribute).order_by(order))
    assert len(shown) == 2 * len(VALUES[column]) + 3
    found = [value for _, value in shown]
    empty = found[-3:] if descending else found[:3]
    assert empty == [None] * 3
    assert None not in (found[:-3] if descending else found[3:])


@pytest.mark.parametrize("descending", [False, True], ids=["asc", "desc"])
@pytest.mark.parametrize("first", [False, True], ids=["nulls-last", "nulls-first"])
async def test_null_stands_where_the_statement_says(
    session: AsyncSession, descending: bool, first: bool
) -> None:
    await add_things(session, "number")
    order = Thing.number.desc() if descending else Thing.number.asc()
    order = order.nulls_first() if first else order.nulls_last()
    shown = [value for _, value in await agrees(session, _numbers().order_by(order))]
    values = sorted(VALUES["number"] * 2, reverse=descending)
    assert shown == ([None] * 3 + values if first else values + [None] * 3)


def _numbers() -> Select[int, int | None]:
    return select(Thing.id, Thing.number)


async def test_directions_mix_and_the_tie_breaker_follows_the_last(session: AsyncSession) -> None:
    rows = [{"number": n % 3 or None, "words": w} for n in range(6) for w in ("x", "y", None)]
    await session.execute(insert(Thing), rows)
    statement = select(Thing).order_by(Thing.number.desc(), Thing.words.asc(), Thing.flag.desc())
    shown = [(each.number, each.words, each.id) for each in await agrees(session, statement)]
    lowest = -1
    assert shown == sorted(shown, key=lambda row: (-(row[0] or lowest), row[1] or "", -row[2]))


# --- by place: statements ----------------------------------------------------------------


async def test_joins_show_every_pair_of_rows(session: AsyncSession) -> None:
    await add_courses(session, 10)
    statement = select(Teacher).join(Teacher.courses).order_by(Teacher.name)
    assert [each.name for each in await agrees(session, statement)] == (
        ["T0"] * 3 + ["T1"] * 2 + ["T2"] * 2
    )
    outer = select(Course.id, Teacher.name).outerjoin(Course.teacher).order_by(Teacher.name)
    shown = await agrees(session, outer)
    assert [name for _, name in shown] == [None] * 3 + ["T0"] * 3 + ["T1"] * 2 + ["T2"] * 2
    before = select(Course.title).join(Teacher, Teacher.id < Course.id)
    assert len(await agrees(session, before.order_by(Course.title))) == 24


async def test_aliases_subqueries_and_several_entities_are_told_apart(
    session: AsyncSession,
) -> None:
    await add_courses(session, 9)
    other = aliased(Course)
    pairs = select(Course, other).join(other, other.title == Course.title).order_by(Course.title)
    assert len(await agrees(session, pairs)) == 27
    counts = (
        select(Course.teacher_id, func.count().label("n")).group_by(Course.teacher_id).subquery()
    )
    statement = select(Teacher.name, counts.c.n).join(counts, counts.c.teacher_id == Teacher.id)
    assert len(await agrees(session, statement.order_by(counts.c.n.desc()))) == 3
    recent = select(Course).where(Course.id > 3).subquery()
    assert len(await agrees(session, select(recent).order_by(recent.c.title))) == 6
    entity = aliased(Course, recent)
    assert len(await agrees(session, select(entity).order_by(entity.title))) == 6


async def test_groups_and_distinct_rows_are_resumed_at(session: AsyncSession) -> None:
    await add_courses(session, 10)
    n = func.count().label("n")
    grouped = select(Course.teacher_id, n).group_by(Course.teacher_id)
    for order in (n, n.desc(), func.count(), "n"):
        assert len(await agrees(session, grouped.order_by(order))) == 4
    by_label = select(Course.title.label("name"), n).group_by("name").order_by("name")
    assert len(await agrees(session, by_label)) == 3
    distinct = select(Course.title).distinct().order_by(Course.title.desc())
    assert await agrees(session, distinct) == ["title 2", "title 1", "title 0"]
    both = select(Course.title, Course.teacher_id).distinct().order_by(Course.title)
    assert len(await agrees(session, both)) == 10
    entities = select(Teacher).join(Teacher.courses).distinct().order_by(Teacher.name.desc())
    assert [each.id for each in await agrees(session, entities)] == [3, 2, 1]


async def refuses_order(session: AsyncSession, statement: Select[*tuple[Any, ...]]) -> None:
    ways: list[dict[str, Any]] = [{"page": 1}, {}]
    for way in ways:
        with pytest.raises(DatabaseError, match=r"DISTINCT .* ordered by") as refused:
            await paginate(session, statement, **way)
        assert "select" in refused.value.hint


async def test_distinct_rows_are_not_ordered_by_what_differs_within_one(
    session: AsyncSession,
) -> None:
    await add_courses(session, 10)
    titles = select(Course.title).distinct()
    await refuses_order(session, titles.order_by(Course.id))
    await refuses_order(session, titles.order_by(Course.title, Course.id.desc()))
    await refuses_order(session, titles.order_by(Course.title + Course.slug))
    await refuses_order(session, titles.order_by(func.random()))
    await refuses_order(session, titles.order_by(func.length(Course.title) * func.random()))
    taught = select(Teacher).join(Teacher.courses).distinct()
    await refuses_order(session, taught.order_by(Course.title))
    own = select(func.count()).where(Course.teacher_id == Teacher.id).scalar_subquery()
    await refuses_order(session, taught.order_by(own))
    n = func.count(Course.id).label("n")
    groups = select(n).group_by(Course.teacher_id).distinct()
    await refuses_order(session, groups.order_by(n, Course.teacher_id))


async def test_distinct_rows_are_ordered_by_what_follows_from_what_they_show(
    session: AsyncSession,
) -> None:
    await add_courses(session, 10)
    titles = select(Course.title).distinct().order_by(func.lower(Course.title).desc())
    assert await agrees(session, titles) == ["title 2", "title 1", "title 0"]
    by_slug = [10, 1, 9, 8, 7, 6, 5, 4, 3, 2]
    slugs = select(Course.id).distinct().order_by(Course.slug)
    assert await agrees(session, slugs) == by_slug
    taught = select(Teacher).join(Teacher.courses).distinct().order_by(func.lower(Teacher.name))
    assert [each.id for each in await agrees(session, taught)] == [1, 2, 3]
    lengths = select(func.length(Course.slug)).distinct().order_by(func.length(Course.slug).desc())
    assert await agrees(session, lengths) == [3, 2]
    n = func.count(Course.id).label("n")
    groups = select(n).group_by(Course.teacher_id).distinct().order_by(n.desc())
    assert await agrees(session, groups) == [3, 2]
    own = select(func.count()).where(Course.teacher_id == Teacher.id).scalar_subquery()
    counted = select(Teacher.name, own.label("own")).distinct().order_by(own.desc())
    assert await agrees(session, counted) == [("T0", 3), ("T2", 2), ("T1", 2)]
    by_name = select(Course.title.label("name")).distinct().order_by("name")
    assert await agrees(session, by_name) == ["title 0", "title 1", "title 2"]
    other = aliased(Course)
    pairs = select(other.title, other.id).distinct().order_by(other.slug)
    assert [identity for _, identity in await agrees(session, pairs)] == by_slug


async def test_expressions_are_resumed_at(session: AsyncSession) -> None:
    await add_courses(session, 10)
    lowered = func.lower(Course.title)
    assert len(await agrees(session, select(Course).order_by(lowered.desc()))) == 10
    ranked = func.coalesce(Course.teacher_id, 2)
    assert len(await agrees(session, select(Course).order_by(ranked))) == 10
    own = (
        select(func.count()).where(Course.teacher_id == Teacher.id).scalar_subquery().label("own")
    )
    assert len(await agrees(session, select(Teacher, own).order_by(own.desc()))) == 3


async def test_what_is_loaded_along_comes_with_the_page(session: AsyncSession) -> None:
    await add_courses(session, 10)
    session.expunge_all()
    statement = select(Teacher).order_by(Teacher.name)
    for option in (selectinload(Teacher.courses), joinedload(Teacher.courses)):
        shown = await agrees(session, statement.options(option))
        assert [len(each.courses) for each in shown] == [3, 2, 2]
        session.expunge_all()


async def test_what_is_left_out_everywhere_is_not_counted(session: AsyncSession) -> None:
    await add_courses(session, 10)
    hidden = with_loader_criteria(Course, Course.id > 4)
    assert len(await agrees(session, select(Course).order_by(Course.title).options(hidden))) == 6


async def test_a_unique_column_needs_no_tie_breaker() -> None:
    statement = str(await _resumed(select(Course).order_by(Course.slug)))
    assert "ORDER BY courses.slug ASC" in statement
    assert "courses.id" not in statement.partition("WHERE")[2]
    both = str(await _resumed(select(Course).order_by(Course.title)))
    assert "ORDER BY courses.title ASC, courses.id ASC" in both
    pinned = select(Course).join(Course.teacher).order_by(Course.slug)
    assert "teachers.id" not in str(await _resumed(pinned)).partition("WHERE")[2]


async def _resumed(statement: Select[*tuple[Any, ...]]) -> Any:
    """Return the statement that selects a second page."""
    asked: list[Any] = []
    databases = Databases({"default": "sqlite://"}, library=())
    async with databases, databases.sql["default"].session() as session:
        await (await session.connection()).run_sync(Base.metadata.create_all)
        await add_courses(session, 3)
        page = await paginate(session, statement, size=1)
        assert page.next is not None
        execute = session.execute

        async def seen(asked_for: Any, *args: Any, **options: Any) -> Any:
            asked.append(asked_for)
            return await execute(asked_for, *args, **options)

        session.execute = seen  # type: ignore[assignment, method-assign]
        await paginate(session, statement, after=page.next, size=1)
    return asked[0]


# --- by place: rows that come and go -----------------------------------------------------

ROWS = st.tuples(st.one_of(st.none(), st.integers(0, 3)), st.one_of(st.none(), st.integers(0, 2)))
CHANGES = st.lists(
    st.one_of(
        st.tuples(st.just("page"), st.booleans()),
        st.tuples(st.just("add"), ROWS),
        st.tuples(st.just("remove"), st.integers(0, 30)),
    ),
    max_size=12,
)


async def walks(
    rows: list[tuple[int | None, int | None]],
    changes: list[tuple[str, Any]],
    size: int,
    down: bool,
    nulls_last: bool,
) -> None:
    """Walk to and fro among rows that come and go, against a sorted list."""
    engine = create_async_engine("sqlite+aiosqlite://")
    number = Thing.number.desc() if down else Thing.number.asc()
    order = number.nulls_last() if nulls_last else number.nulls_first()
    statement = select(Thing.id).order_by(order, Thing.double)

    def key(row: tuple[int, int | None, float | None]) -> tuple[Any, ...]:
        identity, a, b = row
        return (
            (a is None) == nulls_last,
            0 if a is None else -a if down else a,
            b is not None,
            b or 0,
            identity,
        )

    try:
        async with engine.connect() as connection, AsyncSession(connection) as session:
            await connection.run_sync(Thing.__table__.create)  # type: ignore[attr-defined]
            model: dict[int, tuple[int, int | None, float | None]] = {}

            async def add(row: tuple[int | None, int | None]) -> None:
                identity = max(seen, default=0) + 1
                seen.add(identity)
                model[identity] = (identity, *row)
                values = {"id": identity, "number": row[0], "double": row[1]}
                await session.execute(insert(Thing).values(values))

            seen: set[int] = set()
            for row in rows:
                await add(row)
            # The gap between two keys where the reader stands, of the rows as they then were.
            page = await paginate(session, statement, size=size)
            shown = sorted(model.values(), key=key)[:size]
            assert page.items == [row[0] for row in shown]
            for kind, what in changes:
                if kind == "add":
                    await add(what)
                elif kind == "remove":
                    model.pop(what, None)
                    await session.execute(delete(Thing).where(Thing.id == what))
                else:
                    token = page.next if what else page.previous
                    if token is None:
                        continue
                    ordered = sorted(model.values(), key=key)
                    if what:
                        page = await paginate(session, statement, after=token, size=size)
                        wanted = [row for row in ordered if key(row) > key(shown[-1])][:size]
                    else:
                        page = await paginate(session, statement, before=token, size=size)
                        wanted = [row for row in ordered if key(row) < key(shown[0])][-size:]
                    assert page.items == [row[0] for row in wanted]
                    if not wanted:
                        break
                    shown = wanted
    finally:
        await engine.dispose()


WALKS = st.tuples(
    st.lists(ROWS, max_size=9), CHANGES, st.integers(1, 3), st.booleans(), st.booleans()
)


@settings(max_examples=25)
@given(WALKS)
async def test_no_row_is_shown_twice_or_left_out(walk: tuple[Any, ...]) -> None:
    await walks(*walk)


@pytest.mark.slow
@settings(max_examples=1000)
@given(WALKS)
async def test_no_row_is_shown_twice_however_often_it_is_tried(walk: tuple[Any, ...]) -> None:
    await walks(*walk)


async def test_from_an_empty_page_the_way_back_leaves_nothing_out(session: AsyncSession) -> None:
    await add_courses(session, 4)
    statement = select(Course.id).order_by(Course.id)
    first = await paginate(session, statement, size=2)
    await session.execute(delete(Course).where(Course.id > 2))
    gone = await paginate(session, statement, after=first.next, size=2)
    assert (gone.items, gone.next, gone.has_previous) == ([], None, True)
    back = await paginate(session, statement, before=gone.previous, size=2)
    assert (back.items, back.previous) == ([1, 2], None)
    last = await paginate(session, statement, after=back.next, size=2)
    assert last.items == []
    await session.execute(delete(Course).where(Course.id < 2))
    start = await paginate(session, statement, before=back.next, size=2)
    assert (start.items, start.previous) == ([], None)
    forth = await paginate(session, statement, after=start.next, size=2)
    assert forth.items == [2]


# --- by place: tokens --------------------------------------------------------------------


async def test_tokens_belong_to_an_order(session: AsyncSession) -> None:
    await add_courses(session, 5)
    token = (await paginate(session, select(Course).order_by(Course.title), size=2)).next
    assert token is not None
    assert set(token) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_")
    for other in (
        select(Course).order_by(Course.slug),
        select(Course).order_by(Course.title.desc()),
        select(Course).order_by(Course.title, Course.slug),
        select(Teacher).order_by(Teacher.name),
    ):
        with pytest.raises(PageError, match="another order") as refused:
            await paginate(session, other, after=token, size=2)
        assert refused.value.status_code == 400
    narrower = select(Course.id).where(Course.id < 5).order_by(Course.title)
    assert await paginate(session, narrower, after=token, size=2)


@pytest.mark.parametrize(
    "token", ["x", "=", "äöü", "\0", "A" * 4096, "../../etc", "%00", "AAAAAAAAAAA", "\ud800"]
)
async def test_what_is_no_token_is_refused(session: AsyncSession, token: str) -> None:
    statement = select(Course).order_by(Course.title)
    ways: list[dict[str, Any]] = [{"after": token}, {"before": token}]
    for way in ways:
        with pytest.raises(PageError) as refused:
            await paginate(session, statement, **way)
        assert refused.value.status_code == 400


MADE_UP = [
    *[None, 0, -(2**63), 2**63 - 1, 1e300, "", "x", "1", "NULL", "a\0b", "日本", b"\0\xff"],
    *[True, 2**64 - 1, float("nan"), Decimal("1E+1000"), Decimal("NaN"), uuid.UUID(int=1)],
    *[date(1, 1, 1), datetime(9999, 12, 31, 23, 59, 59), datetime(2026, 1, 1, tzinfo=UTC)],
    *[time(1, 2), timedelta(days=999_999_999)],
    datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=23))),
]


@pytest.mark.slow
@pytest.mark.parametrize("column", ["id", *VALUES])
async def test_whatever_a_made_up_token_holds_no_statement_fails(
    database: SQLDatabase, column: str
) -> None:
    async with database.session() as session:
        await add_things(session, column if column != "id" else "number")
    attribute = getattr(Thing, column)
    statement = select(Thing.id).order_by(attribute, Thing.id)
    ordering = ordering_of(statement, database.engine.sync_engine.dialect)
    count = len(ordering.keys)
    refused = 0
    for value in MADE_UP:
        try:
            place = Place((value, 1)[:count])
            token = encode(place, ordering.fingerprint, ordering.dialect.name)
        except UnknownValue:
            continue
        ways: list[dict[str, Any]] = [{"after": token}, {"before": token}]
        for made_up in ways:
            try:
                async with database.session(read_only=True) as session:
                    await paginate(session, statement, **made_up)
            except PageError:
                refused += 1
    assert refused or database.dialect != "postgresql"


async def test_both_tokens_are_refused_and_empty_ones_are_none(session: AsyncSession) -> None:
    statement = select(Course).order_by(Course.title)
    with pytest.raises(PageError, match="not both"):
        await paginate(session, statement, after="x", before="y")
    assert (await paginate(session, statement, after="", before="")).items == []
    with pytest.raises(TypeError):
        await paginate(session, statement, page=1, after="x")  # type: ignore[call-overload]


# --- by number ---------------------------------------------------------------------------


async def test_a_page_knows_its_neighbours(session: AsyncSession) -> None:
    await add_courses(session, 5)
    statement = select(Course.id).order_by(Course.id)
    first = await paginate(session, statement, page=1, size=2)
    assert (first.items, first.number, first.size, first.total) == ([1, 2], 1, 2, 5)
    assert (first.pages, first.has_next, first.has_previous) == (3, True, False)
    assert (first.next_number, first.previous_number) == (2, None)
    last = await paginate(session, statement, page="3", size="2")
    assert (last.items, last.next_number, last.previous_number) == ([5], None, 2)
    empty = await paginate(session, statement.where(Course.id > 9), page=1)
    assert (empty.items, empty.pages, empty.total, empty.size) == ([], 1, 0, 20)


@pytest.mark.parametrize("page", [0, -1, "0", "-1", "", "two", "1.0", "٣", "1" * 5000, "1_0"])
async def test_what_is_no_page_number_is_a_400(session: AsyncSession, page: int | str) -> None:
    ways: list[dict[str, Any]] = [{"page": page}, {"page": 1, "size": page}, {"size": page}]
    for number in ways:
        with pytest.raises(PageError, match="expected a whole number") as refused:
            await paginate(session, select(Course).order_by(Course.id), **number)
        assert refused.value.status_code == 400


@pytest.mark.parametrize("page", [2, 10**30, "999999999999999999"])
async def test_a_page_behind_the_last_is_a_404(session: AsyncSession, page: int | str) -> None:
    with pytest.raises(PageError, match="the list has 1") as refused:
        await paginate(session, select(Course).order_by(Course.id), page=page)
    assert refused.value.status_code == 404


async def test_a_size_over_the_greatest_is_cut(session: AsyncSession) -> None:
    await add_courses(session, 5)
    statement = select(Course).order_by(Course.id)
    assert (await paginate(session, statement, page=1, size=10**9)).size == 100
    assert len(await paginate(session, statement, page=1, size="9", max_size=3)) == 3
    assert (await paginate(session, statement, size=9, max_size=3)).size == 3


async def test_what_has_no_key_is_paged_by_number(session: AsyncSession) -> None:
    await add_courses(session, 3)
    both = union_all(select(Course.title), select(Course.title)).subquery()
    statement = select(both.c.title).order_by(both.c.title)
    assert (await paginate(session, statement, page=2, size=4)).items == ["title 2", "title 2"]
    written = select(Course.id).order_by(text("title DESC"))
    assert (await paginate(session, written, page=1)).items == [3, 2, 1]
    row = func.row_number().over(order_by=Course.slug)
    assert len(await paginate(session, select(Course.id).order_by(row), page=1)) == 3
    for each in (statement, written, select(Course.id).order_by(row)):
        with pytest.raises(DatabaseError, match="a list in pages"):
            await paginate(session, each)


# --- both --------------------------------------------------------------------------------


async def test_a_list_needs_an_order(session: AsyncSession) -> None:
    ways: list[dict[str, Any]] = [{}, {"page": 1}]
    for way in ways:
        with pytest.raises(DatabaseError, match="no order_by"):
            await paginate(session, select(Course), **way)
        limited = select(Course).order_by(Course.id).limit(3)
        with pytest.raises(DatabaseError, match="without limit"):
            await paginate(session, limited, **way)
        union: Any = union_all(select(Course.id), select(Course.id))
        with pytest.raises(DatabaseError, match="not CompoundSelect"):
            await paginate(session, union, **way)


async def test_a_value_that_no_token_carries_is_the_programmers_error(
    session: AsyncSession,
) -> None:
    if session.get_bind().dialect.name != "postgresql":
        pytest.skip("only PostgreSQL gives other values")
    await add_courses(session, 3)
    ordered = select(Course.id).order_by(func.string_to_array(Course.slug, "s"))
    with pytest.raises(DatabaseError, match="of type list"):
        await paginate(session, ordered, size=1)


async def test_pages_are_typed(session: AsyncSession) -> None:
    await add_courses(session, 3)
    things, rows = select(Course).order_by(Course.id), select(Course.id, Course.slug)
    assert_type(await paginate(session, things, page=1), Page[Course])
    assert_type(await paginate(session, things), CursorPage[Course])
    assert_type(await paginate(session, things, after=None), CursorPage[Course])
    page = await paginate(session, rows.order_by(Course.id), page=1)
    assert_type(page, Page[Row[int, str]])
    assert page.items[0].slug == "s3"
    assert page.items[0]._fields == ("id", "slug")
    assert_type(page.map(lambda row: row.slug), Page[Any])
    assert_type(await paginate(session, rows.order_by(Course.id)), CursorPage[Row[int, str]])


async def test_pages_are_json_and_can_be_walked(session: AsyncSession) -> None:
    await add_courses(session, 3)
    statement = select(Course).order_by(Course.id)
    numbered = (await paginate(session, statement, page=1, size=2)).map(lambda each: each.slug)
    assert list(numbered) == ["s3", "s2"]
    assert json.loads(encoding.encode(numbered)) == {
        "items": ["s3", "s2"],
        "number": 1,
        "size": 2,
        "total": 3,
        "pages": 2,
        "next": 2,
        "previous": None,
    }
    placed = (await paginate(session, statement, size=2)).map(lambda each: each.slug)
    assert (list(placed), len(placed)) == (["s3", "s2"], 2)
    told = json.loads(encoding.encode(placed))
    assert told == {"items": ["s3", "s2"], "size": 2, "next": placed.next, "previous": None}


@pytest.mark.parametrize(
    ("number", "pages", "shown"),
    [
        (1, 1, [1]),
        (1, 3, [1, 2, 3]),
        (5, 9, [1, 2, 3, 4, 5, 6, 7, 8, 9]),
        (1, 10, [1, 2, 3, None, 10]),
        (6, 20, [1, None, 4, 5, 6, 7, 8, None, 20]),
        (20, 20, [1, None, 18, 19, 20]),
    ],
)
def test_the_numbers_to_link_to(number: int, pages: int, shown: list[int | None]) -> None:
    assert Page([0], number, 1, pages).numbers() == shown
