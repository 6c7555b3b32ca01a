"""``rotate``: a session moves to a new id, once, with everything in it."""

from __future__ import annotations

import asyncio
import itertools
from typing import TYPE_CHECKING

from tornkit.testing._session_contract.support import (
    LATER,
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

__all__ = ["Rotating"]


class Rotating:
    """What `SessionStore.rotate` promises."""

    async def test_rotate_moves_values_and_overlays(self, store: SessionStore) -> None:
        """Old values without the dropped ones, then the successor's own."""
        await store.create(stored(A, a=1, b=2, c=3))
        done = await store.rotate(A, stored(B, "7", b=9, d=4), drop=["c"])
        expect(done, True, "rotate() of a session that is there")
        expect(await store.load(A), None, "the old id after rotate()")
        expect(await store.load(B), stored(B, "7", a=1, b=9, d=4), "the successor has the values")

    async def test_rotate_takes_what_others_wrote_meanwhile(self, store: SessionStore) -> None:
        """The values are those at the moment of the move."""
        await store.create(stored(A))
        await store.apply(A, put={"late": "1"}, drop=(), **LATER)
        await store.rotate(A, stored(B), drop=())
        expect(await values_of(store, B), {"late": 1}, "rotate() moves the values as they are now")

    async def test_rotate_of_nothing_makes_no_successor(self, store: SessionStore) -> None:
        """A session that was ended meanwhile is not brought back under a new id."""
        done = await store.rotate(A, stored(B, x=1), drop=())
        expect(done, False, "rotate() of a session that is gone")
        expect(await store.load(B), None, "rotate() must not revive a session that is gone")

    async def test_a_late_write_to_the_old_id_is_lost(self, store: SessionStore) -> None:
        """The old id is dead; nothing under it reaches the successor."""
        await store.create(stored(A))
        await store.rotate(A, stored(B), drop=())
        applied = await store.apply(A, put={"x": "1"}, drop=(), **LATER)
        counted = await store.increment(A, "n", 1, **LATER)
        expect((applied, counted), (False, None), "late writes to an id that was rotated away")
        expect(await store.load(A), None, "a late write must not revive the old id")
        expect(await values_of(store, B), {}, "a late write to the old id reached the new one")

    async def test_only_one_of_two_rotations_wins(self, store: SessionStore) -> None:
        """One session never becomes two."""
        await store.create(stored(A, x=1))
        won = await asyncio.gather(*(store.rotate(A, stored(to), drop=()) for to in (B, C)))
        expect(sorted(won), [False, True], "two rotations at once")
        found = [await store.load(B) is not None, await store.load(C) is not None]
        expect(found, won, "only the rotation that won has a successor")

    async def test_a_write_beside_a_rotation_moves_or_is_refused(
        self, store: SessionStore
    ) -> None:
        """A write that was confirmed is not lost by the move."""
        for number in range(10):
            old, new = digest(f"old{number}"), digest(f"new{number}")
            await store.create(stored(old))
            kept, _ = await asyncio.gather(
                store.apply(old, put={"x": "1"}, drop=(), **LATER),
                store.rotate(old, stored(new), drop=()),
            )
            expect(await store.load(old), None, "the old id after rotate()")
            wanted = {"x": 1} if kept else {}
            expect(await values_of(store, new), wanted, "a write confirmed during rotate()")

    async def test_what_the_successor_brings_is_not_dropped(self, store: SessionStore) -> None:
        """Dropping concerns the old values."""
        await store.create(stored(A, x=1))
        await store.rotate(A, stored(B, x=2), drop=["x"])
        expect(await values_of(store, B), {"x": 2}, "rotate() drops old values only")

    async def test_rotate_again_and_again(self, store: SessionStore) -> None:
        """A session can move as often as its user signs in."""
        ids = [digest(f"step{number}") for number in range(8)]
        await store.create(stored(ids[0], x=1))
        for old, new in itertools.pairwise(ids):
            await store.rotate(old, stored(new), drop=())
            await store.increment(new, "x", 1, **LATER)
        expect(await values_of(store, ids[-1]), {"x": 8}, "the values after seven rotations")
        left = [await store.load(old) for old in ids[:-1]]
        expect(left, [None] * 7, "the old ids after seven rotations")

    async def test_rotate_between_users_and_strangers(self, store: SessionStore) -> None:
        """The successor's user counts, also for the lists of users."""
        await store.create(stored(A))
        for old, new, user_id in ((A, B, "7"), (B, C, "8"), (C, A, None)):
            await store.rotate(old, stored(new, user_id), drop=())
            listed = [[one.id_hash for one in await store.list_user(u)] for u in ("7", "8")]
            wanted = [[new] if user_id == u else [] for u in ("7", "8")]
            expect(listed, wanted, f"list_user() after a move to user {user_id}")
        deleted = (await store.delete_user("7"), await store.delete_user("8"))
        expect(deleted, (0, 0), "delete_user() of former users")
        expect(await store.load(A), stored(A), "the session that came back to a stranger")
