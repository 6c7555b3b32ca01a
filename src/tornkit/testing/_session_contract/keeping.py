"""``load``, ``create`` and ``ping``: what was kept comes back, exactly."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from tornkit.testing._session_contract.support import A, B, expect, stored, values_of

if TYPE_CHECKING:
    from tornkit.sessions import SessionStore

__all__ = ["Keeping"]


class Keeping:
    """What `SessionStore.load` and `SessionStore.create` promise."""

    async def test_unknown_loads_as_none(self, store: SessionStore) -> None:
        """An id that nobody created is None."""
        expect(await store.load(A), None, "load() of an unknown id")

    async def test_everything_comes_back(self, store: SessionStore) -> None:
        """User, times, notes and values come back as they were given."""
        given = stored(user_id="7", name="Ada", marks=[1, {"x": None}])
        await store.create(given)
        expect(await store.load(A), given, "load() gives back what create() was given")

    async def test_a_session_without_values(self, store: SessionStore) -> None:
        """A session may be empty."""
        await store.create(stored())
        expect(await store.load(A), stored(), "a session without values is kept")

    async def test_times_keep_fractions(self, store: SessionStore) -> None:
        """Times are floats, to the microsecond."""
        precise = replace(stored(), created_at=1_700_000_000.123456)
        await store.create(precise)
        expect(await store.load(A), precise, "times keep their fractions of a second")

    async def test_sessions_do_not_mix(self, store: SessionStore) -> None:
        """Two sessions have values of their own under one key."""
        await store.create(stored(A, x=1))
        await store.create(stored(B, x=2))
        found = (await values_of(store, A), await values_of(store, B))
        expect(found, ({"x": 1}, {"x": 2}), "each session has its own values")

    async def test_the_callers_mapping_is_not_kept(self, store: SessionStore) -> None:
        """What the caller does to its mapping afterwards is not stored."""
        values = {"x": "1"}
        await store.create(replace(stored(), values=values))
        values["x"] = "2"
        expect(await values_of(store), {"x": 1}, "create() keeps a copy of the values")

    async def test_expired_sessions_still_load(self, store: SessionStore) -> None:
        """Lifetimes are the manager's business."""
        await store.create(replace(stored(), expires_at=0))
        expect(await store.load(A) is not None, True, "load() of an expired session finds it")

    async def test_text_of_every_alphabet(self, store: SessionStore) -> None:
        """Texts are JSON; whatever they encode comes back."""
        text = "žluťoučký 漢字 🎓 \x00 \ud800 ' \" % \\ :x"
        await store.create(stored(text=text))
        expect(await values_of(store), {"text": text}, "text comes back unchanged")

    async def test_a_value_of_a_megabyte(self, store: SessionStore) -> None:
        """Values may be large."""
        await store.create(stored(big="x" * 1_000_000))
        expect(len((await values_of(store))["big"]), 1_000_000, "the length of a large value")

    async def test_keys_of_every_alphabet_and_case(self, store: SessionStore) -> None:
        """Keys that differ in case, accent or length are different keys."""
        names = ["a", "A", "á", "漢", "🎓", "x" * 255, "ß", "ss", "%s", ":p", "a b"]
        given = {name: number for number, name in enumerate(names)}
        texts = {name: str(number) for name, number in given.items()}
        await store.create(replace(stored(), values=texts))
        expect(await values_of(store), given, "keys are exact")

    async def test_a_ping_is_answered_and_leaves_nothing(self, store: SessionStore) -> None:
        """A store that answers says nothing, whether it is empty or not."""
        await store.ping()
        await store.create(stored(x=1))
        await store.ping()
        expect(await store.load(A), stored(x=1), "ping() changes nothing")

    async def test_open_and_close_may_be_repeated(self, store: SessionStore) -> None:
        """A second open does nothing, and neither does a second close."""
        await store.open()
        await store.close()
        await store.close()
