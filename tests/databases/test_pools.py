"""A connection that is idle and was just heard of is taken and given back for nothing."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import text

from tornkit.databases import SQLDatabase

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[SQLDatabase]:
    found = SQLDatabase("default", f"sqlite:///{tmp_path}/a.db", {"pool_size": 2})
    await found.open()
    yield found
    await found.close()


async def ask(database: SQLDatabase, *, read_only: bool) -> None:
    async with database.session(read_only=read_only) as session:
        await session.execute(text("SELECT 1"))


async def tasks_made(database: SQLDatabase, *, read_only: bool) -> int:
    made = 0

    def make(loop: asyncio.AbstractEventLoop, work: Any, **options: Any) -> asyncio.Task[Any]:
        nonlocal made
        made += 1
        return asyncio.Task(work, loop=loop, **options)

    loop = asyncio.get_running_loop()
    loop.set_task_factory(make)
    try:
        await ask(database, read_only=read_only)
    finally:
        loop.set_task_factory(None)
    return made


@pytest.mark.parametrize("read_only", [True, False], ids=["reading", "writing"])
async def test_a_block_on_an_idle_connection_makes_no_task(
    database: SQLDatabase, read_only: bool
) -> None:
    assert await tasks_made(database, read_only=read_only) == 1  # one that connects
    assert await tasks_made(database, read_only=read_only) == 0


async def test_where_somebody_waits_nobody_goes_first(database: SQLDatabase) -> None:
    pool: Any = database.engine.sync_engine.pool
    await ask(database, read_only=False)
    pool._fetching = 1
    assert await tasks_made(database, read_only=False) == 1
    pool._fetching = 0


async def test_the_connection_that_came_back_last_is_taken_first(database: SQLDatabase) -> None:
    async def both() -> None:
        async with database.session(read_only=True) as session:
            await session.execute(text("SELECT 1"))
            await asyncio.create_task(ask(database, read_only=True))

    await both()
    used = set()
    for _ in range(5):
        async with database.session(read_only=True) as session:
            raw = await (await session.connection()).get_raw_connection()
            used.add(id(raw.driver_connection))
    assert len(used) == 1


async def test_a_pool_made_anew_keeps_its_times(database: SQLDatabase) -> None:
    pool: Any = database.reader.sync_engine.pool
    made: Any = pool.recreate()
    assert (made.patience, made.fresh) == (pool.patience, pool.fresh) == (65.0, float("inf"))
