"""``increment``: exact counting, whatever happens at the same time."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from tornkit.errors import SessionError
from tornkit.testing._session_contract.support import LATER, T0, A, expect, stored, values_of

if TYPE_CHECKING:
    from tornkit.sessions import SessionStore

__all__ = ["Counting"]


class Counting:
    """What `SessionStore.increment` promises."""

    async def test_counts_from_zero_and_returns(self, store: SessionStore) -> None:
        """A missing key counts from 0; each call returns the number it made."""
        await store.create(stored())
        counted = [await store.increment(A, "n", by, **LATER) for by in (1, 41, -2)]
        expect(counted, [1, 42, 40], "increment() returns the sum so far")
        expect(await values_of(store), {"n": 40}, "increment() stores the sum")

    async def test_increment_renews_the_times(self, store: SessionStore) -> None:
        """Counting is a visit."""
        await store.create(stored())
        await store.increment(A, "n", 1, **LATER)
        wanted = replace(stored(n=1), **LATER)
        expect(await store.load(A), wanted, "increment() renews seen_at and expires_at")

    async def test_increment_makes_no_session(self, store: SessionStore) -> None:
        """A session that is gone counts nothing."""
        found = await store.increment(A, "n", 1, **LATER)
        expect(found, None, "increment() in a session that is gone")
        expect(await store.load(A), None, "increment() must not make a session that is gone")

    @pytest.mark.parametrize("text", ['"7"', "1.5", "true", "null", "[1]", "{broken"])
    async def test_something_else_than_an_integer(self, store: SessionStore, text: str) -> None:
        """Only integers are counted on; anything else is a SessionError that names the key."""
        await store.create(replace(stored(), values={"n": text}))
        with pytest.raises(SessionError, match="n"):
            await store.increment(A, "n", 1, **LATER)
        wanted = replace(stored(), values={"n": text})
        expect(await store.load(A), wanted, "a refused increment() changes nothing")

    async def test_beyond_64_bits(self, store: SessionStore) -> None:
        """Integers have no limit."""
        await store.create(stored(n=2**64))
        found = await store.increment(A, "n", 2**70, **LATER)
        expect(found, 2**64 + 2**70, "increment() beyond 64 bits")

    async def test_200_increments_at_once_are_200(self, store: SessionStore) -> None:
        """No increment is lost, and no number returned twice."""
        await store.create(stored())
        counts = (store.increment(A, "n", 1, **LATER) for _ in range(200))
        found = sorted(number or 0 for number in await asyncio.gather(*counts))
        expect(found, list(range(1, 201)), "each of 200 increments at once returns its own number")
        expect(await values_of(store), {"n": 200}, "increments were lost beside others")

    @pytest.mark.parametrize("start", [2**53 + 1, 2**63 - 1, -(2**63), -(10**30)])
    async def test_is_exact_at_every_size(self, store: SessionStore, start: int) -> None:
        """Nothing passes through a float, or wraps around."""
        await store.create(stored(n=start))
        for step in (1, -3, 2**53):
            start += step
            expect(await store.increment(A, "n", step, **LATER), start, "increment() is exact")
        expect(await values_of(store), {"n": start}, "increment() is exact")

    async def test_an_increment_by_zero_makes_a_counter(self, store: SessionStore) -> None:
        """Zero is a number like any other."""
        await store.create(stored())
        expect(await store.increment(A, "n", 0, **LATER), 0, "increment() by zero")
        expect(await values_of(store), {"n": 0}, "increment() by zero stores a zero")

    async def test_counts_on_from_what_was_put(self, store: SessionStore) -> None:
        """Counters and other values are one kind of value."""
        await store.create(stored(n=1))
        await store.apply(A, put={"n": "40"}, drop=(), **LATER)
        expect(await store.increment(A, "n", 2, **LATER), 42, "increment() of a put value")
        await store.apply(A, put={}, drop=["n"], **LATER)
        expect(await store.increment(A, "n", 1, **LATER), 1, "increment() of a dropped value")

    async def test_increments_and_writes_at_once_all_count(self, store: SessionStore) -> None:
        """Neither undoes the other."""
        await store.create(stored())
        for number in range(10):
            await asyncio.gather(
                store.increment(A, "n", 1, **LATER),
                store.apply(A, put={f"k{number}": "1"}, drop=(), **LATER),
                store.increment(A, "m", -1, seen_at=T0, expires_at=T0 + 9),
            )
        puts = {f"k{number}": 1 for number in range(10)}
        expect(
            await values_of(store), {"n": 10, "m": -10, **puts}, "increments beside other writes"
        )
