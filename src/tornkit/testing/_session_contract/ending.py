"""``delete`` and ``clear_expired``: what is ended stays ended."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

from tornkit.testing._session_contract.support import (
    LATER,
    T0,
    A,
    B,
    C,
    digest,
    expect,
    stored,
    values_of,
)

if TYPE_CHECKING:
    from tornkit.sessions import SessionStore

__all__ = ["Ending"]


class Ending:
    """What `SessionStore.delete` and `SessionStore.clear_expired` promise."""

    async def test_deleted_is_gone_with_its_values(self, store: SessionStore) -> None:
        """Nothing of it turns up in a later session of that id."""
        await store.create(stored(x=1))
        expect(await store.delete(A), True, "delete() of a session that is there")
        expect(await store.load(A), None, "load() after delete()")
        await store.create(stored())
        expect(await values_of(store), {}, "values outlived delete()")

    async def test_delete_of_nothing_is_false(self, store: SessionStore) -> None:
        """Deleting what is not there says so."""
        expect(await store.delete(A), False, "delete() of a session that is not there")

    async def test_delete_spares_the_others(self, store: SessionStore) -> None:
        """Only that session goes."""
        await store.create(stored(A, x=1))
        await store.create(stored(B, x=1))
        await store.delete(A)
        expect(await values_of(store, B), {"x": 1}, "delete() spares other sessions")

    async def test_a_late_write_does_not_bring_a_deleted_one_back(
        self, store: SessionStore
    ) -> None:
        """A signed-out session cannot be written back by a request that was under way."""
        await store.create(stored(A, "7", x=1))
        await store.delete(A)
        applied = await store.apply(A, put={"x": "2"}, drop=(), **LATER)
        counted = await store.increment(A, "n", 1, **LATER)
        rotated = await store.rotate(A, stored(B, "7"), drop=())
        expect((applied, counted, rotated), (False, None, False), "late writes after delete()")
        found = (await store.load(A), await store.load(B), await store.list_user("7"))
        expect(found, (None, None, []), "a late write revived a deleted session")

    async def test_delete_beats_writes_at_the_same_time(self, store: SessionStore) -> None:
        """Whoever comes first, in the end it is gone."""
        await store.create(stored(A))
        counts = (store.increment(A, "n", 1, **LATER) for _ in range(20))
        await asyncio.gather(store.delete(A), *counts)
        expect(await store.load(A), None, "a write at the same time revived a deleted session")

    async def test_only_one_of_many_deletes_something(self, store: SessionStore) -> None:
        """Exactly one caller is told that it ended the session."""
        await store.create(stored(A, "7", x=1))
        done = await asyncio.gather(*(store.delete(A) for _ in range(10)))
        expect(sorted(done), [False] * 9 + [True], "ten deletions of one session at once")
        expect(await store.list_user("7"), [], "list_user() after delete()")

    async def test_clears_the_expired_and_only_those(self, store: SessionStore) -> None:
        """``expires_at <= now`` is over."""
        for id_hash, end in ((A, T0), (B, T0 + 1), (C, T0 + 2)):
            await store.create(replace(stored(id_hash, x=1), expires_at=end))
        expect(await store.clear_expired(T0 + 1), 2, "how many clear_expired() deleted")
        found = [await store.load(id_hash) is not None for id_hash in (A, B, C)]
        expect(found, [False, False, True], "which sessions clear_expired() left")

    async def test_clearing_nothing_is_zero(self, store: SessionStore) -> None:
        """An empty store has nothing to clear."""
        expect(await store.clear_expired(T0), 0, "clear_expired() of an empty store")

    async def test_clears_hundreds(self, store: SessionStore) -> None:
        """However many are over, one call clears them all."""
        ids = [digest(f"many{number}") for number in range(600)]
        for start in range(0, len(ids), 50):
            batch = (store.create(stored(id_hash)) for id_hash in ids[start : start + 50])
            await asyncio.gather(*batch)
        expect(await store.clear_expired(T0 + 9000), 600, "how many clear_expired() deleted")
        expect(await store.clear_expired(T0 + 9000), 0, "how many it left")

    async def test_a_visit_saves_a_session_from_clearing(self, store: SessionStore) -> None:
        """The end is the latest one that was told."""
        await store.create(stored(A))
        await store.apply(A, put={}, drop=(), seen_at=T0, expires_at=T0 + 9000)
        expect(await store.clear_expired(T0 + 8000), 0, "clear_expired() after a later end")

    async def test_an_increment_saves_a_session_from_clearing(self, store: SessionStore) -> None:
        """Counting is a visit."""
        await store.create(stored(A))
        await store.increment(A, "n", 1, seen_at=T0, expires_at=T0 + 9000)
        expect(await store.clear_expired(T0 + 8000), 0, "clear_expired() after a later end")
        expect(await values_of(store), {"n": 1}, "the values after clear_expired()")

    async def test_an_earlier_end_counts_too(self, store: SessionStore) -> None:
        """An end may move forward as well."""
        await store.create(stored(A))
        await store.apply(A, put={}, drop=(), seen_at=T0, expires_at=T0 + 10)
        expect(await store.clear_expired(T0 + 10), 1, "clear_expired() after an earlier end")

    async def test_after_a_rotation_the_successors_end_counts(self, store: SessionStore) -> None:
        """The end of the old id is forgotten with it."""
        await store.create(replace(stored(A), expires_at=T0 + 10))
        await store.rotate(A, stored(B), drop=())
        cleared = [await store.clear_expired(T0 + 3599), await store.clear_expired(T0 + 3600)]
        expect(cleared, [0, 1], "clear_expired() before and at the successor's end")
        expect(await store.load(B), None, "the successor after its end")

    async def test_users_lose_their_expired_sessions(self, store: SessionStore) -> None:
        """Lists of users have no dead entries."""
        await store.create(replace(stored(A, "7"), expires_at=T0))
        await store.create(stored(B, "7"))
        expect(await store.clear_expired(T0), 1, "how many clear_expired() deleted")
        listed = [one.id_hash for one in await store.list_user("7")]
        expect(listed, [B], "list_user() after clear_expired()")
        expect(await store.delete_user("7"), 1, "delete_user() after clear_expired()")

    async def test_fractions_of_a_second_count(self, store: SessionStore) -> None:
        """Ends are floats."""
        await store.create(replace(stored(A), expires_at=T0 + 0.125))
        cleared = [await store.clear_expired(T0 + late) for late in (0.0625, 0.125)]
        expect(cleared, [0, 1], "clear_expired() before and at the end")

    async def test_a_cleared_one_stays_gone(self, store: SessionStore) -> None:
        """A late write does not bring it back."""
        await store.create(stored(A, "7"))
        await store.clear_expired(T0 + 9000)
        applied = await store.apply(A, put={"x": "1"}, drop=(), **LATER)
        counted = await store.increment(A, "n", 1, **LATER)
        rotated = await store.rotate(A, stored(B), drop=())
        found = (applied, counted, rotated)
        expect(found, (False, None, False), "late writes after clear_expired()")
        expect(await store.clear_expired(T0 + 9000), 0, "a late write revived a cleared session")

    async def test_a_visit_beside_the_clearing_wins_or_is_refused(
        self, store: SessionStore
    ) -> None:
        """Who is told that the session lives can rely on it."""
        for number in range(10):
            id_hash = digest(f"ending{number}")
            await store.create(replace(stored(id_hash), expires_at=T0))
            cleared, kept = await asyncio.gather(
                store.clear_expired(T0),
                store.apply(id_hash, put={}, drop=(), seen_at=T0, expires_at=T0 + 9),
            )
            expect(cleared, 0 if kept else 1, f"clear_expired() beside apply() that said {kept}")
            expect(await store.load(id_hash) is not None, kept, "whether the session is there")
