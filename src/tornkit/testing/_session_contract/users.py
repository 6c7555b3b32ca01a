"""``list_user`` and ``delete_user``: all sessions of a user, and no others."""

from __future__ import annotations

import asyncio
import itertools
from dataclasses import replace
from typing import TYPE_CHECKING

from tornkit.testing._session_contract.support import LATER, T0, A, B, C, digest, expect, stored

if TYPE_CHECKING:
    from tornkit.sessions import SessionStore

__all__ = ["Users"]


class Users:
    """What `SessionStore.list_user` and `SessionStore.delete_user` promise."""

    async def test_delete_user_counts_and_spares(self, store: SessionStore) -> None:
        """All of one user's sessions go, and nobody else's."""
        await store.create(stored(A, "7", x=1))
        await store.create(stored(B, "7"))
        await store.create(stored(C, "8"))
        expect(await store.delete_user("7"), 2, "how many delete_user() deleted")
        found = [await store.load(id_hash) is not None for id_hash in (A, B, C)]
        expect(found, [False, False, True], "which sessions delete_user() left")
        expect(await store.delete_user("7"), 0, "delete_user() again")

    async def test_anonymous_sessions_belong_to_nobody(self, store: SessionStore) -> None:
        """No name of a user finds them."""
        await store.create(stored(A))
        expect(await store.delete_user("None"), 0, "delete_user() of a user called None")
        expect(await store.list_user("None"), [], "list_user() of a user called None")

    async def test_names_of_users_are_exact(self, store: SessionStore) -> None:
        """Case and accents tell users apart."""
        for id_hash, name in ((A, "Bob"), (B, "bob"), (C, "bób")):
            await store.create(stored(id_hash, name))
        listed = [one.id_hash for one in await store.list_user("bob")]
        expect(listed, [B], "list_user() tells case and accents apart")
        expect(await store.delete_user("Bob"), 1, "delete_user() tells case and accents apart")

    async def test_list_user_is_latest_first_without_values(self, store: SessionStore) -> None:
        """Lists show where a user is signed in, not what the sessions hold."""
        await store.create(stored(A, "7", secret=1))
        await store.create(replace(stored(B, "7"), seen_at=T0 + 9))
        await store.create(stored(C, "8"))
        wanted = [replace(stored(B, "7"), seen_at=T0 + 9), stored(A, "7")]
        expect(await store.list_user("7"), wanted, "list_user() is last seen first, valueless")

    async def test_list_user_knows_the_last_visit(self, store: SessionStore) -> None:
        """Times in lists are those of the latest change."""
        await store.create(stored(A, "7"))
        await store.create(replace(stored(B, "7"), seen_at=T0 + 9))
        await store.increment(A, "n", 1, **LATER)
        listed = [(one.id_hash, one.seen_at, one.expires_at) for one in await store.list_user("7")]
        wanted = [(A, LATER["seen_at"], LATER["expires_at"]), (B, T0 + 9, T0 + 3600)]
        expect(listed, wanted, "list_user() after a visit")

    async def test_users_of_every_alphabet(self, store: SessionStore) -> None:
        """A user's id is any text of up to 64 characters."""
        names = ["x" * 64, "a b", "%s", "user:7", "ends", "*", "漢字", "🎓", "ß", "ss", "'", "\\"]
        for name in names:
            await store.create(stored(digest(name), name))
        for name in names:
            listed = [one.user_id for one in await store.list_user(name)]
            expect(listed, [name], f"list_user({name!r})")
            expect(await store.delete_user(name), 1, f"delete_user({name!r})")
            expect(await store.list_user(name), [], f"list_user({name!r}) after delete_user()")

    async def test_delete_user_of_many_sessions(self, store: SessionStore) -> None:
        """The number of a user's sessions has no small limit."""
        for number in range(60):
            await store.create(stored(digest(f"many{number}"), "7", x=number))
        expect(await store.delete_user("7"), 60, "how many delete_user() deleted")
        expect(await store.load(digest("many59")), None, "a session after delete_user()")

    async def test_a_late_write_does_not_outlive_delete_user(self, store: SessionStore) -> None:
        """Whoever was signed out everywhere stays so."""
        await store.create(stored(A, "7", x=1))
        await store.delete_user("7")
        applied = await store.apply(A, put={"x": "2"}, drop=(), **LATER)
        counted = await store.increment(A, "n", 1, **LATER)
        rotated = await store.rotate(A, stored(B, "7"), drop=())
        found = (applied, counted, rotated)
        expect(found, (False, None, False), "late writes after delete_user()")
        expect(await store.list_user("7"), [], "a late write revived a deleted session")

    async def test_a_rotation_does_not_outrun_delete_user(self, store: SessionStore) -> None:
        """A session that moves to a new id meanwhile is deleted under the new one."""
        for number in range(10):
            ids = [digest(f"{number}/{step}") for step in range(4)]

            async def rotate_on(ids: list[str] = ids) -> None:
                for old, new in itertools.pairwise(ids):
                    await store.rotate(old, stored(new, "7"), drop=())

            await store.create(stored(ids[0], "7"))
            await asyncio.gather(store.delete_user("7"), rotate_on())
            expect(await store.list_user("7"), [], "a rotation escaped delete_user()")
