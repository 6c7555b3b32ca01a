"""SQLite keeps its promises: nothing lost, nothing locked, faults told in one line."""

# ruff: noqa: PT012 - what raises here is the leaving of a block

from __future__ import annotations

import asyncio
import sqlite3
import sys
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text

from tornkit.databases import SQLDatabase
from tornkit.databases.drivers import aiosqlite
from tornkit.errors import DatabaseError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[SQLDatabase]:
    found = SQLDatabase("default", f"sqlite:///{tmp_path}/site.db")
    await found.open()
    async with found.connect(write=True) as connection:
        await connection.execute(text("CREATE TABLE t (x)"))
    yield found
    await found.close()


async def pragma(database: SQLDatabase, name: str, *, write: bool) -> object:
    async with database.connect(write=write) as connection:
        return await connection.scalar(text(f"PRAGMA {name}"))


async def test_connections_are_set_up(database: SQLDatabase) -> None:
    for write in (True, False):
        assert await pragma(database, "journal_mode", write=write) == "wal"
        assert await pragma(database, "foreign_keys", write=write) == 1
        assert await pragma(database, "busy_timeout", write=write) == 30_000
        assert await pragma(database, "query_only", write=write) == (not write)


async def test_readers_do_not_wait_for_a_writer(database: SQLDatabase) -> None:
    async def read() -> int:
        async with database.session(read_only=True) as session:
            return int(await session.scalar(text("SELECT count(*) FROM t")) or 0)

    async with asyncio.timeout(5), database.session() as session:
        await session.execute(text("INSERT INTO t VALUES (1)"))
        assert await asyncio.gather(*(asyncio.create_task(read()) for _ in range(6))) == [0] * 6


async def test_memory_belongs_to_one_bind() -> None:
    one, other = (SQLDatabase(name, "sqlite://") for name in ("one", "other"))
    await one.open()
    await other.open()
    async with one.session() as session:
        await session.execute(text("CREATE TABLE t (x)"))
    async with other.session() as session:
        await session.execute(text("CREATE TABLE t (x)"))
    await one.close()
    await other.close()


async def test_a_full_disk_is_told(database: SQLDatabase) -> None:
    with pytest.raises(DatabaseError, match=r"database 'default': the disk is full") as caught:
        async with database.session() as session:
            await session.execute(text("PRAGMA max_page_count = 3"))
            for _ in range(20):
                await session.execute(text("INSERT INTO t VALUES (zeroblob(4000))"))
    assert "\n" not in str(caught.value)


async def test_half_a_transaction_is_never_kept_after_a_full_disk(database: SQLDatabase) -> None:
    """SQLite may end the transaction by itself; what follows must not count as all of it."""
    with pytest.raises(DatabaseError, match="nothing was committed"):
        async with database.session() as session:
            await session.execute(text("INSERT INTO t VALUES (1)"))
            connection = await (await session.connection()).get_raw_connection()
            driver = connection.driver_connection
            assert driver is not None
            await driver.execute("ROLLBACK")  # as SQLite does on SQLITE_FULL
            await session.execute(text("INSERT INTO t VALUES (2)"))


async def test_a_lock_that_does_not_end_is_told(tmp_path: Path) -> None:
    holder = sqlite3.connect(tmp_path / "site.db", isolation_level=None)
    holder.execute("PRAGMA journal_mode = WAL")
    holder.execute("BEGIN IMMEDIATE")
    database = SQLDatabase("default", f"sqlite:///{tmp_path}/site.db", {"timeout": 0.05})
    await database.open()
    try:
        with pytest.raises(DatabaseError, match=r"the file stayed locked for 0\.05 s"):
            async with database.session() as session:
                await session.execute(text("SELECT 1"))
        holder.execute("ROLLBACK")
        async with database.session() as session:
            await session.execute(text("SELECT 1"))
    finally:
        holder.close()
        await database.close()


@pytest.mark.parametrize(("content", "match"), [(b"no database" * 99, "not a SQLite database")])
async def test_a_file_that_is_none_is_told(tmp_path: Path, content: bytes, match: str) -> None:
    (tmp_path / "site.db").write_bytes(content)
    database = SQLDatabase("default", f"sqlite:///{tmp_path}/site.db")
    await database.open()
    with pytest.raises(DatabaseError, match=match):
        await database.ping()
    await database.close()


async def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    database = SQLDatabase("default", f"sqlite:///{tmp_path}/file/site.db")
    with pytest.raises(DatabaseError, match="cannot be made"):
        await database.open()


WRITERS = """
import asyncio, sys
from sqlalchemy import text
from tornkit.databases import SQLDatabase

async def one(database):
    async with database.session() as session:
        count = await session.scalar(text("SELECT n FROM counter"))
        await session.execute(text("UPDATE counter SET n = :n"), {"n": count + 1})

async def main(url, writers):
    database = SQLDatabase("default", url)
    await database.open()
    await asyncio.gather(*(one(database) for _ in range(writers)))
    await database.close()

asyncio.run(main(sys.argv[1], int(sys.argv[2])))
"""


async def run_writers(tmp_path: Path, processes: int, writers: int) -> None:
    """Let every writer read a number and write it back, one higher."""
    url = f"sqlite:///{tmp_path}/counter.db"
    with sqlite3.connect(tmp_path / "counter.db") as file:
        file.execute("CREATE TABLE counter (n)")
        file.execute("INSERT INTO counter VALUES (0)")
    file.close()
    started = [
        await asyncio.create_subprocess_exec(
            *(sys.executable, "-W", "error", "-c", WRITERS, url, str(writers)),
            stderr=asyncio.subprocess.PIPE,
        )
        for _ in range(processes)
    ]
    ended = await asyncio.gather(*(process.communicate() for process in started))
    assert [error.decode() for _, error in ended] == [""] * processes
    file = sqlite3.connect(tmp_path / "counter.db")
    assert file.execute("SELECT n FROM counter").fetchone() == (processes * writers,)
    file.close()


@pytest.mark.slow
async def test_two_processes_that_write_at_once_lose_nothing(tmp_path: Path) -> None:
    await run_writers(tmp_path, processes=2, writers=25)


@pytest.mark.slow
async def test_four_processes_with_a_hundred_writers_each_lose_nothing(tmp_path: Path) -> None:
    await run_writers(tmp_path, processes=4, writers=100)


async def test_a_cancelled_statement_locks_nobody_out(database: SQLDatabase) -> None:
    """A statement whose result nobody fetched keeps a closed connection's lock, unless undone."""

    async def write() -> None:
        async with database.session() as session:
            await session.execute(text("INSERT INTO t VALUES (1) RETURNING x"))

    async with asyncio.timeout(20):
        for number in range(60):
            task = asyncio.create_task(write())
            await asyncio.wait([task], timeout=number % 30 / 10_000)
            task.cancel()
            await asyncio.wait([task])
        await write()


def test_a_closed_connection_lets_go_of_its_lock_though_a_cursor_lives(tmp_path: Path) -> None:
    file = tmp_path / "t.db"
    first = sqlite3.connect(file, isolation_level=None, factory=aiosqlite._File)
    first.execute("CREATE TABLE t (x)")
    first.execute("BEGIN IMMEDIATE")
    unread = first.execute("INSERT INTO t VALUES (1), (2) RETURNING x")
    first.close()
    second = sqlite3.connect(file, isolation_level=None, timeout=0)
    second.execute("BEGIN IMMEDIATE")
    second.close()
    del unread
