"""What a site keeps to on every store that processes share: between processes, and in need."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tests import services
from tests.contracts.shared_site import make
from tests.sessions.redis_server import RedisServer, free_port
from tornkit.errors import StoreUnavailable
from tornkit.testing._session_contract.support import LATER, A, stored

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
PROCESSES = 4
REQUESTS = 200
PATIENCE = 60  # seconds
PROMPT = 1.5  # seconds

SERVERS = ["postgresql", "mysql", "redis"]


def keeping(kind: str, url: str) -> dict[str, object]:
    """Return the settings of a site with its sessions at a URL."""
    if kind == "redis":
        return {"session.store": url, "databases": {}}
    return {"session.store": "database://default", "databases.default": url}


@contextmanager
def place_of(kind: str, folder: Path) -> Iterator[str]:
    """Give the URL of an empty place for sessions."""
    if kind == "sqlite":
        yield f"sqlite:///{folder / 'sessions.db'}"
    elif kind == "redis":
        with RedisServer("--appendfsync", "no") as server:
            yield server.url
    else:
        with services.fresh_database(kind) as url:
            yield url


async def prepare(folder: Path, overrides: dict[str, object]) -> None:
    async with make(folder, overrides) as application:
        for database in application.databases.sql.values():
            await database.migrations.upgrade()


@contextmanager
def processes(folder: Path, overrides: dict[str, object]) -> Iterator[list[str]]:
    """Start the site in several processes; give their addresses."""
    command = [sys.executable, "-m", "tests.contracts.shared_site", str(folder)]
    with ExitStack() as stack:
        started = []
        for _ in range(PROCESSES):
            process = subprocess.Popen(
                [*command, json.dumps(overrides)],
                cwd=ROOT,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            stack.enter_context(process)  # leaving it closes the input and waits for the end
            started.append(process)
        ports = [process.stdout.readline().strip() for process in started if process.stdout]
        yield [f"http://127.0.0.1:{port}" for port in ports]


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["sqlite", *SERVERS])
async def test_200_requests_at_once_to_4_processes_lose_nothing(kind: str, tmp_path: Path) -> None:
    with place_of(kind, tmp_path) as url:
        overrides = keeping(kind, url)
        await prepare(tmp_path, overrides)
        with processes(tmp_path, overrides) as sites:
            limits = httpx.Limits(max_connections=REQUESTS)
            async with httpx.AsyncClient(limits=limits, timeout=PATIENCE) as client:

                async def post(number: int, page: str) -> int:
                    answer = await client.post(sites[number % PROCESSES] + page)
                    return answer.status_code

                assert await post(0, "/put/first") == 200  # brings the cookie
                puts = [post(number, f"/put/key{number}") for number in range(REQUESTS)]
                counts = [post(number, "/count") for number in range(REQUESTS)]
                answers = await asyncio.gather(*puts, *counts)
                values = (await client.get(sites[0])).json()["values"]
    assert answers == [200] * (2 * REQUESTS)
    assert values.pop("count") == REQUESTS
    assert values == {"first": 1, **{f"key{number}": 1 for number in range(REQUESTS)}}


async def refused_in_time(store: Any) -> None:
    for attempt in (store.load(A), store.create(stored()), store.delete(A)):
        began = time.monotonic()
        with pytest.raises(StoreUnavailable):
            await attempt
        assert time.monotonic() - began < PROMPT


@pytest.mark.parametrize("kind", SERVERS)
async def test_a_store_that_is_down_says_so_in_time(kind: str, tmp_path: Path) -> None:
    url = f"{kind}://127.0.0.1:{free_port()}/" + ("0" if kind == "redis" else "none")
    async with make(tmp_path, keeping(kind, url)) as application:
        await refused_in_time(application.sessions.store)


@pytest.mark.slow
@pytest.mark.parametrize("kind", SERVERS)
async def test_connections_cut_by_the_server_are_replaced(kind: str, tmp_path: Path) -> None:
    with place_of(kind, tmp_path) as url:
        await prepare(tmp_path, keeping(kind, url))
        async with make(tmp_path, keeping(kind, url)) as application:
            store = application.sessions.store
            await store.create(stored(x=1))
            await asyncio.gather(*(store.load(A) for _ in range(5)))
            await CUTS[kind](url)
            assert await asyncio.gather(*(store.load(A) for _ in range(20))) == [stored(x=1)] * 20
            assert await store.increment(A, "x", 1, **LATER) == 2


async def cut_postgresql(url: str) -> None:
    import psycopg

    async with await psycopg.AsyncConnection.connect(services.url("postgresql")) as connection:
        await connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s",
            [url.rpartition("/")[2]],
        )


async def cut_mysql(url: str) -> None:
    import asyncmy

    host, port = services.require("mysql")
    connection = await asyncmy.connect(host=host, port=port, user="root")
    async with connection.cursor() as cursor:
        await cursor.execute(
            "SELECT id FROM information_schema.processlist WHERE db = %s",
            (url.rpartition("/")[2],),
        )
        for (number,) in await cursor.fetchall():
            await cursor.execute(f"KILL {number}")
    await connection.ensure_closed()


async def cut_redis(url: str) -> None:
    from redis.asyncio import Redis

    async with Redis.from_url(url, protocol=2) as client:
        await client.client_kill_filter(_type="normal", skipme=True)


CUTS = {"postgresql": cut_postgresql, "mysql": cut_mysql, "redis": cut_redis}
