"""The limiter, its keys, addresses, and what only one of the stores does."""

from __future__ import annotations

import hashlib
import secrets
import traceback
from typing import TYPE_CHECKING, Any

import pytest

from tests.security.limit_stores import open_store, place_of
from tornkit.errors import SessionError, StoreUnavailable, TooManyRequests
from tornkit.security.limits import Limiter, MemoryLimitStore, Rate, client_network
from tornkit.security.limits.base import Measure
from tornkit.security.limits.redis import RedisLimitStore

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

T0 = 1_700_000_000.25
RATE = Rate(3, 60)


class Clock:
    def __init__(self) -> None:
        self.now = T0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def limiter(clock: Clock) -> Limiter:
    return Limiter(MemoryLimitStore(), clock)


async def exhaust(limiter: Limiter, name: str, subject: str) -> int:
    """Hit until it is too often; return how many counted."""
    for count in range(100):
        try:
            await limiter.hit(name, subject, RATE)
        except TooManyRequests:
            return count
    raise AssertionError("nothing was refused")


class TestLimiter:
    async def test_too_often_says_when_to_come_back(self, limiter: Limiter, clock: Clock) -> None:
        assert await exhaust(limiter, "x", "ann") == 3
        with pytest.raises(TooManyRequests) as caught:
            await limiter.hit("x", "ann", RATE)
        assert caught.value.retry_after == 20
        assert caught.value.status_code == 429
        clock.now += 20
        await limiter.hit("x", "ann", RATE)

    async def test_names_and_subjects_count_apart(self, limiter: Limiter) -> None:
        pairs = [("x", "ann"), ("x", "bob"), ("y", "ann"), ("xa", "nn"), ("", "xann")]
        assert [await exhaust(limiter, *pair) for pair in pairs] == [3] * len(pairs)

    async def test_forgive_and_forget(self, limiter: Limiter) -> None:
        await exhaust(limiter, "x", "ann")
        await limiter.forgive("x", "ann", RATE)
        assert await exhaust(limiter, "x", "ann") == 1
        await limiter.forget("x", "ann")
        assert await exhaust(limiter, "x", "ann") == 3

    async def test_what_is_over_is_cleared(self, limiter: Limiter, clock: Clock) -> None:
        await exhaust(limiter, "x", "ann")
        assert await limiter.clear_expired() == 0
        clock.now += 60
        assert await limiter.clear_expired() == 1

    async def test_the_store_sees_no_subject_whatever_it_is(self, limiter: Limiter) -> None:
        subjects = ["ann@school.example", "192.0.2.1", "", "\ud800", "a\0b", "ů" * 5000]
        for subject in subjects:
            await limiter.hit("x", subject, RATE)
        assert isinstance(limiter.store, MemoryLimitStore)
        kept = limiter.store._ends
        assert len(kept) == len(subjects)
        assert hashlib.sha256(b"1:x192.0.2.1").hexdigest() in kept
        assert {len(key) for key in kept} == {64}


@pytest.mark.parametrize(
    ("ip", "network"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:DB8:1:2::", "2001:db8:1:2::/64"),
        ("::1", "::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("::ffff:c000:201", "192.0.2.1"),
        ("", ""),
        ("/run/site.sock", "/run/site.sock"),
        ("192.0.2.1:80", "192.0.2.1:80"),
        ("x" * 5000, "x" * 5000),
    ],
    ids=lambda value: value[:20] or "empty",
)
def test_what_counts_as_one_address(ip: str, network: str) -> None:
    assert client_network(ip) == network


@pytest.mark.parametrize(
    "rate", [Rate(1, 1), Rate(1000, 1), Rate(10_000, 60), Rate(100_000, 3600)]
)
def test_rounding_takes_no_hit_away_and_adds_none(rate: Rate) -> None:
    end, counted, wait = T0, 0, 0.0
    while not wait:
        wait, end = Measure.of(rate, T0).hit(end)
        counted += not wait
    assert counted == rate.times
    assert wait == pytest.approx(rate.period / rate.times, rel=0.1)


class TestMemory:
    async def test_a_flood_of_addresses_cannot_fill_it(self) -> None:
        store = MemoryLimitStore(max_keys=500)
        for number in range(5000):
            await store.hit(str(number), RATE, T0)
            assert len(store._ends) <= 500

    async def test_a_flood_does_not_free_who_is_stopped(self) -> None:
        store = MemoryLimitStore(max_keys=500)
        for _ in range(3):
            await store.hit("stopped", RATE, T0)
        for number in range(5000):
            await store.hit(str(number), RATE, T0)
        assert await store.hit("stopped", RATE, T0) > 0

    async def test_what_is_over_makes_room_first(self) -> None:
        store = MemoryLimitStore(max_keys=1500)
        for number in range(1400):
            await store.hit(str(number), RATE, T0)
        for number in range(900):
            await store.hit(f"later {number}", RATE, T0 + 100)
        assert len(store._ends) <= 1500
        assert all(f"later {number}" in store._ends for number in range(900))


class TestRedis:
    @pytest.fixture
    async def store(self, tmp_path: Path) -> AsyncIterator[RedisLimitStore]:
        with place_of("redis", tmp_path) as url:
            async with open_store("redis", url) as opened:
                assert isinstance(opened, RedisLimitStore)
                yield opened

    def test_the_common_prefix(self) -> None:
        assert RedisLimitStore("redis://host")._prefix == "tornkit:limit:"
        assert repr(RedisLimitStore("redis://:word@host")) == "<RedisLimitStore redis://host:6379>"

    async def test_a_key_is_forgotten_when_it_is_over(self, store: RedisLimitStore) -> None:
        async def life() -> Any:
            return await store._ask("PTTL", f"{store._prefix}x")

        for hits in (1, 2, 3, 3):
            await store.hit("x", RATE, T0)
            assert 1000 * (20 * hits - 2) < await life() <= 20_000 * hits
        await store.forgive("x", RATE, T0)
        assert 38_000 < await life() <= 40_000
        for _ in range(2):
            await store.forgive("x", RATE, T0)
        assert await life() == -2  # no such key

    async def test_numbers_keep_their_fractions(self, store: RedisLimitStore) -> None:
        await store.hit("x", Rate(7, 1), T0 + 0.123456)
        kept = await store._ask("GET", f"{store._prefix}x")
        assert float(kept) == T0 + 0.123456 + 1 / 7

    async def test_a_server_that_lost_its_scripts_gets_them_again(
        self, store: RedisLimitStore
    ) -> None:
        await store.hit("x", RATE, T0)
        await store._ask("SCRIPT", "FLUSH")
        assert await store.hit("x", RATE, T0) == 0.0

    async def test_a_url_that_cannot_be_used_says_for_what(self) -> None:
        password = secrets.token_hex(8)
        with pytest.raises(SessionError, match="URL of the limit store cannot be used") as caught:
            RedisLimitStore(f"redis://:{password}@host/no-number")
        assert password not in "".join(traceback.format_exception(caught.value))

    async def test_a_store_that_is_not_open_says_so(self) -> None:
        with pytest.raises(
            StoreUnavailable, match="the limit store redis://host:6379 is not open"
        ):
            await RedisLimitStore("redis://host").hit("x", RATE, T0)
