"""Real databases behind `SQLStore`, without the databases room, and a real Redis."""

from __future__ import annotations

import secrets
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from sqlalchemy import AsyncAdaptedQueuePool, event, make_url
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from tests import services
from tornkit.sessions.redis import RedisStore

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

DRIVERS = {"postgresql": "postgresql+psycopg", "mysql": "mysql+asyncmy"}


class Connector:
    """An engine, and `connect` in the shape that `SQLStore` wants."""

    def __init__(self, engine: AsyncEngine) -> None:
        self.engine = engine

    def __call__(self, *, write: bool) -> AbstractAsyncContextManager[AsyncConnection]:
        return self._begin(write)

    @asynccontextmanager
    async def _begin(self, write: bool) -> AsyncIterator[AsyncConnection]:
        engine = self.engine.execution_options(tornkit_write=write)
        async with engine.begin() as connection:
            yield connection


def open_server(url: str) -> Connector:
    """Make a connector for a PostgreSQL or MariaDB URL as `tests.services` gives it."""
    parsed = make_url(url)
    return Connector(
        create_async_engine(parsed.set(drivername=DRIVERS[parsed.drivername]), pool_size=8)
    )


def open_sqlite(path: Path) -> Connector:
    """Make a connector for a file in WAL that begins its writes as IMMEDIATE.

    One connection, because aiosqlite leaks those whose opening is cancelled.
    """
    engine = create_async_engine(
        f"sqlite+aiosqlite:///{path}",
        connect_args={"timeout": 30},
        poolclass=AsyncAdaptedQueuePool,
        pool_size=1,
        max_overflow=0,
    )

    @event.listens_for(engine.sync_engine, "connect")
    def prepare(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # this hook begins, not the driver
        cursor = connection.cursor()
        for pragma in ("journal_mode=WAL", "foreign_keys=ON", "synchronous=NORMAL"):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine.sync_engine, "begin")
    def begin(connection: Any) -> None:
        write = connection.get_execution_options().get("tornkit_write", True)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")

    return Connector(engine)


REDIS_DATABASE = 15


@asynccontextmanager
async def open_redis() -> AsyncIterator[RedisStore]:
    """Open a store on the shared server, behind a prefix of its own that is emptied after."""
    from redis.asyncio import Redis

    host, port = services.require("redis")
    url = f"redis://{host}:{port}/{REDIS_DATABASE}"
    prefix = f"tornkit-test:{secrets.token_hex(8)}:"
    store = RedisStore(url, prefix=prefix)
    await store.open()
    try:
        yield store
    finally:
        await store.close()
        async with Redis.from_url(url, protocol=2) as client:
            async for key in client.scan_iter(f"{prefix}*", count=1000):
                await client.delete(key)
