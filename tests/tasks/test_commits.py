"""What is enqueued inside a database block is enqueued when the block has committed, or never."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import text

from tests.tasks.support import open_tasks
from tornkit.databases import Databases
from tornkit.databases.blocks import open_block
from tornkit.errors import TornkitError, UnknownJob
from tornkit.tasks import task

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from sqlalchemy.ext.asyncio import AsyncSession

    from tornkit.tasks import Tasks


@task
async def note(word: str) -> str:
    return word


class Site:
    """Databases and tasks, put together as an application does it."""

    def __init__(self, databases: Databases) -> None:
        self.sql = databases.sql

    def db(self, name: str = "default", **how: Any) -> Any:
        return self.sql[name].session(**how)

    def open_sessions(self) -> list[AsyncSession]:
        blocks = (open_block(each, inherited=True) for each in self.sql.values())
        return [
            block.session
            for block in blocks
            if block is not None and block.session is not None and not block.read_only
        ]


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    urls = {name: f"sqlite:///{tmp_path / name}.db" for name in ("default", "archive")}
    async with Databases(urls, library=()) as databases:
        site = Site(databases)
        async with site.db() as session:
            await session.execute(text("CREATE TABLE words (word TEXT)"))
        yield site


@pytest.fixture
async def tasks(site: Site) -> AsyncIterator[Tasks]:
    async with open_tasks(note, open_sessions=site.open_sessions) as tasks:
        yield tasks


async def add(session: AsyncSession, word: str) -> None:
    await session.execute(text("INSERT INTO words VALUES (:word)"), {"word": word})


async def enqueued(tasks: Tasks) -> list[str]:
    return [job.arguments["word"] for job in reversed(await tasks.list())]


async def test_it_happens_when_the_block_has_committed(site: Site, tasks: Tasks) -> None:
    async with site.db() as session:
        await add(session, "x")
        job = await note.enqueue("x")
        assert await job.status() == "new"
        assert job.is_new
        assert len(job.id) == 32
        assert await tasks.run_all() == []
        assert await job.wait(0) is False
    assert await job.status() == "queued"
    await tasks.run_all()
    assert await job.result() == "x"


async def test_it_never_happens_where_the_block_fails(site: Site, tasks: Tasks) -> None:
    with pytest.raises(ZeroDivisionError):  # noqa: PT012 - a block is what is tested
        async with site.db() as session:
            await add(session, "x")
            job = await note.enqueue("x")
            raise ZeroDivisionError
    with pytest.raises(UnknownJob, match="was not enqueued; the database block that it was to"):
        await job.status()
    with pytest.raises(ZeroDivisionError):  # noqa: PT012 - a block is what is tested
        async with site.db():
            job = await note.enqueue("no statement")
            raise ZeroDivisionError
    with pytest.raises(UnknownJob):
        await job.status()
    assert await enqueued(tasks) == []


async def test_it_never_happens_where_the_commit_fails(site: Site, tasks: Tasks) -> None:
    async with site.db() as session:
        await session.execute(text("CREATE TABLE one (id INTEGER PRIMARY KEY)"))
        await session.execute(
            text("CREATE TABLE two (id REFERENCES one (id) DEFERRABLE INITIALLY DEFERRED)")
        )
    with pytest.raises(Exception, match="FOREIGN KEY"):  # noqa: PT012
        async with site.db() as session:
            await session.execute(text("INSERT INTO two VALUES (1)"))
            await note.enqueue("x")
    assert await enqueued(tasks) == []


async def test_the_outermost_block_decides(site: Site, tasks: Tasks) -> None:
    async with site.db():
        async with site.db():
            await note.enqueue("joined")
        async with site.db("archive"):
            await note.enqueue("other")
        assert await enqueued(tasks) == []
        async with site.db() as session, session.begin_nested():
            await note.enqueue("savepoint")
        await asyncio.gather(note.enqueue("child"))
        assert await enqueued(tasks) == []
    assert await enqueued(tasks) == ["joined", "other", "savepoint", "child"]
    with pytest.raises(ZeroDivisionError):  # noqa: PT012 - a block is what is tested
        async with site.db():
            async with site.db("archive"):
                await note.enqueue("never")
            raise ZeroDivisionError
    assert "never" not in await enqueued(tasks)


async def test_a_savepoint_is_no_commit(site: Site, tasks: Tasks) -> None:
    with pytest.raises(ZeroDivisionError):  # noqa: PT012 - a block is what is tested
        async with site.db() as session:
            job = await note.enqueue("x")
            async with session.begin_nested():
                await add(session, "x")
            assert await job.status() == "new"
            raise ZeroDivisionError
    with pytest.raises(UnknownJob):
        await job.status()
    assert await enqueued(tasks) == []


async def test_a_block_that_only_reads_is_not_waited_for(site: Site, tasks: Tasks) -> None:
    async with site.db(read_only=True):
        await note.enqueue("x")
        assert await enqueued(tasks) == ["x"]


async def test_several_are_enqueued_in_order_and_several_times(site: Site, tasks: Tasks) -> None:
    for word in ("a", "b"):
        async with site.db() as session:
            for number in range(3):
                await note.enqueue(f"{word}{number}")
            await add(session, word)
    assert await enqueued(tasks) == ["a0", "a1", "a2", "b0", "b1", "b2"]
    async with site.db():
        first = await note.using(key="k").enqueue("first")
        second = await note.using(key="k").enqueue("second")
    assert (await enqueued(tasks))[6:] == ["first"]
    assert (first.is_new, second.is_new, first.id) == (True, False, second.id)


async def test_it_is_called_off_before_the_commit(site: Site, tasks: Tasks) -> None:
    async with site.db() as session:
        await add(session, "x")
        job = await note.enqueue("x")
        assert await job.abort("a mistake") == "aborted"
        assert await job.status() == "aborted"
    assert await enqueued(tasks) == []
    assert (await job.status(), job.error) == ("aborted", "a mistake")


async def test_where_the_queue_is_down_the_block_says_so_after_its_commit(
    site: Site, tasks: Tasks
) -> None:
    await tasks.queue.disconnect()
    with pytest.raises(TornkitError, match="task queue memory:// does not"):  # noqa: PT012
        async with site.db() as session:
            await add(session, "kept")
            first, second = await note.enqueue("x"), await note.enqueue("y")
    async with site.db(read_only=True) as session:
        assert (await session.execute(text("SELECT word FROM words"))).scalars().all() == ["kept"]
    for job in (first, second):
        with pytest.raises(UnknownJob):
            await job.status()


async def test_a_savepoint_that_is_rolled_back_takes_its_jobs_with_it(
    site: Site, tasks: Tasks
) -> None:
    async with site.db() as session:
        await note.enqueue("outside")
        with contextlib.suppress(LookupError):
            async with session.begin_nested():
                await add(session, "x")
                await note.enqueue("lost")
                async with session.begin_nested():
                    await note.enqueue("lost, too")
                raise LookupError
        async with session.begin_nested():
            await note.enqueue("kept")
    assert await enqueued(tasks) == ["outside", "kept"]
