"""Real stores: one in memory with a clock that the test sets, one in Redis."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

import pytest

from tests import services
from tests.sessions.support import REDIS_DATABASE
from tornkit.cache import Cache, CacheStore, MemoryCacheStore
from tornkit.cache.redis import RedisCacheStore

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


class Clock:
    """Seconds that pass when the test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def redis_url() -> str:
    host, port = services.require("redis")
    return f"redis://{host}:{port}/{REDIS_DATABASE}"


@pytest.fixture(params=["memory", "redis"])
async def store(request: pytest.FixtureRequest, clock: Clock) -> AsyncIterator[CacheStore]:
    """Open an empty store; leave nothing behind."""
    if request.param == "memory":
        yield MemoryCacheStore(clock=clock)
        return
    url = request.getfixturevalue("redis_url")
    opened = RedisCacheStore(url, prefix=f"tornkit-test:{secrets.token_hex(8)}:")
    await opened.open()
    yield opened
    await opened.clear()
    await opened.close()


@pytest.fixture
def cache(store: CacheStore) -> Cache:
    return Cache(store)


@pytest.fixture
def memory(clock: Clock) -> Cache:
    return Cache(MemoryCacheStore(clock=clock), clock=clock)
