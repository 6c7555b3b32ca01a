"""``apply``: changes by key, none of them lost, and none to a session that is gone."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

from tornkit.testing._session_contract.support import (
    LATER,
    T0,
    A,
    digest,
    expect,
    stored,
    values_of,
)

if TYPE_CHECKING:
    from tornkit.sessions import SessionStore

__all__ = ["Changing"]


class Changing:
    """What `SessionStore.apply` promises."""

    async def test_apply_puts_drops_and_keeps(self, store: SessionStore) -> None:
        """Keys that are neither put nor dropped stay."""
        await store.create(stored(a=1, b=2, c=3))
        done = await store.apply(A, put={"a": "9", "d": "4"}, drop=["b"], **LATER)
        expect(done, True, "apply() to a session that is there")
        expect(await values_of(store), {"a": 9, "c": 3, "d": 4}, "apply() changes only its keys")

    async def test_apply_renews_the_times_and_nothing_else(self, store: SessionStore) -> None:
        """Without changes, a visit is noted and no more."""
        await store.create(stored(user_id="7", a=1))
        await store.apply(A, put={}, drop=(), **LATER)
        expect(
            await store.load(A),
            replace(stored(user_id="7", a=1), **LATER),
            "apply() without changes renews seen_at and expires_at",
        )

    async def test_a_repeated_apply_is_no_sign_of_absence(self, store: SessionStore) -> None:
        """A change that changes nothing still finds its session."""
        await store.create(stored())
        done = [await store.apply(A, put={"x": "1"}, drop=(), **LATER) for _ in range(2)]
        expect(done, [True, True], "apply() of the same change twice")

    async def test_apply_does_not_bring_a_session_into_being(self, store: SessionStore) -> None:
        """A change to a session that is gone is refused."""
        done = await store.apply(A, put={"x": "1"}, drop=(), **LATER)
        expect(done, False, "apply() to a session that is gone")
        expect(await store.load(A), None, "apply() must not make a session that is gone")

    async def test_dropping_a_missing_key_is_fine(self, store: SessionStore) -> None:
        """A key may be dropped twice."""
        await store.create(stored(a=1))
        done = await store.apply(A, put={}, drop=["nothing"], **LATER)
        expect(done, True, "apply() that drops a key that is not there")
        expect(await values_of(store), {"a": 1}, "apply() changes only its keys")

    async def test_two_writers_of_different_keys_both_win(self, store: SessionStore) -> None:
        """The changes of two requests at once are both kept."""
        await store.create(stored())
        await asyncio.gather(
            store.apply(A, put={"x": "1"}, drop=(), **LATER),
            store.apply(A, put={"y": "2"}, drop=(), **LATER),
        )
        expect(await values_of(store), {"x": 1, "y": 2}, "a change was lost beside another")

    async def test_the_later_write_of_one_key_wins(self, store: SessionStore) -> None:
        """The last value stays."""
        await store.create(stored(x=0))
        for text in ("1", "2"):
            await store.apply(A, put={"x": text}, drop=(), **LATER)
        expect(await values_of(store), {"x": 2}, "the later value of a key wins")

    async def test_200_writes_of_different_keys_at_once(self, store: SessionStore) -> None:
        """However many requests change one session, none is lost."""
        await store.create(stored())
        writes = (store.apply(A, put={f"k{i}": str(i)}, drop=(), **LATER) for i in range(200))
        expect(all(await asyncio.gather(*writes)), True, "apply() 200 times at once")
        wanted = {f"k{i}": i for i in range(200)}
        expect(await values_of(store), wanted, "changes were lost beside others")

    async def test_many_sessions_at_once(self, store: SessionStore) -> None:
        """Sessions that live and end side by side do not disturb each other."""

        async def live(number: int) -> bool:
            old, new = digest(f"old{number}"), digest(f"new{number}")
            await store.create(stored(old, x=number))
            await store.apply(old, put={"y": "1"}, drop=["x"], **LATER)
            await store.rotate(old, stored(new, z=1), drop=["y"])
            await store.increment(new, "z", 1, **LATER)
            return await store.delete(new)

        ended = await asyncio.gather(*(live(number) for number in range(30)))
        expect(ended, [True] * 30, "30 sessions live and end at once")

    async def test_a_key_both_dropped_and_put_is_put(self, store: SessionStore) -> None:
        """Dropping comes first."""
        await store.create(stored(x=1))
        await store.apply(A, put={"x": "2"}, drop=["x"], **LATER)
        expect(await values_of(store), {"x": 2}, "apply() drops first and puts then")

    async def test_hundreds_of_keys_at_a_time(self, store: SessionStore) -> None:
        """The number of keys in one change has no small limit."""
        names = [f"k{number}" for number in range(400)]
        await store.create(stored(kept=0))
        await store.apply(A, put=dict.fromkeys(names, "1"), drop=(), **LATER)
        expect(len(await values_of(store)), 401, "the number of keys after 400 were put")
        await store.apply(A, put={}, drop=names, **LATER)
        expect(await values_of(store), {"kept": 0}, "400 keys are dropped at once")

    async def test_apply_leaves_user_start_and_notes(self, store: SessionStore) -> None:
        """Whose session it is, and since when, changes only by rotation."""
        given = replace(stored(user_id="7"), meta='{"user_agent": "\\u017d"}')
        await store.create(given)
        await store.apply(A, put={"x": "1"}, drop=(), **LATER)
        expect(
            await store.load(A),
            replace(given, values={"x": "1"}, **LATER),
            "apply() leaves user_id, created_at and meta alone",
        )

    async def test_a_write_is_seen_by_the_next_load(self, store: SessionStore) -> None:
        """There is no stale copy: who follows a redirect sees what it stored."""
        await store.create(stored(x=0))
        for number in range(1, 11):
            await store.apply(A, put={"x": str(number)}, drop=(), seen_at=T0, expires_at=T0 + 9)
            expect(await values_of(store), {"x": number}, "load() right after apply()")
