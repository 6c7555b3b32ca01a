"""A Redis that is down, frozen, full or slow takes nobody down with it."""

from __future__ import annotations

import asyncio
import logging
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from tests.sessions.redis_server import RedisServer, free_port
from tornkit._redis import TOTAL_TIMEOUT
from tornkit.cache import Cache, MemoryCacheStore, store_of
from tornkit.cache._outages import PAUSE
from tornkit.errors import StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.cache.conftest import Clock

AT_ONCE = 0.5  # seconds
PROMPT = TOTAL_TIMEOUT + 0.5  # seconds


@pytest.fixture(autouse=True)
def _log_all(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "tornkit.cache")


class Unsteady(MemoryCacheStore):
    """A store whose reading and writing fail when the test says so."""

    reads = writes = True
    asked = 0

    async def load(self, key: str) -> bytes | None:
        self.asked += 1
        if not self.reads:
            raise StoreUnavailable("it is gone")
        return await super().load(key)

    async def save(self, key: str, text: bytes, life: float) -> None:
        self.asked += 1
        if not self.writes:
            raise StoreUnavailable("it is full")
        await super().save(key, text, life)

    async def delete(self, key: str) -> bool:
        if not self.writes:
            raise StoreUnavailable("it is full")
        return await super().delete(key)


async def compute() -> str:
    return "computed"


@asynccontextmanager
async def cache_at(url: str, clock: Clock) -> AsyncIterator[Cache]:
    cache = Cache(store_of(url, site="test"), clock=clock)
    await cache.open()
    try:
        yield cache
    finally:
        await cache.close()


async def goes_on_without(cache: Cache) -> None:
    """Use a cache whose store does not answer."""
    assert await cache.get("k", "default") == "default"
    await cache.set("k", 1, ttl=60)
    assert await cache.get_or_set("k", compute, ttl=60) == "computed"


class TestTheSiteGoesOn:
    async def test_reading_finds_nothing_and_writing_keeps_nothing(self, clock: Clock) -> None:
        async with cache_at(f"redis://127.0.0.1:{free_port()}/0", clock) as cache:
            began = time.monotonic()
            await goes_on_without(cache)
            assert time.monotonic() - began < AT_ONCE

    async def test_one_that_is_not_open_is_like_one_that_is_down(self, clock: Clock) -> None:
        cache = Cache(store_of("redis://127.0.0.1:1/0"), clock=clock)
        await goes_on_without(cache)

    async def test_deleting_and_clearing_raise(self, clock: Clock) -> None:
        async with cache_at(f"redis://127.0.0.1:{free_port()}/0", clock) as cache:
            for _ in range(2):
                for attempt in (cache.delete("k"), cache.clear()):
                    with pytest.raises(StoreUnavailable, match="the cache does not answer"):
                        await attempt

    async def test_a_crowd_is_still_computed_once(self, clock: Clock) -> None:
        computed = 0
        go_on = asyncio.Event()

        async def slow() -> int:
            nonlocal computed
            computed += 1
            await go_on.wait()
            return computed

        async with cache_at(f"redis://127.0.0.1:{free_port()}/0", clock) as cache:
            crowd = [asyncio.ensure_future(cache.get_or_set("k", slow, ttl=60)) for _ in range(40)]
            async with asyncio.timeout(5):
                while not computed or next(iter(cache._flights._aloft.values())).waiting < 40:  # noqa: ASYNC110 - turns of the loop, no wait
                    await asyncio.sleep(0)
            go_on.set()
            assert await asyncio.gather(*crowd) == [1] * 40


class TestTheStoreIsLeftAlone:
    async def test_for_a_pause_after_each_failure(self, clock: Clock) -> None:
        store = Unsteady(clock=clock)
        cache = Cache(store, clock=clock)
        store.reads = False
        for _ in range(3):
            await goes_on_without(cache)
        # One that reads; the first `set` waits for no second failure.
        assert store.asked == 1
        clock.now += PAUSE
        await goes_on_without(cache)
        assert store.asked == 2

    async def test_after_the_pause_one_of_many_tries(self, clock: Clock) -> None:
        store = Unsteady(clock=clock)
        cache = Cache(store, clock=clock)
        store.reads = False
        await cache.get("k")
        clock.now += PAUSE
        cache._reading.lets_ask()  # somebody has begun to ask, and has no answer yet
        await asyncio.gather(*(cache.get("k") for _ in range(20)))
        assert store.asked == 1

    async def test_until_it_answers(self, clock: Clock) -> None:
        store = Unsteady(clock=clock)
        cache = Cache(store, clock=clock)
        store.reads = store.writes = False
        await goes_on_without(cache)
        store.reads = store.writes = True
        clock.now += PAUSE
        assert await cache.get_or_set("k", compute, ttl=60) == "computed"
        assert await cache.get("k") == "computed"

    async def test_one_that_is_full_is_still_read(self, clock: Clock) -> None:
        store = Unsteady(clock=clock)
        cache = Cache(store, clock=clock)
        await cache.set("k", 1, ttl=60)
        store.writes = False
        store.asked = 0
        for _ in range(3):
            await cache.set("k", 2, ttl=60)
            assert await cache.get("k") == 1
        assert store.asked == 1 + 3
        with pytest.raises(StoreUnavailable, match="it is full"):
            await cache.delete("k")
        store.writes = True
        clock.now += PAUSE
        for number in range(3):
            await cache.set("k", number, ttl=60)
            assert await cache.get("k") == number

    async def test_the_log_has_one_line_when_it_begins_and_one_when_it_ends(
        self, clock: Clock, caplog: pytest.LogCaptureFixture
    ) -> None:
        store = Unsteady(clock=clock)
        cache = Cache(store, clock=clock)
        store.reads = False
        for _ in range(5):
            await goes_on_without(cache)
            clock.now += PAUSE
        store.reads = True
        await cache.get("k")
        await cache.get("k")
        assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]
        assert "it is gone" in caplog.text


@pytest.mark.slow
class TestARedisOfItsOwn:
    async def test_a_frozen_one_costs_one_caller_a_second_and_then_nobody(
        self, clock: Clock, caplog: pytest.LogCaptureFixture
    ) -> None:
        with RedisServer() as server:
            async with cache_at(server.url, clock) as cache:
                await cache.set("k", "former", ttl=60)
                server.stop()
                began = time.monotonic()
                await goes_on_without(cache)
                assert time.monotonic() - began < PROMPT
                began = time.monotonic()
                for _ in range(20):
                    await goes_on_without(cache)
                assert time.monotonic() - began < AT_ONCE
                with pytest.raises(StoreUnavailable):
                    await cache.delete("k")
                server.go_on()
                clock.now += PAUSE
                assert await cache.get("k") == "former"
        assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]

    async def test_one_that_was_killed_and_comes_back_is_used_again(self, clock: Clock) -> None:
        with RedisServer() as server:
            async with cache_at(server.url, clock) as cache:
                await cache.set("k", 1, ttl=60)
                server.kill()
                await goes_on_without(cache)
                server.start()
                clock.now += PAUSE
                assert await cache.get_or_set("other", compute, ttl=60) == "computed"
                assert await cache.get("other") == "computed"

    async def test_a_full_one_is_still_read(self, clock: Clock) -> None:
        with RedisServer("--maxmemory-policy", "noeviction") as server:
            async with cache_at(server.url, clock) as cache:
                await cache.set("k", 1, ttl=60)
                await cache.store._ask("CONFIG", "SET", "maxmemory", "1")  # type: ignore[attr-defined]
                await cache.set("k", 2, ttl=60)
                assert await cache.get("k") == 1
                assert await cache.delete("k") is True
