"""What every cache store does, in memory and in Redis; then what only one of them does."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

import pytest

from tornkit.cache import CacheStore, MemoryCacheStore, store_of
from tornkit.cache.memory import ENTRY
from tornkit.cache.redis import CLEAR_BATCH, RedisCacheStore
from tornkit.errors import CacheError

if TYPE_CHECKING:
    from tests.cache.conftest import Clock


async def text_of(store: CacheStore, key: str) -> bytes | None:
    text = await store.load(key)
    return text.encode() if isinstance(text, str) else text


class TestEveryStore:
    async def test_what_is_saved_is_loaded(self, store: CacheStore) -> None:
        assert await store.load("a") is None
        await store.save("a", b"[1]", 60)
        assert await text_of(store, "a") == b"[1]"

    async def test_text_of_any_language(self, store: CacheStore) -> None:
        await store.save("Schülerin 文", '"Ärger 文 🎒 \\u0000"'.encode(), 60)
        assert await text_of(store, "Schülerin 文") == '"Ärger 文 🎒 \\u0000"'.encode()

    async def test_the_last_one_counts(self, store: CacheStore) -> None:
        await store.save("a", b"1", 60)
        await store.save("a", b"2", 60)
        assert await text_of(store, "a") == b"2"

    async def test_keys_do_not_mix(self, store: CacheStore) -> None:
        await store.save("a", b"1", 60)
        await store.save("a:", b"2", 60)
        assert [await text_of(store, key) for key in ("a", "a:", "A")] == [b"1", b"2", None]

    async def test_deleting_says_whether_there_was_one(self, store: CacheStore) -> None:
        await store.save("a", b"1", 60)
        await store.save("b", b"1", 60)
        assert await store.delete("a") is True
        assert await store.delete("a") is False
        assert [await text_of(store, key) for key in ("a", "b")] == [None, b"1"]

    async def test_after_its_life_it_is_gone(self, store: CacheStore, clock: Clock) -> None:
        await store.save("a", b"1", 0.001)
        clock.now += 0.001
        async with asyncio.timeout(5):
            while await store.load("a") is not None:
                pass
        assert await store.delete("a") is False

    async def test_saving_again_gives_a_new_life(self, store: CacheStore, clock: Clock) -> None:
        await store.save("a", b"1", 0.001)
        await store.save("a", b"2", 60)
        clock.now += 59
        assert await text_of(store, "a") == b"2"

    async def test_any_number_is_cleared(self, store: CacheStore) -> None:
        names = [str(number) for number in range(CLEAR_BATCH // 5)]
        await asyncio.gather(*(store.save(name, b"1", 60) for name in names))
        await store.clear()
        assert [await store.load(name) for name in names] == [None] * len(names)
        await store.clear()

    async def test_opening_and_closing_twice(self, store: CacheStore) -> None:
        await store.open()
        await store.open()
        await store.save("a", b"1", 60)
        await store.close()
        await store.close()
        await store.open()  # for what cleans up


# --- memory ------------------------------------------------------------------------------


async def kept(store: CacheStore, names: str) -> str:
    """Return which keys are there; looking uses them in that order."""
    return "".join([name for name in names if await store.load(name) is not None])


class TestMemory:
    async def test_the_number_of_entries_is_bounded(self) -> None:
        store = MemoryCacheStore(max_entries=3)
        for name in "abcdef":
            await store.save(name, b"1", 60)
        assert await kept(store, "abcdef") == "def"

    async def test_what_was_not_used_for_the_longest_time_goes_first(self) -> None:
        store = MemoryCacheStore(max_entries=3)
        for name in "abc":
            await store.save(name, b"1", 60)
        await store.load("a")
        await store.save("b", b"2", 60)
        await store.save("d", b"1", 60)
        assert await kept(store, "abcd") == "abd"

    async def test_the_bytes_are_bounded(self) -> None:
        text = b"x" * (1000 - ENTRY - 1)
        store = MemoryCacheStore(max_bytes=4000)
        for name in "abcdef":
            await store.save(name, text, 60)
        assert await kept(store, "abcdef") == "cdef"
        await store.save("f", b"1", 60)
        await store.save("g", b"1", 60)
        assert await kept(store, "cdefg") == "cdefg"

    async def test_what_was_deleted_over_or_cleared_takes_no_bytes(self, clock: Clock) -> None:
        text = b"x" * (1000 - ENTRY - 1)
        store = MemoryCacheStore(max_bytes=4000, clock=clock)
        for name in "ab":
            await store.save(name, text, 1)
        clock.now += 1
        assert await kept(store, "a") == ""
        await store.delete("b")
        for name in "cd":
            await store.save(name, text, 60)
        await store.clear()
        for name in "abcd":
            await store.save(name, text, 60)
        assert await kept(store, "abcd") == "abcd"

    async def test_too_large_a_text_is_not_kept_pushes_nothing_out_and_is_logged_once(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        store = MemoryCacheStore(max_bytes=4000)
        await store.save("a", b"1", 60)
        await store.save("b", b"former", 60)
        with caplog.at_level(logging.WARNING, "tornkit.cache"):
            await store.save("b", b"x" * 1000, 60)
            await store.save("c", b"x" * 4000, 60)
        assert await kept(store, "abc") == "a"
        assert [record.levelname for record in caplog.records] == ["WARNING"]
        assert "'b'" in caplog.text

    async def test_what_is_over_makes_room(self, clock: Clock) -> None:
        store = MemoryCacheStore(clock=clock)
        for number in range(50):
            await store.save(str(number), b"1", 1)
        clock.now += 1
        await store.save("a", b"1", 60)
        assert list(store._entries) == ["a"]

    async def test_ten_thousand_entries_are_pushed_out_in_no_time(self) -> None:
        # A plain dict would look for its first entry among all that were there before.
        store = MemoryCacheStore(max_entries=2000)
        async with asyncio.timeout(2):
            for number in range(12_000):
                await store.save(str(number), b"1", 60)
        assert len(store._entries) == 2000


# --- Redis -------------------------------------------------------------------------------


class TestRedis:
    @pytest.mark.parametrize("name", ["", "a*", "a[b]", "a?", "a\\", "a^-"])
    async def test_only_its_own_prefix_is_cleared(self, redis_url: str, name: str) -> None:
        prefixes = [
            f"tornkit-test:clear:{name}:",
            "tornkit-test:clear:ab:",
            "tornkit-test:clear:aXb:",
        ]
        stores = [RedisCacheStore(redis_url, prefix=prefix) for prefix in prefixes]
        for store in stores:
            await store.open()
            await store.save("k", b"1", 60)
        await stores[0].clear()
        assert [await store.load("k") for store in stores] == [None, "1", "1"]
        for store in stores:
            await store.clear()
            await store.close()

    async def test_it_is_cleared_batch_after_batch(
        self, redis_url: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("tornkit.cache.redis.CLEAR_BATCH", 5)
        store = RedisCacheStore(redis_url, prefix="tornkit-test:batches:")
        await store.open()
        for number in range(60):
            await store.save(str(number), b"1", 60)
        await store.clear()
        assert [await store.load(str(number)) for number in range(60)] == [None] * 60
        await store.close()

    async def test_sites_that_share_a_redis_share_no_value(self, redis_url: str) -> None:
        one, two = store_of(redis_url, site="test_one"), store_of(redis_url, site="test_two")
        await one.open()
        await two.open()
        await one.save("k", b"1", 60)
        await two.save("k", b"2", 60)
        await one.clear()
        assert [await one.load("k"), await two.load("k")] == [None, "2"]
        await two.clear()
        await one.close()
        await two.close()


# --- by URL ------------------------------------------------------------------------------


class TestStoreOf:
    def test_memory_with_its_bounds(self) -> None:
        store = store_of("memory://", max_entries=5, max_bytes=100)
        assert isinstance(store, MemoryCacheStore)
        assert (store._max_entries, store._max_bytes) == (5, 100)

    @pytest.mark.parametrize(
        "url", ["redis://localhost", "rediss://:p@localhost:1/2", "unix:///run/redis.sock?db=0"]
    )
    def test_redis_is_not_opened_yet(self, url: str) -> None:
        assert isinstance(store_of(url, site="my.school-2"), RedisCacheStore)

    @pytest.mark.parametrize(
        "url",
        [
            *("", "memory", "memory://x", "memcached://:tornado@h", "database://default"),
            *("redis://", "redis://:tornado@host:port", "redis://:tornado@host/0?timeout=9"),
        ],
    )
    def test_any_other_url_is_refused_and_not_quoted(self, url: str) -> None:
        with pytest.raises(CacheError) as caught:
            store_of(url)
        assert "tornado" not in str(caught.value)
        assert "redis://" in str(caught.value)

    @pytest.mark.parametrize("site", ["a:b", "a b", "a*", "é", "a\n", "x" * 101])
    def test_a_site_has_a_plain_name(self, site: str) -> None:
        with pytest.raises(CacheError, match="cannot name a site's cache"):
            store_of("memory://", site=site)
