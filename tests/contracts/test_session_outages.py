"""A site goes on while its session store is frozen, killed, restarted, slow or silent.

Each store is a server of the test's own; the site is real and asked over HTTP. A page that
needs the session answers 503 in time, pages that do not are served at once, and when the
store is back the site works on without a restart.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, suppress
from functools import cache
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from sqlalchemy import text

from tests.contracts.own_servers import MariaDBServer, PostgreSQLServer
from tests.contracts.test_shared_sessions import SERVERS, keeping
from tests.sessions.redis_server import RedisServer
from tornkit import PUBLIC, SIGNED_IN, Application, BaseHandler, Module, Settings, path
from tornkit.errors import StoreUnavailable
from tornkit.server import serve
from tornkit.testing._session_contract.support import LATER, A, stored

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
    from pathlib import Path

    from tests.contracts.own_servers import SQLServer

pytestmark = pytest.mark.slow

PROMPT = 1.5  # seconds
AT_ONCE = 0.5  # seconds
LONG = 3600  # seconds
MAKE: dict[str, Callable[[], SQLServer | RedisServer]] = {
    "postgresql": PostgreSQLServer,
    "mysql": MariaDBServer,
    "redis": RedisServer,
}


@pytest.fixture(scope="module")
def servers() -> Iterator[Callable[[str], Any]]:
    with ExitStack() as stack:
        yield cache(lambda kind: stack.enter_context(MAKE[kind]()))


@pytest.fixture(params=SERVERS)
def server(request: pytest.FixtureRequest, servers: Callable[[str], Any]) -> Iterator[Any]:
    server = servers(request.param)
    server.kind = request.param
    yield server
    server.go_on()


# --- the site ----------------------------------------------------------------------------


class Enter(BaseHandler):
    async def post(self) -> None:
        await self.sign_in("ada")
        self.response_json()


class Open(BaseHandler):
    """A public page that never asks who is there."""

    uses_session = False

    async def get(self) -> None:
        self.response_json()


class Home(BaseHandler):
    """A public page that would, of visitors who carry a cookie."""

    async def get(self) -> None:
        self.response_json()


class Guarded(BaseHandler):
    async def get(self) -> None:
        self.response_json(words=self.session.get("words"))


class Write(BaseHandler):
    """Come in, wait for the test, and change the session."""

    entered: asyncio.Event
    go_on: asyncio.Event

    async def post(self) -> None:
        self.entered.set()
        await self.go_on.wait()
        self.session["words"] = "written"
        self.response_json()


class Busy(BaseHandler):
    """Hold a connection of the database for as long as the test wants."""

    free = 0
    full: asyncio.Event
    go_on: asyncio.Event

    async def get(self) -> None:
        async with self.db() as session:
            await session.connection()
            Busy.free -= 1
            if not Busy.free:
                self.full.set()
            await self.go_on.wait()
        self.response_json()


MODULES = [
    Module(
        name="home",
        access=PUBLIC,
        routes=[path("/enter", Enter), path("/open", Open), path("/home", Home)],
    ),
    Module(
        name="club",
        access=SIGNED_IN,
        routes=[path("/guarded", Guarded), path("/write", Write), path("/busy", Busy)],
    ),
]


class Site:
    """The running site, and one signed-in browser."""

    def __init__(self, application: Application, client: httpx.AsyncClient) -> None:
        self.application = application
        self.client = client

    async def ask(self, page: str, method: str = "GET") -> tuple[int, float]:
        """Return the status of an answer, and how long it took."""
        began = time.monotonic()
        answer = await self.client.request(method, page)
        return answer.status_code, time.monotonic() - began

    async def ask_at_once(self, number: int, page: str) -> tuple[set[int], float]:
        """Return the statuses of many answers, and how long the last took.

        By bare sockets: with a hundred connections, an HTTP client takes longer than the site.
        """
        cookies = "; ".join(f"{each.name}={each.value}" for each in self.client.cookies.jar)
        lines = (f"GET {page} HTTP/1.1", "Host: localhost", f"Cookie: {cookies}")
        request = "\r\n".join((*lines, "Accept: application/json", "", "")).encode()
        place = self.client.base_url.host, self.client.base_url.port
        opened = [await asyncio.open_connection(*place) for _ in range(number)]
        began = time.monotonic()
        for _, writer in opened:
            writer.write(request)
        answers = await asyncio.gather(*(reader.readline() for reader, _ in opened))
        took = time.monotonic() - began
        for _, writer in opened:
            writer.close()
        return {int(answer.split()[1]) for answer in answers}, took

    async def refuses_in_time(self) -> None:
        """The guarded page is refused, the public ones go on as if nothing were."""
        refused = asyncio.ensure_future(self.is_prompt("/club/guarded", PROMPT))
        without = asyncio.ensure_future(self.is_prompt("/home", PROMPT))  # a cookie, no session
        await asyncio.sleep(0)  # both have taken the cookie along
        assert await self.is_prompt("/open", AT_ONCE) == 200
        cookies, self.client.cookies = self.client.cookies, httpx.Cookies()
        assert await self.is_prompt("/home", AT_ONCE) == 200  # a visitor without a cookie
        self.client.cookies = cookies
        assert (await refused, await without) == (503, 200)

    async def is_prompt(self, page: str, limit: float) -> int:
        status, took = await self.ask(page)
        assert took < limit, f"{page} took {took:.2f} s"
        return status

    async def works(self) -> None:
        """All pages are served again, by the same process."""
        assert await self.is_prompt("/club/guarded", PROMPT) == 200
        assert await self.is_prompt("/health/ready", PROMPT) == 200
        assert self.leaks() == []

    def leaks(self) -> list[str]:
        """Return the pools that miss a connection."""
        pools = []
        for database in self.application.databases.sql.values():
            for engine in (database.engine, database._prompt and database._prompt.engines.writer):
                pool: Any = engine and engine.sync_engine.pool
                if pool and pool.checkedout():
                    pools.append(pool.status())
        return pools


@asynccontextmanager
async def running(folder: Path, kind: str, url: str) -> AsyncIterator[Site]:
    settings = Settings.load("testing", project_dir=folder, overrides=keeping(kind, url))
    application = Application(settings, modules=MODULES)
    Write.entered, Write.go_on = asyncio.Event(), asyncio.Event()
    Busy.full, Busy.go_on = asyncio.Event(), asyncio.Event()
    async with AsyncExitStack() as stack:
        (port,) = await stack.enter_async_context(serve([(application, 0)]))
        client = httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{port}",
            headers={"Accept": "application/json"},
            trust_env=False,
            timeout=30,
        )
        yield Site(application, await stack.enter_async_context(client))


@pytest.fixture
async def site(server: Any, tmp_path: Path) -> AsyncIterator[Site]:
    async with running(tmp_path, server.kind, server.url) as site:
        await migrated(site)
        yield site
        server.go_on()


async def migrated(site: Site) -> None:
    for database in site.application.databases.sql.values():
        await database.migrations.upgrade()
    assert (await site.ask("/enter", "POST"))[0] == 200
    await site.works()


# --- frozen ------------------------------------------------------------------------------


async def test_frozen_before_a_request(server: Any, site: Site) -> None:
    server.stop()
    await site.refuses_in_time()
    assert await site.is_prompt("/health/ready", PROMPT) == 503
    assert await site.is_prompt("/health/live", AT_ONCE) == 200
    server.go_on()
    await site.works()


async def test_frozen_in_the_middle_of_a_request(server: Any, site: Site) -> None:
    asked = asyncio.ensure_future(site.ask("/club/write", "POST"))
    await Write.entered.wait()
    server.stop()
    began = time.monotonic()
    Write.go_on.set()
    assert (await asked)[0] == 503
    assert time.monotonic() - began < PROMPT
    server.go_on()
    await site.works()
    assert (await site.ask("/club/write", "POST"))[0] == 200


async def test_frozen_while_100_ask_at_once(server: Any, site: Site) -> None:
    assert (await site.ask_at_once(100, "/club/guarded"))[0] == {200}
    server.stop()
    statuses, took = await site.ask_at_once(100, "/club/guarded")
    assert (statuses, took < PROMPT) == ({503}, True), took
    server.go_on()
    await site.works()
    assert (await site.ask_at_once(100, "/club/guarded"))[0] == {200}
    assert site.leaks() == []


async def test_frozen_and_cold(server: Any, tmp_path: Path) -> None:
    async with running(tmp_path, server.kind, server.url) as prepared:
        await migrated(prepared)
        cookies = prepared.client.cookies
    async with running(tmp_path, server.kind, server.url) as site:
        site.client.cookies = cookies
        server.stop()
        await site.refuses_in_time()
        server.go_on()
        await site.works()


async def test_every_call_ends_in_time_and_so_does_a_cancelled_one(
    server: Any, site: Site
) -> None:
    store = site.application.sessions.store
    await store.create(stored(x=1))
    server.stop()
    calls: dict[str, Callable[[], Coroutine[Any, Any, object]]] = {
        "load": lambda: store.load(A),
        "create": lambda: store.create(stored("f" * 64)),
        "apply": lambda: store.apply(A, put={"x": "2"}, drop=(), **LATER),
        "increment": lambda: store.increment(A, "x", 1, **LATER),
        "rotate": lambda: store.rotate(A, stored("e" * 64), drop=()),
        "delete": lambda: store.delete(A),
        "delete_user": lambda: store.delete_user("nobody"),
        "list_user": lambda: store.list_user("nobody"),
        "clear_expired": lambda: store.clear_expired(0),
        "ping": store.ping,
    }

    async def refused(name: str) -> float:
        began = time.monotonic()
        with pytest.raises(StoreUnavailable):
            await calls[name]()
        return time.monotonic() - began

    took = {"warm load": await refused("load")}
    names = list(calls)
    all_at_once = await asyncio.gather(*(refused(name) for name in names))
    took.update(zip(names, all_at_once, strict=True))
    assert max(took.values()) < PROMPT, took

    tasks = [asyncio.ensure_future(call()) for call in calls.values()]
    await asyncio.sleep(0.1)  # into the middle of it
    began = time.monotonic()
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert time.monotonic() - began < PROMPT
    server.go_on()
    with suppress(StoreUnavailable):
        await store.delete(A)
    await site.works()


async def test_a_read_cancelled_in_the_middle_ends_in_time(
    servers: Callable[[str], Any], tmp_path: Path
) -> None:
    server = servers("postgresql")
    async with running(tmp_path, "postgresql", server.url) as site:
        await migrated(site)
        application = site.application
        database, store = application.databases.sql["default"], application.sessions.store
        lock = text("LOCK TABLE tornkit_session IN ACCESS EXCLUSIVE MODE")
        waiting = text("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'")
        async with database.connect(write=True) as holder:
            await holder.execute(lock)
            load = asyncio.ensure_future(store.load(A))
            while not await holder.scalar(waiting):
                pass  # until it hangs at the lock
            server.stop()
            try:
                began = time.monotonic()
                load.cancel()
                await asyncio.wait([load])
                assert time.monotonic() - began < PROMPT
            finally:
                server.go_on()
        await site.works()


# --- killed ------------------------------------------------------------------------------


async def test_killed_and_started_again(server: Any, site: Site) -> None:
    server.kill()
    try:
        await site.refuses_in_time()
    finally:
        await asyncio.to_thread(server.start)
    await site.works()


async def test_restarted_in_the_middle_of_a_request(server: Any, site: Site) -> None:
    asked = asyncio.ensure_future(site.ask("/club/write", "POST"))
    await Write.entered.wait()
    server.kill()
    await asyncio.to_thread(server.start)
    Write.go_on.set()
    assert (await asked)[0] == 200
    await site.works()
    assert (await site.client.get("/club/guarded")).json()["words"] == "written"


# --- slow and silent ---------------------------------------------------------------------


class Relay:
    """Between the site and the server: late with everything that comes from the server."""

    def __init__(self, port: int) -> None:
        self.delay = 0.0
        self._to = port
        self._writers: list[asyncio.StreamWriter] = []

    @asynccontextmanager
    async def open(self) -> AsyncIterator[int]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        try:
            yield server.sockets[0].getsockname()[1]
        finally:
            server.close()
            for writer in self._writers:
                writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", self._to)
        self._writers += [writer, back]
        await asyncio.gather(self._pass(reader, back, late=False), self._pass(there, writer))

    async def _pass(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, late: bool = True
    ) -> None:
        with suppress(OSError):
            while data := await reader.read(65536):
                await asyncio.sleep(self.delay if late else 0)
                writer.write(data)
                await writer.drain()
        writer.close()


@pytest.mark.parametrize("delay", [pytest.param(1.4, id="slow"), pytest.param(LONG, id="silent")])
async def test_slow_and_fast_again(server: Any, tmp_path: Path, delay: float) -> None:
    relay = Relay(server.port)
    async with relay.open() as port:
        url = server.url.replace(str(server.port), str(port))
        async with running(tmp_path, server.kind, url) as site:
            await migrated(site)
            relay.delay = delay
            await site.refuses_in_time()
            relay.delay = 0
            await site.works()


async def test_a_little_slow_is_not_dead(server: Any, tmp_path: Path) -> None:
    relay = Relay(server.port)
    async with relay.open() as port:
        url = server.url.replace(str(server.port), str(port))
        async with running(tmp_path, server.kind, url) as site:
            await migrated(site)
            relay.delay = 0.05
            assert (await site.ask("/club/guarded"))[0] == 200


# --- full --------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["postgresql", "mysql"])
async def test_blocks_that_hold_every_connection_sign_nobody_out(
    kind: str, servers: Callable[[str], Any], tmp_path: Path
) -> None:
    async with running(tmp_path, kind, servers(kind).url) as site:
        await migrated(site)
        pool: Any = site.application.databases.sql["default"].engine.sync_engine.pool
        Busy.free = most = pool.size() + pool._max_overflow
        busy = [asyncio.ensure_future(site.ask("/club/busy")) for _ in range(most)]
        async with asyncio.timeout(10):
            await Busy.full.wait()
        assert await site.is_prompt("/club/guarded", AT_ONCE) == 200
        Busy.go_on.set()
        assert {status for status, _ in await asyncio.gather(*busy)} == {200}
        await site.works()
