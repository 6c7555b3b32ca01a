"""No block waits longer than its options say: for a connection, an answer, a lock."""

# ruff: noqa: PT012 - what raises here is the leaving of a block

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import text

from tests import services
from tornkit.databases import SQLDatabase
from tornkit.errors import DatabaseError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from pathlib import Path

TIMEOUT = 0.4  # seconds
MORE = 0.4  # seconds that the tests allow on top, for a busy machine

# A statement that takes much longer than any test.
ENDLESS = {
    "sqlite": "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)"
    " SELECT max(i) FROM n",
    "postgresql": "SELECT pg_sleep(60)",
    "mysql": "SELECT SLEEP(60)",
}
INSERT_ENDLESSLY = {
    "sqlite": "INSERT INTO words WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)"
    " SELECT max(i) FROM n",
    "postgresql": "INSERT INTO words SELECT 'x' FROM pg_sleep(60)",
    "mysql": "INSERT INTO words SELECT SLEEP(60)",
}
RUNNING = {
    "postgresql": "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE"
    " '%pg_sleep(60)%' AND datname = current_database() AND pid <> pg_backend_pid()",
    "mysql": "SELECT count(*) FROM information_schema.processlist WHERE db = DATABASE()"
    " AND info LIKE '%SLEEP(60)%' AND id <> CONNECTION_ID()",
}
CONNECTED = {
    "postgresql": "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()",
    # What was cancelled goes on there until its time is over.
    "mysql": "SELECT count(*) FROM information_schema.processlist WHERE db = DATABASE()"
    " AND (info IS NULL OR info NOT LIKE '%SLEEP(60)%' OR id = CONNECTION_ID())",
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
def url(request: pytest.FixtureRequest, tmp_path: Path, servers: Callable[[str], str]) -> str:
    return f"sqlite:///{tmp_path}/a.db" if request.param == "sqlite" else servers(request.param)


@pytest.fixture
async def make(url: str) -> AsyncIterator[Callable[..., Any]]:
    made: list[SQLDatabase] = []

    async def make(**options: Any) -> SQLDatabase:
        database = SQLDatabase("default", url, options)
        made.append(database)
        await database.open()
        async with database.session() as session:
            await session.execute(text("CREATE TABLE IF NOT EXISTS words (word VARCHAR(20))"))
            await session.execute(text("DELETE FROM words"))
        return database

    yield make
    for database in made:
        for engine in (database.engine, database.reader):
            pool: Any = engine.sync_engine.pool
            assert pool.checkedout() == 0
        await database.close()


async def count(database: SQLDatabase) -> int:
    async with database.session(read_only=True) as session:
        return int(await session.scalar(text("SELECT count(*) FROM words")) or 0)


async def ask(database: SQLDatabase, statement: str, *, read_only: bool = True) -> None:
    async with database.session(read_only=read_only) as session:
        await session.execute(text(statement))


async def test_a_statement_that_takes_too_long_is_given_up(make: Callable[..., Any]) -> None:
    database = await make(timeout=TIMEOUT)
    began = time.monotonic()
    with pytest.raises(
        DatabaseError, match=r"database 'default' gave no answer within 0\.4 s"
    ) as e:
        await ask(database, ENDLESS[database.dialect])
    assert TIMEOUT <= time.monotonic() - began < TIMEOUT + MORE
    assert e.value.check_id == "databases.unavailable"
    assert await count(database) == 0


@pytest.mark.slow
async def test_nothing_of_its_transaction_is_kept(make: Callable[..., Any]) -> None:
    database = await make(timeout=TIMEOUT)
    with pytest.raises(DatabaseError, match="gave no answer"):
        async with database.session() as session:
            await session.execute(text("INSERT INTO words VALUES ('half')"))
            await session.execute(text(INSERT_ENDLESSLY[database.dialect]))
    assert await count(database) == 0


@pytest.mark.slow
async def test_the_server_has_stopped_working_on_it(make: Callable[..., Any]) -> None:
    database = await make(timeout=TIMEOUT)
    if database.dialect == "sqlite":
        pytest.skip("SQLite has no server")
    with pytest.raises(DatabaseError, match="gave no answer"):
        await ask(database, ENDLESS[database.dialect])
    async with database.session(read_only=True) as session:
        assert await session.scalar(text(RUNNING[database.dialect])) == 0


async def test_a_cancelled_statement_is_ended_at_once(make: Callable[..., Any]) -> None:
    database = await make(pool_size=1)
    for read_only in (True, False):
        task = asyncio.ensure_future(ask(database, ENDLESS[database.dialect], read_only=read_only))
        await asyncio.wait([task], timeout=0.1)  # into the statement
        began = time.monotonic()
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()
        await ask(database, "INSERT INTO words VALUES ('next')", read_only=False)
        assert time.monotonic() - began < MORE
    assert await count(database) == 2


@pytest.mark.slow
async def test_what_ends_in_time_is_left_alone(make: Callable[..., Any]) -> None:
    """The timer of the first statement goes off in the middle of a later one."""
    database = await make(timeout=TIMEOUT)
    began = time.monotonic()
    async with database.session() as session:
        while time.monotonic() - began < 3 * TIMEOUT:
            await session.execute(text("INSERT INTO words VALUES ('quick')"))
    assert await count(database) > 3


async def test_the_pool_holds_no_more_than_its_size(make: Callable[..., Any]) -> None:
    database = await make(pool_size=3, pool_timeout=0.2)
    inside, leave = asyncio.Semaphore(0), asyncio.Event()

    async def hold() -> None:
        async with database.session(read_only=True) as session:
            await session.execute(text("SELECT 1"))
            inside.release()
            await leave.wait()

    holding = [asyncio.ensure_future(hold()) for _ in range(3)]
    for _ in holding:
        await inside.acquire()
    began = time.monotonic()
    with pytest.raises(DatabaseError, match=r"no connection became free within 0\.2 s") as caught:
        await count(database)
    assert 0.2 <= time.monotonic() - began < 0.2 + MORE
    assert caught.value.check_id == "databases.unavailable"
    leave.set()
    await asyncio.gather(*holding)
    await asyncio.gather(*(count(database) for _ in range(30)))
    pool = database.reader.sync_engine.pool
    assert (pool.size(), pool.checkedin(), pool.overflow()) == (3, 3, 0)
    if database.dialect != "sqlite":
        async with database.session(read_only=True) as session:
            assert await session.scalar(text(CONNECTED[database.dialect])) == 3


async def test_those_who_wait_are_served_in_order(make: Callable[..., Any]) -> None:
    database = await make(pool_size=1)
    served: list[int] = []

    async def take(number: int) -> None:
        async with database.session() as session:
            await session.execute(text("SELECT 1"))
            served.append(number)

    await asyncio.gather(*(take(number) for number in range(20)))
    assert served == list(range(20))


@pytest.mark.slow
async def test_a_lock_is_not_waited_for_longer(make: Callable[..., Any], url: str) -> None:
    one, other = await make(timeout=TIMEOUT), await make(timeout=TIMEOUT)
    await ask(one, "INSERT INTO words VALUES ('locked')", read_only=False)
    async with one.session() as session:
        await session.execute(text("UPDATE words SET word = 'mine'"))
        began = time.monotonic()
        with pytest.raises(DatabaseError, match=r"within 0\.4 s|locked for 0\.4 s"):
            await ask(other, "UPDATE words SET word = 'theirs'", read_only=False)
        assert time.monotonic() - began < TIMEOUT + 2 * MORE


SLOW_COMMIT = (
    "CREATE TABLE lingering (word VARCHAR(9))",
    """CREATE FUNCTION linger() RETURNS trigger LANGUAGE plpgsql AS
    'BEGIN PERFORM pg_sleep(60); RETURN NULL; END'""",
    """CREATE CONSTRAINT TRIGGER linger AFTER INSERT ON lingering DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION linger()""",
)


@pytest.mark.slow
async def test_a_commit_that_takes_too_long_is_given_up(postgresql_url: str) -> None:
    database = SQLDatabase("default", postgresql_url, {"timeout": TIMEOUT})
    await database.open()
    async with database.session() as session:
        for statement in SLOW_COMMIT:
            await session.execute(text(statement))
    began = time.monotonic()
    with pytest.raises(DatabaseError, match="gave no answer"):
        await ask(database, "INSERT INTO lingering VALUES ('no')", read_only=False)
    assert time.monotonic() - began < TIMEOUT + MORE
    async with database.session(read_only=True) as session:
        assert await session.scalar(text("SELECT count(*) FROM lingering")) == 0
    await database.close()


async def test_a_server_that_accepts_and_says_nothing_is_given_up() -> None:
    over = asyncio.Event()

    async def ignore(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await over.wait()
        writer.close()

    server = await asyncio.start_server(ignore, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    for scheme in ("postgresql", "mysql"):
        database = SQLDatabase(
            "default", f"{scheme}://me@127.0.0.1:{port}/site", {"connect_timeout": 0.1}
        )
        await database.open()
        began = time.monotonic()
        with pytest.raises(DatabaseError, match=r"gave no answer within 0\.1 s"):
            await ask(database, "SELECT 1")
        assert time.monotonic() - began < 0.1 + MORE
        await database.close()
    over.set()
    server.close()
    await server.wait_closed()


async def test_the_url_may_say_how_long_connecting_takes() -> None:
    database = SQLDatabase("default", "postgresql://me@host/site?connect_timeout=2.5")
    assert database.backend.connect_timeout == 2.5
    database = SQLDatabase("default", "postgresql://me@host/site?connect_timeout=soon")
    assert database.backend.connect_timeout == 5
