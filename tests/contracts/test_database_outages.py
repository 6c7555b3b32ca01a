"""A site outlives its database server: frozen, killed, restarted, with a full disk."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import time
from contextlib import ExitStack
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import text

from tests.contracts.database_site import Hold, Site, running
from tests.contracts.own_servers import MariaDBServer, PostgreSQLServer
from tornkit._gathering import gather
from tornkit.databases import Databases, SQLDatabase
from tornkit.errors import DeadlineExceeded

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from tests.contracts.own_servers import SQLServer

POOL_SIZE = 4
OPTIONS = {"pool_size": POOL_SIZE, "pool_timeout": 1.0, "connect_timeout": 0.5, "timeout": 1.0}
ONE_STEP = OPTIONS["timeout"] + 0.5  # seconds, for the machine is busy
ALL_STEPS = OPTIONS["pool_timeout"] + OPTIONS["connect_timeout"] + ONE_STEP
MAKE: dict[str, Callable[[], SQLServer]] = {"postgresql": PostgreSQLServer, "mysql": MariaDBServer}


@pytest.fixture(scope="module")
def servers() -> Iterator[Callable[[str], Any]]:
    with ExitStack() as stack:
        yield cache(lambda kind: stack.enter_context(MAKE[kind]()))


@pytest.fixture(params=[pytest.param(kind, marks=pytest.mark.slow) for kind in MAKE])
def server(request: pytest.FixtureRequest, servers: Callable[[str], Any]) -> Iterator[Any]:
    server = servers(request.param)
    yield server
    server.go_on()


@pytest.fixture
async def site(server: Any, tmp_path: Path) -> AsyncIterator[Site]:
    async with running(tmp_path, server.url, **OPTIONS) as site:
        await warm(site)
        yield site
        server.go_on()
        await site.all_are_back()


async def warm(site: Site) -> None:
    """Have all connections of the pool made."""
    answers = await asyncio.gather(*(site.ask("/read") for _ in range(5 * POOL_SIZE)))
    assert {status for status, _ in answers} == {200}


def freeze(server: Any) -> None:
    """Stop the server; a busy machine takes a moment to stop all of its threads."""
    server.stop()
    deadline = time.monotonic() + 5
    while any(
        stat.read_text().rpartition(")")[2].split()[0] != "T"
        for process in server.processes()
        for stat in Path(f"/proc/{process}/task").glob("*/stat")
    ):
        assert time.monotonic() < deadline


async def recovers(site: Site) -> None:
    answers = [await site.ask(f"/write/{number}", "POST") for number in range(10)]
    assert [status for status, _ in answers] == [200] * 10
    await warm(site)


# --- frozen ------------------------------------------------------------------------------


@pytest.mark.parametrize("page", ["/hold", "/commit"])
async def test_frozen_in_the_middle_of_a_block(
    server: Any, site: Site, page: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Once before a statement, once before the commit."""
    asked = asyncio.ensure_future(site.ask(page, "POST"))
    await Hold.entered.wait()
    freeze(server)
    began = time.monotonic()
    Hold.go_on.set()
    assert (await asked)[0] == 503
    assert time.monotonic() - began < ONE_STEP
    assert "database 'default' gave no answer within 1 s" in caplog.text
    server.go_on()
    await recovers(site)
    # What it had been sent before it froze it does afterwards; a lost commit may be one.
    assert await site.count() in ((10,) if page == "/hold" else (10, 11))


async def test_frozen_while_many_ask_at_once(server: Any, site: Site) -> None:
    freeze(server)
    answers = await asyncio.gather(*(site.ask("/read") for _ in range(10 * POOL_SIZE)))
    assert {status for status, _ in answers} == {503}
    assert max(took for _, took in answers) < ALL_STEPS
    server.go_on()
    await recovers(site)


async def test_frozen_after_a_rest(server: Any, site: Site) -> None:
    """The connections are idle, so each is asked for a sign of life before its use."""
    await asyncio.sleep(1.1)  # longer than a connection is used without asking
    freeze(server)
    status, took = await site.ask("/read")
    assert (status, took < ALL_STEPS) == (503, True), took
    server.go_on()
    await recovers(site)


async def test_frozen_and_a_block_that_fails_by_itself(server: Any, site: Site) -> None:
    """The rollback is not answered either."""
    asked = asyncio.ensure_future(rolled_back(site))
    await Hold.entered.wait()
    freeze(server)
    began = time.monotonic()
    Hold.go_on.set()
    with pytest.raises(ZeroDivisionError):
        await asked
    assert time.monotonic() - began < ONE_STEP
    server.go_on()
    await recovers(site)


