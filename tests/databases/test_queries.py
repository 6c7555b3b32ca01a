"""Queries are counted where they are asked for, and slow and repeated ones are told."""

from __future__ import annotations

import asyncio
import logging
import time
import timeit
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import Column, Integer, MetaData, String, Table, func, insert, select, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from tests import services
from tornkit._work import CountedWork, Work, current_work
from tornkit.databases import Databases
from tornkit.databases.queries import observe, one_line
from tornkit.testing import count_queries

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from pathlib import Path

metadata = MetaData()
notes = Table("notes", metadata, Column("id", Integer, primary_key=True), Column("w", String(99)))


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
async def databases(
    request: pytest.FixtureRequest, servers: Callable[[str], str], tmp_path: Path
) -> AsyncIterator[Databases]:
    """Give a database whose two engines are observed, with a fresh table."""
    sqlite = f"sqlite:///{tmp_path}/site.db"
    url = sqlite if request.param == "sqlite" else servers(request.param)
    async with Databases({"default": url}, library=()) as opened:
        database = opened.sql["default"]
        async with database.connect(write=True) as connection:
            await connection.run_sync(metadata.drop_all)
            await connection.run_sync(metadata.create_all)
        observe(database.engine, "default", slow_query=0.1)
        observe(database.reader, "default", slow_query=0.1)
        yield opened


@pytest.fixture
def work() -> Iterator[CountedWork]:
    made = CountedWork("GET school:Dashboard")
    token = current_work.set(made)
    yield made
    current_work.reset(token)


async def sleep(connection: AsyncConnection, seconds: float) -> None:
    """Let the database take its time."""
    function = {"postgresql": "pg_sleep", "mysql": "SLEEP", "sqlite": "pause"}
    if connection.dialect.name == "sqlite":
        raw: Any = (await connection.get_raw_connection()).driver_connection
        await raw.create_function("pause", 1, time.sleep)
    statement = f"SELECT {function[connection.dialect.name]}(:s),\n 'a'"
    await connection.execute(text(statement), {"s": seconds})


# --- counting ----------------------------------------------------------------------------


async def test_statements_count_and_transactions_do_not(databases: Databases, work: Work) -> None:
    database = databases.sql["default"]
    async with database.session() as session:
        await session.execute(insert(notes).values(w="a"))
        async with session.begin_nested():
            await session.execute(select(notes))
    assert work.queries == 2
    async with database.session(read_only=True) as session:
        await session.execute(select(notes))
    assert work.queries == 3
    async with database.connect(write=False) as connection:
        await connection.execute(select(func.count()).select_from(notes))
    assert work.queries == 4
    assert 0 < work.query_seconds < 1


async def test_many_rows_and_streams_are_one_query(databases: Databases, work: Work) -> None:
    database = databases.sql["default"]
    async with database.connect(write=True) as connection:
        await connection.execute(insert(notes), [{"w": str(n)} for n in range(50)])
    assert work.queries == 1
    async with database.session(read_only=True) as session:
        rows = await session.stream(select(notes).execution_options(yield_per=10))
        assert len([row async for row in rows]) == 50
    assert work.queries == 2


async def test_a_statement_that_fails_counts(databases: Databases, work: Work) -> None:
    database = databases.sql["default"]
    async with database.session() as session:
        await session.execute(insert(notes).values(id=1))
    for failing in (text("SELECT nothing FROM nowhere"), insert(notes).values(id=1)):
        with pytest.raises(SQLAlchemyError):
            async with database.session() as session:
                await session.execute(failing)
    assert work.queries == 3


async def test_tasks_count_into_the_work_that_started_them(databases: Databases) -> None:
    database = databases.sql["default"]

    async def ask(times: int) -> None:
        for _ in range(times):
            async with database.session(read_only=True) as session:
                await session.execute(select(notes))

    async def request(name: str, times: int) -> Work:
        work = Work(name)
        current_work.set(work)
        await asyncio.gather(ask(times), asyncio.create_task(ask(times)))
        return work

    first, second, _ = await asyncio.gather(request("a", 1), request("b", 3), ask(5))
    assert (first.queries, second.queries) == (2, 6)  # and the last counted nowhere


async def test_an_engine_made_from_an_observed_one_counts_once(work: Work) -> None:
    engine = make_engine("sqlite+aiosqlite://")
    made = engine.execution_options(anything=True)
    observe(engine, "default")
    observe(made, "default")
    for each in (engine, made):
        async with each.connect() as connection:
            await connection.exec_driver_sql("BEGIN IMMEDIATE")
            await connection.execute(text("SELECT 1"))
            await connection.rollback()
    await engine.dispose()
    assert work.queries == 2


# --- what is slow ------------------------------------------------------------------------


async def test_a_slow_query_is_told_without_its_parameters(
    databases: Databases, work: Work, caplog: pytest.LogCaptureFixture
) -> None:
    database = databases.sql["default"]
    async with database.connect(write=False) as connection:
        await sleep(connection, 0.12)
        await connection.execute(select(notes))
    (record,) = [each for each in caplog.records if each.name == "tornkit.databases"]
    assert record.levelno == logging.WARNING
    said = record.getMessage()
    assert said.startswith("slow query in GET school:Dashboard: ")
    assert " ms on database 'default': " in said
    assert "\n" not in said
    assert "0.12" not in said
    assert said.endswith(", 'a'")
    assert work.query_seconds > 0.1


