"""Requests that end badly, thousands of them, keep no connection, no file and no row."""

from __future__ import annotations

import asyncio
import logging
import os
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import text

from tests import services
from tests.contracts.database_site import Site, Slow, running

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytestmark = pytest.mark.slow

POOL_SIZE = 5
AT_ONCE = 10
REQUESTS = {"sqlite": 4000, "postgresql": 3000, "mysql": 3000}
CONNECTED = {
    "postgresql": "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()",
    "mysql": "SELECT count(*) FROM information_schema.processlist WHERE db = DATABASE()",
}


@pytest.fixture(scope="module")
def servers() -> Iterator[Callable[[str], str]]:
    with services.fresh_databases() as url_of:
        yield url_of


async def leave(site: Site, _number: int) -> None:
    """Ask, and go away while the statement runs."""
    place = site.client.base_url
    _reader, writer = await asyncio.open_connection(place.host, place.port)
    writer.write(b"GET /slow HTTP/1.1\r\nHost: localhost\r\n\r\n")
    await Slow.begun.acquire()
    writer.transport.abort()
    await Slow.ended.acquire()  # the handler runs on: nobody tells it


async def fail(site: Site, _number: int) -> None:
    assert (await site.ask("/fail", "POST"))[0] == 500


async def be_late(site: Site, number: int) -> None:
    status, _ = await site.ask(f"/late/{number * 37 % 8000}", "POST")
    assert status in (500, 503)


async def storm(site: Site, requests: int) -> None:
    """Send so many requests, a third of each kind."""
    kinds = (leave, fail, be_late)
    numbers = iter(range(requests))

    async def visit() -> None:
        for number in numbers:
            await kinds[number % 3](site, number)

    await asyncio.gather(*(visit() for _ in range(AT_ONCE)))
    await site.all_are_back()


def open_files() -> int:
    return len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - a pseudo folder


@pytest.mark.parametrize("kind", list(REQUESTS))
async def test_thousands_of_requests_that_end_badly_leave_nothing(
    kind: str, servers: Callable[[str], str], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    url = f"sqlite:///{tmp_path}/site.db" if kind == "sqlite" else servers(kind)
    # The tracebacks of what fails on purpose would fill the memory.
    for name in ("tornado", "tornkit"):
        caplog.set_level(logging.CRITICAL, name)
    async with running(tmp_path, url, pool_size=POOL_SIZE) as site:
        await storm(site, 60)
        files = open_files()
        async with asyncio.timeout(55):
            await storm(site, REQUESTS[kind])
        assert open_files() <= files + 2 * POOL_SIZE
        assert [pool.checkedout() for pool in site.pools] == [0, 0]
        assert all(pool.checkedin() <= POOL_SIZE for pool in site.pools)
        assert await site.count() == 0
        assert (await site.ask("/write/kept", "POST"))[0] == 200
        assert await site.count() == 1
        if kind != "sqlite":
            assert await connected(site) <= POOL_SIZE


async def connected(site: Site) -> int:
    """Return the connections that the server has, once it has heard of those that were closed."""
    found: Any = None
    for _ in range(100):
        async with site.application.db(read_only=True) as session:
            found = await session.scalar(text(CONNECTED[site.database.dialect]))
        if found <= POOL_SIZE:
            break
        await asyncio.sleep(0.02)  # no event of another program
    return int(found)
