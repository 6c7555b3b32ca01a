"""Transactions that are cut when their time is over, on the real servers."""

from __future__ import annotations

import asyncio
import functools
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import text

from tests import services
from tornkit.databases import Databases, SQLDatabase
from tornkit.databases.prompt import CONNECTIONS, TIMEOUT
from tornkit.errors import DatabaseError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from pathlib import Path

pytestmark = pytest.mark.slow  # it waits for deadlines

SLEEP = {"postgresql": "SELECT pg_sleep(5)", "mysql": "SELECT SLEEP(5)"}


@pytest.fixture(scope="module")
def servers() -> Iterator[Callable[[str], str]]:
    with ExitStack() as stack:
        yield functools.cache(lambda name: stack.enter_context(services.fresh_database(name)))


@pytest.fixture(params=["postgresql", "mysql"])
async def database(
    request: pytest.FixtureRequest, servers: Callable[[str], str]
) -> AsyncIterator[SQLDatabase]:
    async with Databases({"default": servers(request.param)}, library=()) as databases:
        database = databases.sql["default"]
        async with database.connect(write=True) as connection:
            await connection.execute(text("CREATE TABLE IF NOT EXISTS words (word VARCHAR(9))"))
            await connection.execute(text("DELETE FROM words"))
        yield database


def pool_of(database: SQLDatabase) -> Any:
    assert database._prompt is not None
    return database._prompt.engines.writer.sync_engine.pool


async def sleep(database: SQLDatabase) -> None:
    async with database.connect(write=False, prompt=True) as connection:
        await connection.execute(text(SLEEP[database.dialect]))


async def add(database: SQLDatabase, word: str) -> None:
    async with database.connect(write=True, prompt=True) as connection:
        await connection.execute(text("INSERT INTO words VALUES (:word)"), {"word": word})


async def words(database: SQLDatabase) -> list[str]:
    async with database.connect(write=False, prompt=True) as connection:
        return sorted(await connection.scalars(text("SELECT word FROM words")))


async def test_it_commits_on_leaving_and_rolls_back_on_an_error(database: SQLDatabase) -> None:
    await add(database, "kept")
    with pytest.raises(ZeroDivisionError):  # noqa: PT012 - the leaving is what is tested
        async with database.connect(write=True, prompt=True) as connection:
            await connection.execute(text("INSERT INTO words VALUES ('lost')"))
            raise ZeroDivisionError
    assert await words(database) == ["kept"]
    assert pool_of(database).checkedout() == 0


async def test_readers_cannot_write(database: SQLDatabase) -> None:
    with pytest.raises(DatabaseError, match="cannot be written to"):
        async with database.connect(write=False, prompt=True) as connection:
            await connection.execute(text("INSERT INTO words VALUES ('no')"))


async def test_a_slow_statement_is_given_up_and_its_connection_thrown_away(
    database: SQLDatabase,
) -> None:
    began = time.monotonic()
    with pytest.raises(DatabaseError, match=r"gave no answer within 1\.25 s") as failure:
        await sleep(database)
    assert TIMEOUT <= time.monotonic() - began < TIMEOUT + 0.2
    assert failure.value.check_id == "databases.unavailable"
    pool = pool_of(database)
    assert pool.checkedout() == 0
    await add(database, "next")
    assert await words(database) == ["next"]


@pytest.mark.slow
async def test_those_who_wait_for_a_connection_are_given_up_too(database: SQLDatabase) -> None:
    await asyncio.gather(*(words(database) for _ in range(CONNECTIONS)))  # all are connected
    began = time.monotonic()
    calls = [sleep(database) for _ in range(CONNECTIONS)]
    ended = await asyncio.gather(*calls, add(database, "late"), return_exceptions=True)
    assert time.monotonic() - began < TIMEOUT + 0.4
    assert [type(each) for each in ended] == [DatabaseError] * (CONNECTIONS + 1)
    assert await words(database) == []


@pytest.mark.slow
async def test_a_busy_server_is_not_a_dead_one(database: SQLDatabase) -> None:
    nap = text(SLEEP[database.dialect].replace("5", "0.5"))

    async def take_a_nap() -> None:
        async with database.connect(write=False, prompt=True) as connection:
            await connection.execute(nap)

    began = time.monotonic()
    await asyncio.gather(*(take_a_nap() for _ in range(4 * CONNECTIONS)))
    assert time.monotonic() - began > TIMEOUT


@pytest.mark.slow
async def test_what_is_cut_in_the_middle_is_not_committed(database: SQLDatabase) -> None:
    with pytest.raises(DatabaseError, match="gave no answer"):  # noqa: PT012 - as above
        async with database.connect(write=True, prompt=True) as connection:
            await connection.execute(text("INSERT INTO words VALUES ('half')"))
            await connection.execute(text(SLEEP[database.dialect]))
    assert await words(database) == []


SLOW_COMMIT = (
    "CREATE TABLE lingering (word VARCHAR(9))",
    """CREATE FUNCTION linger() RETURNS trigger LANGUAGE plpgsql AS
    'BEGIN PERFORM pg_sleep(0.2); RETURN NULL; END'""",
    """CREATE CONSTRAINT TRIGGER linger AFTER INSERT ON lingering DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION linger()""",
)


async def test_a_cancelled_commit_is_awaited(servers: Callable[[str], str]) -> None:
    async with Databases({"default": servers("postgresql")}, library=()) as databases:
        database = databases.sql["default"]
        async with database.connect(write=True) as connection:
            for statement in SLOW_COMMIT:
                await connection.execute(text(statement))
        inserted = asyncio.Event()

        async def add_slowly() -> None:
            async with database.connect(write=True, prompt=True) as connection:
                await connection.execute(text("INSERT INTO lingering VALUES ('kept')"))
                inserted.set()

        task = asyncio.ensure_future(add_slowly())
        await inserted.wait()
        await asyncio.sleep(0.05)  # into the commit, which takes 0.2 s
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        async with database.connect(write=False) as connection:
            assert await connection.scalar(text("SELECT word FROM lingering")) == "kept"


async def test_more_than_a_few_never_connect(database: SQLDatabase) -> None:
    await asyncio.gather(*(add(database, str(number)) for number in range(50)))
    assert len(await words(database)) == 50
    assert pool_of(database).checkedin() == CONNECTIONS


@pytest.mark.slow
async def test_sqlite_waits_in_its_queue(tmp_path: Path) -> None:
    async with Databases({"default": f"sqlite:///{tmp_path}/a.db"}, library=()) as databases:
        database = databases.sql["default"]
        assert database._prompt is None
        async with database.connect(write=True, prompt=True) as connection:
            await connection.execute(text("CREATE TABLE words (word VARCHAR(9))"))
        held = asyncio.Event()

        async def hold() -> None:
            async with database.connect(write=True, prompt=True):
                held.set()
                await asyncio.sleep(TIMEOUT + 0.1)  # longer than a server would be given

        holding = asyncio.ensure_future(hold())
        await held.wait()
        await add(database, "waited")
        await holding
        assert await words(database) == ["waited"]
