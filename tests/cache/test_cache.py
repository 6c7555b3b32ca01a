"""`Cache` itself: keys, lifetimes, and values as JSON brings them back, over both stores."""

from __future__ import annotations

import asyncio
import logging
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import Enum
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest

from tornkit.cache import Cache, CacheStore
from tornkit.cache._keys import MAX_KEPT, stored_key
from tornkit.cache._lifetimes import seconds_of
from tornkit.errors import CacheError

if TYPE_CHECKING:
    from tests.cache.conftest import Clock


class Colour(Enum):
    RED = "r"


class TestValues:
    @pytest.mark.parametrize(
        ("value", "back"),
        [
            (None, None),
            (0, 0),
            (False, False),
            ("", ""),
            ([], []),
            (1.5, 1.5),
            (2**63, 2**63),
            (-(10**4000), -(10**4000)),
            ("文 🎒 \0 \u2028", "文 🎒 \0 \u2028"),
            ({"a": [1, {"b": None}]}, {"a": [1, {"b": None}]}),
            ((1, 2), [1, 2]),
            ({3, 1, 2}, [1, 2, 3]),
            ({1: "a"}, {"1": "a"}),
            (date(2024, 2, 29), "2024-02-29"),
            (datetime(2024, 2, 29, 1, 2, tzinfo=UTC), "2024-02-29T01:02:00Z"),
            (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
            (Decimal("1.10"), "1.10"),
            (Colour.RED, "r"),
            (float("nan"), None),
        ],
        ids=lambda value: repr(value)[:30].encode("ascii", "backslashreplace").decode(),
    )
    async def test_a_value_comes_back_as_json_brings_it(
        self, cache: Cache, value: object, back: object
    ) -> None:
        async def compute() -> object:
            return value

        first = await cache.get_or_set("computed", compute, ttl=60)
        await cache.set("k", value, ttl=60)
        for got in (first, await cache.get("k"), await cache.get("computed")):
            assert got == back
            assert type(got) is type(back)

    async def test_a_kept_none_is_no_missing_value(self, cache: Cache) -> None:
        await cache.set("k", None, ttl=60)
        assert await cache.get("k", "default") is None
        assert await cache.get("other", "default") == "default"
        assert await cache.get("other") is None

    async def test_a_result_that_is_changed_does_not_change_the_cache(self, cache: Cache) -> None:
        value = {"tags": ["a"]}
        await cache.set("k", value, ttl=60)
        value["tags"].append("b")
        (await cache.get("k"))["tags"].append("c")
        assert await cache.get("k") == {"tags": ["a"]}

    async def test_those_who_shared_a_computation_share_no_object(self, cache: Cache) -> None:
        async def compute() -> list[int]:
            return [1]

        results = await asyncio.gather(*(cache.get_or_set("k", compute, ttl=60) for _ in "abc"))
        results[0].append(2)
        assert results == [[1, 2], [1], [1]]

    @pytest.mark.parametrize(
        ("value", "path"),
        [
            (b"x", ""),
            (object(), ""),
            ({"courses": [{"teacher": b"x"}]}, "courses[0].teacher"),
            ([1, object()], "[1]"),
            ({"n": 10**4300}, "n"),
            ("\ud800", ""),
        ],
        ids=["bytes", "object", "deep", "item", "long", "surrogate"],
    )
    async def test_what_json_does_not_carry_is_refused_with_its_path(
        self, cache: Cache, value: object, path: str
    ) -> None:
        async def compute() -> object:
            return value

        for attempt in (cache.set("k", value, ttl=60), cache.get_or_set("k", compute, ttl=60)):
            with pytest.raises(CacheError, match="cache key 'k': the value") as caught:
                await attempt
            assert caught.value.key_path == path
            assert "answer" not in str(caught.value)
        assert await cache.get("k", "nothing") == "nothing"

    async def test_what_is_not_json_is_no_value_and_is_logged(
        self, cache: Cache, store: CacheStore, caplog: pytest.LogCaptureFixture
    ) -> None:
        async def compute() -> int:
            return 7

        for broken in (b"{secret", b"[" * 300 + b"]" * 300):
            await store.save("k", broken, 60)
            with caplog.at_level(logging.WARNING, "tornkit.cache"):
                assert await cache.get("k", "nothing") == "nothing"
            assert await cache.get_or_set("k", compute, ttl=60) == 7
            assert await cache.get("k") == 7
        assert "'k'" in caplog.text
        assert "secret" not in caplog.text


async def never() -> int:
    raise AssertionError


class TestKeys:
    @pytest.mark.parametrize("key", ["", b"k", None, 7], ids=repr)
    async def test_a_bad_key_is_refused_in_one_line(self, memory: Cache, key: Any) -> None:
        for attempt in (
            memory.get(key),
            memory.set(key, 1, ttl=1),
            memory.delete(key),
            memory.get_or_set(key, never, ttl=1),
        ):
            with pytest.raises(CacheError, match="cache key") as caught:
                await attempt
            assert str(caught.value).isprintable()
            assert len(str(caught.value)) < 200

    @pytest.mark.parametrize(
        "text",
        ["a\nb", "a\0", "\ud800", "\u200b", "a\N{NO-BREAK SPACE}b", "\x7f", "x" * 1_000_000],
        ids=["line", "nul", "surrogate", "zero-width", "no-break", "delete", "long"],
    )
    async def test_what_a_visitor_types_may_be_part_of_a_key(
        self, cache: Cache, text: str
    ) -> None:
        key = f"search:{text}"
        await cache.set(key, 1, ttl=60)
        assert await cache.get(key) == 1
        assert await cache.get_or_set(key, never, ttl=60) == 1
        assert await cache.delete(key) is True

    async def test_long_keys_that_differ_at_their_ends_differ(self, cache: Cache) -> None:
        await cache.set("x" * 5000 + "a", 1, ttl=60)
        await cache.set("x" * 5000 + "b", 2, ttl=60)
        assert await cache.get("x" * 5000 + "a") == 1
        assert await cache.delete("x" * 5000 + "b") is True

    def test_what_a_store_sees_is_bounded_and_never_another_ones_key(self) -> None:
        given = ["a", "ä b", *("x" * length for length in (180, 181, 256, 257, 10_000))]
        given += ["a\nb", "a\\nb", "a\\x0ab", "a\n" * 180, "\ud800", "\udfff", "\n", "\u200b"]
        seen = [stored_key(key) for key in given]
        as_given = [key for key, kept in zip(given, seen, strict=True) if key == kept]
        assert as_given == ["a", "ä b", "x" * 180, "a\\nb", "a\\x0ab"]
        assert max(map(len, seen)) <= MAX_KEPT
        assert all(key.isprintable() for key in seen)
        # Whoever types what a hashed key looks like does not find that key's value.
        hashed = [key for key in seen if key not in as_given]
        assert len({*seen, *map(stored_key, hashed)}) == len(given) + len(hashed)


class TestLifetimes:
    @pytest.mark.parametrize(
        ("ttl", "seconds"),
        [
            (1, 1.0),
            (0.5, 0.5),
            (0.001, 0.001),
            ("30s", 30.0),
            ("5m", 300.0),
            (" 2h ", 7200.0),
            ("7d", 604_800.0),
            ("minute", 60.0),
            (timedelta(hours=1), 3600.0),
            (366 * 86_400, 366 * 86_400.0),
        ],
        ids=str,
    )
    def test_seconds_texts_and_timedeltas(self, ttl: Any, seconds: float) -> None:
        assert seconds_of(ttl) == seconds

    @pytest.mark.parametrize(
        "ttl",
        [
            *(None, 0, -1, True, 0.0001, float("inf"), float("nan"), 10**400, 367 * 86_400),
            *("", "5", "5 m", "-5m", "0m", "1.5h", "5m\n5m", "10/5m", "2y", b"5m", timedelta()),
            *("99999d", timedelta(days=-1), timedelta.max),
        ],
        ids=lambda value: repr(value)[:20],
    )
    async def test_no_lifetime_and_one_for_ever_are_refused(self, memory: Cache, ttl: Any) -> None:
        with pytest.raises(CacheError, match="ttl is"):
            await memory.set("k", 1, ttl=ttl)

    async def test_it_must_be_given(self, memory: Cache) -> None:
        with pytest.raises(TypeError, match="ttl"):
            await memory.set("k", 1)  # type: ignore[call-arg]

    async def test_after_it_the_value_is_computed_again(self, memory: Cache, clock: Clock) -> None:
        computed = 0

        async def compute() -> int:
            nonlocal computed
            computed += 1
            return computed

        assert await memory.get_or_set("k", compute, ttl="1m") == 1
        clock.now += 59
        assert await memory.get_or_set("k", compute, ttl="1m") == 1
        clock.now += 1
        assert await memory.get_or_set("k", compute, ttl="1m") == 2

    async def test_redis_is_told_it(self, redis_url: str) -> None:
        from redis.asyncio import Redis

        from tornkit.cache.redis import RedisCacheStore

        store = RedisCacheStore(redis_url, prefix="tornkit-test:life:")
        await store.open()
        await Cache(store).set("k", 1, ttl="5m")
        async with Redis.from_url(redis_url, protocol=2) as client:
            assert 290_000 < await client.pttl("tornkit-test:life:k") <= 300_000
        await store.clear()
        await store.close()


class TestDeleting:
    async def test_it_says_whether_there_was_one(self, cache: Cache) -> None:
        await cache.set("k", 1, ttl=60)
        assert await cache.delete("k") is True
        assert await cache.delete("k") is False

    async def test_clear_deletes_all(self, cache: Cache) -> None:
        for key in "abc":
            await cache.set(key, 1, ttl=60)
        await cache.clear()
        assert [await cache.get(key) for key in "abc"] == [None] * 3

    async def test_open_and_close_are_the_stores(self, store: CacheStore) -> None:
        cache = Cache(store)
        await cache.open()
        await cache.close()
        await cache.open()
        assert cache.store is store