async def rolled_back(site: Site) -> None:
    async with site.application.db() as session:
        await session.execute(text("INSERT INTO words VALUES ('half')"))
        Hold.entered.set()
        await Hold.go_on.wait()
        raise ZeroDivisionError


async def test_frozen_and_cold(server: Any, tmp_path: Path) -> None:
    async with running(tmp_path, server.url, **OPTIONS) as site:
        await site.database.close()
        await site.database.open()
        freeze(server)
        status, took = await site.ask("/read")
        assert (status, took < OPTIONS["connect_timeout"] + 0.5) == (503, True), took
        server.go_on()
        await recovers(site)


# --- killed ------------------------------------------------------------------------------


async def test_killed_and_restarted_under_load(server: Any, site: Site) -> None:
    """What is asked after the restart fails at most once for each pooled connection."""
    over = asyncio.Event()
    asked: list[tuple[float, int, float]] = []

    async def visit(number: int) -> None:
        while not over.is_set():
            began = time.monotonic()
            status, took = await site.ask(*(("/read",) if number % 2 else ("/write/x", "POST")))
            asked.append((began, status, took))

    load = [asyncio.ensure_future(visit(number)) for number in range(3 * POOL_SIZE)]
    await asyncio.sleep(0.3)
    assert {status for _, status, _ in asked} == {200}
    server.kill()
    await asyncio.to_thread(server.start)
    back = time.monotonic()
    await asyncio.sleep(1.5)
    over.set()
    await asyncio.gather(*load)
    later = [status for began, status, _ in asked if began > back]
    assert max(took for _, _, took in asked) < ALL_STEPS
    assert {status for _, status, _ in asked} <= {200, 503}
    assert len(later) > 10 * POOL_SIZE
    assert later.count(503) <= POOL_SIZE
    await recovers(site)


async def test_killed_in_the_middle_of_a_block(server: Any, site: Site) -> None:
    asked = asyncio.ensure_future(site.ask("/hold", "POST"))
    await Hold.entered.wait()
    server.kill()
    await asyncio.to_thread(server.start)
    Hold.go_on.set()
    assert (await asked)[0] == 503
    await recovers(site)
    assert await site.count() == 10


async def test_restarted_while_nobody_asked(server: Any, site: Site) -> None:
    server.kill()
    await asyncio.to_thread(server.start)
    await asyncio.sleep(1.1)  # longer than a connection is used without asking
    await recovers(site)


# --- full --------------------------------------------------------------------------------


async def test_a_full_disk_is_told_and_reading_goes_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with running(tmp_path, f"sqlite:///{tmp_path}/site.db") as site:
        assert (await site.ask("/write/kept", "POST"))[0] == 200
        async with site.application.db() as session:
            await session.execute(text("PRAGMA max_page_count = 8"))
        caplog.clear()
        assert (await site.ask("/grow", "POST"))[0] == 503
        told = [each for each in caplog.records if each.levelno >= logging.WARNING]
        assert [each.name for each in told] == ["tornkit.handlers", "tornkit.access"]
        assert "the disk is full" in told[0].getMessage()
        assert told[0].exc_info is None
        assert await site.count() == 1
        async with site.application.db() as session:
            await session.execute(text("PRAGMA max_page_count = 1000"))
        assert (await site.ask("/grow", "POST"))[0] == 200
        assert await site.count() == 21
        await site.all_are_back()
    file = sqlite3.connect(tmp_path / "site.db")
    assert file.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    file.close()


async def test_a_deadline_over_a_silent_server_is_kept(server: Any) -> None:
    """Ending what still runs asks the server, and it is the server that does not answer."""
    async with Databases({"default": server.url}, library=()) as databases:
        database = databases.sql["default"]

        async def ask() -> None:
            async with database.session() as session:
                await session.execute(text("SELECT 1"))
                freeze(server)
                await session.execute(text("SELECT 2"))

        began = time.monotonic()
        with pytest.raises(DeadlineExceeded):
            await gather(ask(), timeout=0.5)
        assert time.monotonic() - began < 3
        server.go_on()
        assert not await wait_for_pool(database)


async def wait_for_pool(database: SQLDatabase) -> int:
    """Return how many connections have not come back within some seconds."""
    pool: Any = database.engine.sync_engine.pool
    for _ in range(100):
        if not pool.checkedout():
            break
        await asyncio.sleep(0.05)
    return int(pool.checkedout())