def make_engine(url: str) -> AsyncEngine:
    return create_async_engine(url, connect_args={"isolation_level": None})


async def test_nothing_is_slow_where_no_time_is_set(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    engine = make_engine(f"sqlite+aiosqlite:///{tmp_path}/site.db")
    observe(engine, "default")
    async with engine.connect() as connection:
        await sleep(connection, 0.02)
    await engine.dispose()
    assert caplog.text == ""


@pytest.mark.parametrize(
    ("statement", "shown"),
    [
        ("SELECT 1\n  FROM x\t WHERE y", "SELECT 1 FROM x WHERE y"),
        ("SELECT '\x1b[31m\0'", "SELECT '\\x1b[31m\\x00'"),
        ("SELECT " + "x, " * 500, "SELECT " + ("x, " * 500)[:492] + "…"),
    ],
)
def test_a_statement_is_shown_on_one_line(statement: str, shown: str) -> None:
    assert one_line(statement) == shown


# --- what is repeated --------------------------------------------------------------------


async def test_a_query_for_each_row_is_told_once(
    databases: Databases, work: CountedWork, caplog: pytest.LogCaptureFixture
) -> None:
    async with databases.sql["default"].session(read_only=True) as session:
        for n in range(9):
            await session.execute(select(notes.c.w).where(notes.c.id == n))
        assert caplog.text == ""
        for n in range(30):
            await session.execute(select(notes.c.w).where(notes.c.id == n))
    (record,) = caplog.records
    assert record.getMessage().startswith(
        "the same query ran 10 times in GET school:Dashboard: SELECT notes.w FROM notes"
    )


async def test_writing_often_is_no_repetition_and_counts_are_kept_where_asked_for(
    databases: Databases, caplog: pytest.LogCaptureFixture
) -> None:
    current_work.set(CountedWork("POST school:Grades"))
    async with databases.sql["default"].session() as session:
        for n in range(20):
            await session.execute(insert(notes).values(w=str(n)))
    current_work.set(Work("GET school:Grades"))
    async with databases.sql["default"].session(read_only=True) as session:
        for _ in range(20):
            await session.execute(select(notes))
    assert caplog.text == ""


# --- what it costs -----------------------------------------------------------------------


@pytest.mark.slow
def test_counting_costs_next_to_nothing() -> None:
    """Call what SQLAlchemy calls for each statement, without a statement."""
    engine = create_async_engine("sqlite+aiosqlite://")
    observe(engine, "default", slow_query=1)
    dispatch = engine.sync_engine.dispatch

    class Context:
        tornkit_began: float | None

    context = Context()
    statement = "SELECT notes.id, notes.w FROM notes WHERE notes.id = ?"

    def one() -> None:
        for listener in dispatch.before_cursor_execute:
            listener(None, None, statement, (), context, False)
        dispatch.after_cursor_execute(None, None, statement, (), context, False)

    current_work.set(Work("GET school:Dashboard"))
    best = min(timeit.repeat(one, number=10_000, repeat=5)) / 10_000
    current_work.set(None)
    assert best < 5e-6, f"{best * 1e6:.2f} µs"  # 1 µs on an idle machine


# --- in tests ----------------------------------------------------------------------------


async def test_a_test_sees_every_statement_of_every_engine(databases: Databases) -> None:
    database = databases.sql["default"]
    async with database.session() as session:
        await session.execute(insert(notes).values(w="before"))
    with count_queries() as queries:
        async with database.session() as session:
            await session.execute(select(notes).where(notes.c.w == "secret"))
            await session.execute(insert(notes).values(w="x"))
        async with database.session(read_only=True) as session:
            await asyncio.create_task(session.execute(select(notes)))
        with count_queries() as inner:
            engine = make_engine("sqlite+aiosqlite://")
            async with engine.connect() as connection:
                await connection.execute(text("SELECT 1"))
            await engine.dispose()
    async with database.session(read_only=True) as session:
        await session.execute(select(notes))
    assert (len(queries), len(inner)) == (4, 1)
    assert inner.statements == ["SELECT 1"] == queries[3:]
    assert repr(queries) == "<4 queries: SELECT notes, INSERT notes, SELECT notes, SELECT 1>"
    assert str(queries).splitlines()[0] == "4 queries"
    assert str(queries).splitlines()[2].startswith("2. INSERT INTO notes (w) VALUES (")
    assert "secret" not in str(queries)


async def test_counting_ends_with_an_error_too() -> None:
    engine = make_engine("sqlite+aiosqlite://")
    with pytest.raises(ValueError), count_queries() as queries:
        raise ValueError
    async with engine.connect() as connection:
        await connection.execute(text("SELECT 1"))
    await engine.dispose()
    assert len(queries) == 0
