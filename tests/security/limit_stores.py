"""Real limit stores for tests: where each keeps its counts, and how to open it there."""

from __future__ import annotations

import functools
import secrets
from contextlib import ExitStack, asynccontextmanager, contextmanager
from typing import TYPE_CHECKING

from tests import services
from tests.sessions.support import REDIS_DATABASE
from tornkit.databases import Databases
from tornkit.security.limits import LimitStore, MemoryLimitStore
from tornkit.security.limits.redis import RedisLimitStore
from tornkit.security.limits.sql import SQLLimitStore, limit_table

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

__all__ = ["KINDS", "SHARED", "open_store", "place_of"]

SHARED = ["sqlite", "postgresql", "mysql", "redis"]
KINDS = ["memory", *SHARED]


@contextmanager
def place_of(kind: str, folder: Path) -> Iterator[str]:
    """Give the URL of a place for a store of this kind; make it first, if it is a database."""
    with ExitStack() as stack:
        if kind == "redis":
            host, port = services.require("redis")
            yield f"redis://{host}:{port}/{REDIS_DATABASE}"
        elif kind in ("postgresql", "mysql"):
            yield stack.enter_context(services.fresh_database(kind))
        else:
            yield f"sqlite:///{folder / 'limits.db'}"


@asynccontextmanager
async def open_store(kind: str, url: str, *, prefix: str = "") -> AsyncIterator[LimitStore]:
    """Open an empty store; its table is made by the library's migrations.

    With a ``prefix``, a store in Redis is what somebody else opened, and is left as it is.
    """
    if kind == "memory":
        yield MemoryLimitStore()
    elif kind == "redis":
        async with _open_redis(url, prefix) as store:
            yield store
    else:
        async with Databases({"default": url}, library={"default"}) as databases:
            database = databases.sql["default"]
            if not prefix:
                await database.migrations.upgrade()
                async with database.connect(write=True) as connection:
                    await connection.execute(limit_table.delete())
            connect = functools.partial(database.connect, prompt=True)
            yield SQLLimitStore(connect, one_writer=database.backend.one_writer)


@asynccontextmanager
async def _open_redis(url: str, prefix: str) -> AsyncIterator[LimitStore]:
    from redis.asyncio import Redis

    own = prefix or f"tornkit-test:{secrets.token_hex(8)}:"
    store = RedisLimitStore(url, prefix=own)
    await store.open()
    try:
        yield store
    finally:
        await store.close()
        if not prefix:
            async with Redis.from_url(url, protocol=2) as client:
                async for key in client.scan_iter(f"{own}*", count=1000):
                    await client.delete(key)
