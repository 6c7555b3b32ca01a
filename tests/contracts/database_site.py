"""A site whose pages use a database in every way that may go wrong, asked over HTTP."""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import httpx
from sqlalchemy import text

from tornkit import PUBLIC, Application, BaseHandler, Module, Settings, path
from tornkit.server import serve

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tornkit.databases import SQLDatabase

__all__ = ["NAP", "Hold", "Site", "Slow", "running"]

# Some milliseconds of work in the database.
NAP = {
    "sqlite": "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 20000)"
    " SELECT max(i) FROM n",
    "postgresql": "SELECT pg_sleep(0.005)",
    "mysql": "SELECT SLEEP(0.005)",
}
INSERT = text("INSERT INTO words VALUES (:word)")


class Read(BaseHandler):
    async def get(self) -> None:
        async with self.db(read_only=True) as session:
            count = await session.scalar(text("SELECT count(*) FROM words"))
        self.response_json(count=count)


class Write(BaseHandler):
    async def post(self, word: str) -> None:
        async with self.db() as session:
            await session.execute(INSERT, {"word": word})
        self.response_json()


class Hold(BaseHandler):
    """Write, wait for the test, and write again."""

    entered: asyncio.Event
    go_on: asyncio.Event

    async def post(self) -> None:
        async with self.db() as session:
            await session.execute(INSERT, {"word": "half"})
            self.entered.set()
            await self.go_on.wait()
            await session.execute(INSERT, {"word": "half"})
        self.response_json()


class Commit(BaseHandler):
    """Write, wait for the test, and commit."""

    async def post(self) -> None:
        async with self.db() as session:
            await session.execute(INSERT, {"word": "whole"})
            Hold.entered.set()
            await Hold.go_on.wait()
        self.response_json()


class Slow(BaseHandler):
    """Ask for what takes a while; tell the test when it has begun and ended."""

    begun: asyncio.Semaphore
    ended: asyncio.Semaphore

    async def get(self) -> None:
        nap = text(NAP[self.site.databases.sql["default"].dialect])  # type: ignore[union-attr]
        try:
            async with self.db(read_only=True) as session:
                await session.execute(text("SELECT 1"))
                self.begun.release()
                await session.execute(nap)
        finally:
            self.ended.release()
        self.response_json()


class Fail(BaseHandler):
    async def post(self) -> None:
        async with self.db() as session:
            await session.execute(INSERT, {"word": "failed"})
            raise RuntimeError("after a write")


class Late(BaseHandler):
    """Be cancelled by a deadline, at whatever point that is."""

    async def post(self, microseconds: int) -> None:
        nap = text(NAP[self.site.databases.sql["default"].dialect])  # type: ignore[union-attr]
        async with asyncio.timeout(microseconds / 1e6), self.db() as session:
            await session.execute(INSERT, {"word": "late"})
            await session.execute(nap)
            await asyncio.Event().wait()


class Grow(BaseHandler):
    async def post(self) -> None:
        async with self.db() as session:
            for _ in range(20):
                await session.execute(INSERT, {"word": "x" * 4000})
        self.response_json()


ROUTES = [
    path("/read", Read),
    path("/write/{word}", Write),
    path("/hold", Hold),
    path("/commit", Commit),
    path("/slow", Slow),
    path("/fail", Fail),
    path("/late/{microseconds:int}", Late),
    path("/grow", Grow),
]


class Site:
    """The running site, and a client."""

    def __init__(self, application: Application, client: httpx.AsyncClient) -> None:
        self.application = application
        self.client = client
        self.database: SQLDatabase = application.databases.sql["default"]

    async def ask(self, page: str, method: str = "GET") -> tuple[int, float]:
        """Return the status of an answer, and how long it took."""
        began = time.monotonic()
        answer = await self.client.request(method, page)
        return answer.status_code, time.monotonic() - began

    async def count(self) -> int:
        answer = await self.client.get("/read")
        return int(answer.raise_for_status().json()["count"])

    @property
    def pools(self) -> list[Any]:
        engines = (self.database.engine, self.database.reader)
        return [engine.sync_engine.pool for engine in engines]

    async def all_are_back(self) -> None:
        """Wait until no connection is in use."""
        async with asyncio.timeout(5):
            while any(pool.checkedout() for pool in self.pools):  # noqa: ASYNC110 - it has no event
                await asyncio.sleep(0.01)


@asynccontextmanager
async def running(folder: Path, url: str, **options: object) -> AsyncIterator[Site]:
    settings = Settings.load(
        "testing",
        project_dir=folder,
        overrides={
            "databases.default": url,
            "session.store": "memory://",
            **{f"database_options.default.{name}": value for name, value in options.items()},
        },
    )
    home = Module(name="home", access=PUBLIC, routes=ROUTES)
    application = Application(settings, modules=[home])
    Hold.entered, Hold.go_on = asyncio.Event(), asyncio.Event()
    Slow.begun, Slow.ended = asyncio.Semaphore(0), asyncio.Semaphore(0)
    async with (
        serve([(application, 0)]) as (port,),
        httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=60
        ) as client,
    ):
        site = Site(application, client)
        async with application.db() as session:
            await session.execute(text("DROP TABLE IF EXISTS words"))
            await session.execute(text("CREATE TABLE words (word VARCHAR(4000))"))
        yield site
