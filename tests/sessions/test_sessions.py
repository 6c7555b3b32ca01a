"""Sessions as handlers and the application use them, over the store in memory."""

from __future__ import annotations

import asyncio
import logging
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from tornkit.errors import SessionError, StoreUnavailable
from tornkit.sessions import MemoryStore, Session, Sessions, StoredSession, _values

if TYPE_CHECKING:
    from collections.abc import Coroutine

IDLE, ABSOLUTE, TOUCH = 1000, 5000, 60


class SpyStore(MemoryStore):
    """Note the verbs that reach the store; fail or wait where a test says so."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[str] = []
        self.failure: Exception | None = None

    def __getattribute__(self, name: str) -> Any:
        value = super().__getattribute__(name)
        verbs = ("load", "create", "apply", "increment", "rotate", "delete", "delete_user")
        if name in verbs:
            self.calls.append(name)
            if self.failure is not None:
                raise self.failure
        return value

    def rows(self) -> dict[str, StoredSession]:
        return self._sessions


class Clock:
    def __init__(self) -> None:
        self.time = 1_000_000.0

    def __call__(self) -> float:
        return self.time


@pytest.fixture
def store() -> SpyStore:
    return SpyStore()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def sessions(store: SpyStore, clock: Clock) -> Sessions:
    return Sessions(
        store,
        idle_timeout=IDLE,
        absolute_timeout=ABSOLUTE,
        touch_interval=TOUCH,
        clock=clock,
    )


async def saved(sessions: Sessions, user: str | None = None, **values: object) -> str:
    """Store a session; return its raw id."""
    session = await sessions.load(None)
    session.update(values)
    if user is not None:
        session.sign_in(user)
    await sessions.save(session)
    assert session.id is not None
    return session.id


class TestIds:
    async def test_are_43_characters_and_never_repeat(self, sessions: Sessions) -> None:
        ids = {await saved(sessions, x=1) for _ in range(50)}
        assert len(ids) == 50
        assert all(re.fullmatch(r"[A-Za-z0-9_-]{43}", raw) for raw in ids)

    async def test_only_the_hash_is_stored(self, sessions: Sessions, store: SpyStore) -> None:
        raw = await saved(sessions, "7", x=1)
        assert list(store.rows()) == [_values.hash_id(raw)]
        assert raw not in repr(store.rows())

    @pytest.mark.parametrize(
        "raw",
        [
            "",
            "a" * 42,
            "a" * 44,
            "a" * 10_240,
            "a" * 42 + "\0",
            "a" * 42 + "\n",
            "a" * 42 + "é",
            "a" * 42 + "٣",
            "a" * 42 + "=",
            "a" * 42 + " ",
            "../" + "a" * 40,
            "\ud800" + "a" * 42,
        ],
    )
    async def test_malformed_ids_never_reach_the_store(
        self, sessions: Sessions, store: SpyStore, raw: str
    ) -> None:
        session = await sessions.load(raw)
        assert session.is_new
        assert store.calls == []

    async def test_an_unknown_id_is_never_adopted(self, sessions: Sessions) -> None:
        made_up = "A" * 43
        session = await sessions.load(made_up)
        session["x"] = 1
        await sessions.save(session)
        assert session.id != made_up
        assert session.cookie == "set"
        assert (await sessions.load(made_up)).is_new

    async def test_repr_shows_neither_id_nor_values(self, sessions: Sessions) -> None:
        raw = await saved(sessions, "user-17", x="hidden")
        text = repr(await sessions.load(raw))
        assert text == "<Session signed in, stored, 1 keys>"


class TestVisitorsWhoNeedNone:
    async def test_no_cookie_no_store(self, sessions: Sessions, store: SpyStore) -> None:
        session = await sessions.load(None)
        assert dict(session) == {}
        assert not session.needs_save(sessions.now())
        await sessions.save(session)
        assert store.calls == []
        assert session.cookie == "keep"

    async def test_what_was_set_and_deleted_again_is_not_stored(
        self, sessions: Sessions, store: SpyStore
    ) -> None:
        session = await sessions.load(None)
        session["x"] = 1
        del session["x"]
        assert not session.needs_save(sessions.now())
        await sessions.save(session)
        assert store.calls == []

    async def test_reading_stores_nothing(self, sessions: Sessions, store: SpyStore) -> None:
        raw = await saved(sessions, x=[1])
        session = await sessions.load(raw)
        store.calls.clear()
        assert session["x"] == [1]
        assert not session.needs_save(sessions.now())
        await sessions.save(session)
        assert store.calls == []


class TestMapping:
    async def test_is_a_mapping(self, sessions: Sessions) -> None:
        session = await sessions.load(None)
        session.update(a=1, b=[2])
        assert session.setdefault("c", []) == []
        assert (len(session), list(session), "a" in session) == (3, ["a", "b", "c"], True)
        assert session.pop("a") == 1
        assert dict(session) == {"b": [2], "c": []}
        session.clear()
        assert not session
        with pytest.raises(KeyError):
            session["b"]
        with pytest.raises(KeyError):
            del session["b"]

    async def test_accessed_tells_whether_the_answer_depends_on_it(
        self, sessions: Sessions
    ) -> None:
        session = await sessions.load(await saved(sessions, "7", x=1))
        assert session.user_id == "7"
        assert not session.accessed
        assert session.get("nothing") is None
        assert session.accessed

    async def test_get_is_that_of_any_mapping(self, sessions: Sessions) -> None:
        session = await sessions.load(await saved(sessions, x=[1], none=None))
        session.flash("hello")
        assert session.get("x") == session.get("x", default=0) == session.get(key="x") == [1]
        assert session.get("none", 1) is None
        assert (session.get("y"), session.get("y", 2), session.get("_flash", 3)) == (None, 2, 3)
        missing: Any = 4
        assert session.get(missing, 5) == 5
        session.get("x").append(2)
        assert session._changes()[0]["x"] == "[1,2]"

    @pytest.mark.parametrize("key", ["_x", "", "x" * 256, "a\0b", " a", "a ", "\ud800", "a\n", 3])
    async def test_refuses_keys_that_databases_disagree_about(
        self, sessions: Sessions, key: Any
    ) -> None:
        session = await sessions.load(None)
        with pytest.raises(SessionError, match="session key"):
            session[key] = 1
        with pytest.raises(SessionError, match="session key"):
            await session.increment(key)

    @pytest.mark.parametrize(
        "value",
        [
            b"x",
            {1},
            object(),
            float("nan"),
            float("inf"),
            {1: 2},
            [{"a": (b"x",)}],
            pytest.param(10**5000, id="long"),
        ],
    )
    async def test_refuses_what_is_not_json_where_it_is_set(
        self, sessions: Sessions, value: object
    ) -> None:
        session = await sessions.load(None)
        with pytest.raises(SessionError, match="'x'"):
            session["x"] = value
        assert "x" not in session

    async def test_refuses_a_value_that_contains_itself(self, sessions: Sessions) -> None:
        session, loop = await sessions.load(None), list[Any]()
        loop.append(loop)
        with pytest.raises(SessionError, match="nested deeper"):
            session["x"] = loop

    async def test_reserved_keys_are_out_of_sight(self, sessions: Sessions) -> None:
        session = await sessions.load(None)
        session.flash("hello")
        session.sign_in("7", roles=["a"])
        assert dict(session) == {}
        assert "_flash" not in session
        with pytest.raises(KeyError):
            session["_flash"]
        with pytest.raises(KeyError):
            del session["_roles"]


class TestChanges:
    async def test_only_changes_reach_the_store(self, sessions: Sessions, store: SpyStore) -> None:
        raw = await saved(sessions, a=1, b=2, c=3)
        first, second = await sessions.load(raw), await sessions.load(raw)
        first["a"] = 10
        del first["c"]
        second["b"] = 20
        await sessions.save(first)
        await sessions.save(second)
        assert dict(await sessions.load(raw)) == {"a": 10, "b": 20}

    async def test_a_change_inside_a_nested_list_is_noticed(self, sessions: Sessions) -> None:
        raw = await saved(sessions, cart={"items": [1]})
        session = await sessions.load(raw)
        session["cart"]["items"].append(2)
        assert session.needs_save(sessions.now())
        await sessions.save(session)
        assert (await sessions.load(raw))["cart"] == {"items": [1, 2]}

    async def test_also_after_a_save(self, sessions: Sessions) -> None:
        session = await sessions.load(None)
        session["a"] = items = [1]
        await sessions.save(session)
        items.append(2)
        await sessions.save(session)
        assert session.id is not None
        assert (await sessions.load(session.id))["a"] == [1, 2]

    async def test_the_same_value_again_is_no_change(
        self, sessions: Sessions, store: SpyStore
    ) -> None:
        raw = await saved(sessions, a={"b": 1})
        session = await sessions.load(raw)
        session["a"] = {"b": 1}
        store.calls.clear()
        assert not session.needs_save(sessions.now())
        await sessions.save(session)
        assert store.calls == []

    async def test_an_unloaded_key_is_deleted_only_where_it_was(self, sessions: Sessions) -> None:
        raw = await saved(sessions, a=1)
        session = await sessions.load(raw)
        session["b"] = 1
        del session["b"]
        assert not session.needs_save(sessions.now())

    async def test_saving_twice_writes_once(self, sessions: Sessions, store: SpyStore) -> None:
        session = await sessions.load(await saved(sessions, a=1))
        session["a"] = 2
        del session["a"]
        session["c"] = 1
        store.calls.clear()
        await sessions.save(session)
        await sessions.save(session)
        assert store.calls == ["apply"]

    async def test_a_failed_save_may_be_repeated(
        self, sessions: Sessions, store: SpyStore
    ) -> None:
        session = await sessions.load(await saved(sessions, a=1))
        session["a"] = 2
        store.failure = StoreUnavailable("down")
        with pytest.raises(StoreUnavailable):
            await sessions.save(session)
        store.failure = None
        await sessions.save(session)
        assert session.id is not None
        assert dict(await sessions.load(session.id)) == {"a": 2}

    async def test_a_session_ended_meanwhile_stays_ended(
        self, sessions: Sessions, store: SpyStore
    ) -> None:
        raw = await saved(sessions, "7", a=1)
        session = await sessions.load(raw)
        session["a"] = 2
        await sessions.revoke_user("7")
        await sessions.save(session)
        assert store.rows() == {}
        assert (session.user_id, session.is_new, session.cookie) == (None, True, "keep")
        session["later"] = 1
        await sessions.save(session)
        assert store.rows() == {}

    async def test_undecodable_data_is_an_empty_session_and_a_line_without_the_value(
        self, sessions: Sessions, store: SpyStore, caplog: pytest.LogCaptureFixture
    ) -> None:
        raw = await saved(sessions, "7", a=1)
        (id_hash,) = store.rows()
        for text in ("{secret", "[" * 100_000):
            store.rows()[id_hash] = replace(store.rows()[id_hash], values={"a": text})
            with caplog.at_level(logging.WARNING, "tornkit.sessions"):
                session = await sessions.load(raw)
            assert (dict(session), session.user_id, session.is_new) == ({}, None, True)
        assert len(caplog.records) == 2
        assert "secret" not in caplog.text
        assert raw not in caplog.text


class TestFound:
    """What `Sessions.find` finds, and whether it can wait until somebody asks for it."""

    async def test_can_wait_if_it_is_nobodys_and_was_just_seen(
        self, sessions: Sessions, clock: Clock
    ) -> None:
        raw = await saved(sessions, x=1)
        clock.time += TOUCH - 1
        found = await sessions.find(raw)
        assert found is not None
        assert found.can_wait
        assert sessions.open(found)["x"] == 1

    async def test_cannot_wait_when_a_visit_is_to_be_noted(
        self, sessions: Sessions, clock: Clock
    ) -> None:
        raw = await saved(sessions, x=1)
        clock.time += TOUCH
        found = await sessions.find(raw)
        assert found is not None
        assert not found.can_wait

    async def test_cannot_wait_if_a_user_is_signed_in(self, sessions: Sessions) -> None:
        found = await sessions.find(await saved(sessions, "7"))
        assert found is not None
        assert not found.can_wait

    async def test_is_nothing_where_nothing_is_alive(
        self, sessions: Sessions, clock: Clock
    ) -> None:
        raw = await saved(sessions, x=1)
        assert await sessions.find("A" * 43) is None
        clock.time += IDLE
        assert await sessions.find(raw) is None

    async def test_opens_sessions_that_change_nothing_in_the_store_or_each_other(
        self, sessions: Sessions, store: SpyStore
    ) -> None:
        found = await sessions.find(await saved(sessions, x=[1]))
        assert found is not None
        one, other = sessions.open(found), sessions.open(found)
        one["x"].append(2)
        await sessions.save(one)
        assert (one["x"], other["x"], found.stored.values) == ([1, 2], [1], {"x": "[1]"})


class TestLifetime:
    async def test_idle(self, sessions: Sessions, clock: Clock) -> None:
        raw = await saved(sessions, x=1)
        clock.time += IDLE - 1
        assert not (await sessions.load(raw)).is_new
        clock.time += 1
        assert (await sessions.load(raw)).is_new

    async def test_absolute_however_busy(self, sessions: Sessions, clock: Clock) -> None:
        raw = await saved(sessions, x=1)
        for _ in range(9):
            clock.time += ABSOLUTE / 10
            await sessions.save(await sessions.load(raw))
        assert not (await sessions.load(raw)).is_new
        clock.time += ABSOLUTE / 10
        assert (await sessions.load(raw)).is_new

    async def test_a_shorter_lifetime_acts_at_once(
        self, sessions: Sessions, store: SpyStore, clock: Clock
    ) -> None:
        raw = await saved(sessions, x=1)
        strict = Sessions(
            store, idle_timeout=10, absolute_timeout=20, touch_interval=1, clock=clock
        )
        clock.time += 11
        assert (await strict.load(raw)).is_new
        assert not (await sessions.load(raw)).is_new

    async def test_touched_at_most_once_per_interval(
        self, sessions: Sessions, store: SpyStore, clock: Clock
    ) -> None:
        raw = await saved(sessions, x=1)
        store.calls.clear()
        for _ in range(TOUCH * 3):
            clock.time += 1
            session = await sessions.load(raw)
            assert session.needs_save(clock.time) == (clock.time % TOUCH == 1_000_000 % TOUCH)
            await sessions.save(session)
            assert session.cookie == "keep"
        assert store.calls.count("apply") == 3

    async def test_who_stays_active_stays_even_if_the_interval_is_long(
        self, store: SpyStore, clock: Clock
    ) -> None:
        sessions = Sessions(
            store, idle_timeout=30, absolute_timeout=900, touch_interval=60, clock=clock
        )
        raw = await saved(sessions, x=1)
        for _ in range(20):
            clock.time += 14
            session = await sessions.load(raw)
            assert not session.is_new
            await sessions.save(session)

    async def test_clear_expired_agrees_with_load(self, sessions: Sessions, clock: Clock) -> None:
        raw = await saved(sessions, x=1)
        clock.time += IDLE - 1
        assert await sessions.clear_expired() == 0
        clock.time += 1
        assert (await sessions.load(raw)).is_new
        assert await sessions.clear_expired() == 1

    @pytest.mark.parametrize("bad", [{"idle_timeout": 0}, {"absolute_timeout": -1}])
    def test_lifetimes_are_positive(self, bad: dict[str, float]) -> None:
        good: dict[str, Any] = {
            "idle_timeout": 1.0,
            "absolute_timeout": 1.0,
            "touch_interval": 1.0,
        }
        with pytest.raises(ValueError, match="positive"):
            Sessions(MemoryStore(), **(good | bad))


class TestSignIn:
    async def test_gives_a_new_id_and_keeps_what_was_stored(self, sessions: Sessions) -> None:
        old = await saved(sessions, cart=[1])
        session = await sessions.load(old)
        session.sign_in(7)
        assert session.user_id == "7"
        session["x"] = 1
        await sessions.save(session)
        assert session.cookie == "set"
        assert session.id not in (None, old)
        assert (await sessions.load(old)).is_new
        again = await sessions.load(session.id)
        assert (dict(again), again.user_id) == ({"cart": [1], "x": 1}, "7")

    async def test_creates_a_session_where_there_is_none(self, sessions: Sessions) -> None:
        again = await sessions.load(await saved(sessions, "7"))
        assert (again.user_id, dict(again)) == ("7", {})

    async def test_starts_the_absolute_lifetime_anew(
        self, sessions: Sessions, clock: Clock
    ) -> None:
        session = await sessions.load(await saved(sessions, x=1))
        clock.time += IDLE - 1
        session.sign_in("7")
        await sessions.save(session)
        (info,) = await sessions.list_user("7")
        assert info.created_at == clock.time

    async def test_another_user_gets_nothing_of_the_first(
        self, sessions: Sessions, store: SpyStore
    ) -> None:
        old = await saved(sessions, "7", diary="private")
        session = await sessions.load(old)
        session.sign_in("8")
        session["x"] = 1
        await sessions.save(session)
        again = await sessions.load(session.id)
        assert (dict(again), again.user_id) == ({"x": 1}, "8")
        assert len(store.rows()) == 1

    async def test_holds_where_the_old_session_is_gone(
        self, sessions: Sessions, store: SpyStore
    ) -> None:
        old = await saved(sessions, theirs=1, mine=1)
        session = await sessions.load(old)
        await store.delete(_values.hash_id(old))
        session.sign_in("7")
        session["mine"] = 2
        await sessions.save(session)
        again = await sessions.load(session.id)
        assert (dict(again), again.user_id) == ({"mine": 2}, "7")
        assert session.cookie == "set"

    async def test_a_late_write_to_the_old_id_is_not_resurrected(
        self, sessions: Sessions, store: SpyStore
    ) -> None:
        old = await saved(sessions, x=1)
        late, session = await sessions.load(old), await sessions.load(old)
        session.sign_in("7")
        await sessions.save(session)
        late["late"] = 1
        await sessions.save(late)
        # "clear" would reach the browser after the sign-in's own cookie, and end it.
        assert late.cookie == "keep"
        assert (await sessions.load(old)).is_new
        assert len(store.rows()) == 1

    async def test_roles_are_kept_only_when_given(self, sessions: Sessions) -> None:
        session = await sessions.load(None)
        session.sign_in("7", roles={"teacher", "principal"})
        await sessions.save(session)
        again = await sessions.load(session.id)
        assert again.roles == {"teacher", "principal"}
        again.sign_in("7")
        await sessions.save(again)
        assert (await sessions.load(again.id)).roles == frozenset()

    @pytest.mark.parametrize("user", ["", "x" * 65, "a\0", " a", "a ", True, 1.5, None])
    async def test_refuses_ids_that_databases_disagree_about(
        self, sessions: Sessions, user: Any
    ) -> None:
        session = await sessions.load(None)
        with pytest.raises(SessionError, match="user id"):
            session.sign_in(user)

    async def test_rotate_keeps_user_and_start(self, sessions: Sessions, clock: Clock) -> None:
        old = await saved(sessions, "7", x=1)
        start = clock.time
        clock.time += 100
        session = await sessions.load(old)
        session.rotate()
        assert session.needs_save(clock.time)
        await sessions.save(session)
        assert session.cookie == "set"
        assert (await sessions.load(old)).is_new
        again = await sessions.load(session.id)
        assert (dict(again), again.user_id) == ({"x": 1}, "7")
        (info,) = await sessions.list_user("7")
        assert info.created_at == start

    async def test_rotating_a_session_that_is_gone_makes_none(
        self, sessions: Sessions, store: SpyStore
    ) -> None:
        session = await sessions.load(await saved(sessions, "7", x=1))
        session.rotate()
        await sessions.revoke_user("7")
        await sessions.save(session)
        assert (store.rows(), session.user_id, session.cookie) == ({}, None, "keep")


class TestSignOut:
    async def test_revoke_deletes_at_once(self, sessions: Sessions, store: SpyStore) -> None:
        session = await sessions.load(await saved(sessions, "7", x=1))
        session.sign_out()
        assert session.must_revoke
        assert (session.user_id, dict(session), session.is_new) == (None, {}, True)
        await sessions.revoke(session)
        assert not session.must_revoke
        assert (store.rows(), session.cookie) == ({}, "clear")
        assert not session.needs_save(sessions.now())

    async def test_saving_deletes_too(self, sessions: Sessions, store: SpyStore) -> None:
        session = await sessions.load(await saved(sessions, "7", x=1))
        session.sign_out()
        assert session.needs_save(sessions.now())
        await sessions.save(session)
        assert (store.rows(), session.cookie) == ({}, "clear")

    async def test_a_message_afterwards_goes_into_a_fresh_session(
        self, sessions: Sessions, store: SpyStore
    ) -> None:
        old = await saved(sessions, "7", x=1)
        session = await sessions.load(old)
        session.sign_out()
        await sessions.revoke(session)
        session.flash("Bye")
        await sessions.save(session)
        assert session.cookie == "set"
        assert session.id not in (None, old)
        again = await sessions.load(session.id)
        assert (again.user_id, dict(again)) == (None, {})
        assert again.pop_flashes() == [{"message": "Bye", "category": "info"}]

    async def test_a_made_up_id_is_cleared_on_request(self, sessions: Sessions) -> None:
        session = await sessions.load("A" * 43)
        session.sign_out()
        await sessions.save(session)
        assert session.cookie == "clear"

    async def test_signing_out_without_a_cookie_sends_none(self, sessions: Sessions) -> None:
        session = await sessions.load(None)
        session.sign_out()
        await sessions.save(session)
        assert session.cookie == "keep"

    async def test_a_failed_revocation_waits_to_be_repeated(
        self, sessions: Sessions, store: SpyStore
    ) -> None:
        session = await sessions.load(await saved(sessions, "7"))
        session.sign_out()
        store.failure = StoreUnavailable("down")
        with pytest.raises(StoreUnavailable):
            await sessions.revoke(session)
        assert session.must_revoke
        store.failure = None
        await sessions.revoke(session)
        assert store.rows() == {}

    async def test_a_cancelled_request_still_signs_out(
        self, sessions: Sessions, store: SpyStore, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        session = await sessions.load(await saved(sessions, "7"))
        reached, go, real = asyncio.Event(), asyncio.Event(), store.delete

        async def slow_delete(id_hash: str) -> bool:
            reached.set()
            await go.wait()
            return await real(id_hash)

        monkeypatch.setattr(store, "delete", slow_delete)
        session.sign_out()
        request = asyncio.ensure_future(sessions.revoke(session))
        await reached.wait()
        request.cancel()
        await asyncio.wait([request])
        assert request.cancelled()
        go.set()
        await asyncio.gather(*sessions._revocations)
        assert store.rows() == {}

    async def test_out_and_in_again_in_one_request(
        self, sessions: Sessions, store: SpyStore
    ) -> None:
        session = await sessions.load(await saved(sessions, "7", x=1))
        session.sign_out()
        session.sign_in("7")
        await sessions.save(session)
        again = await sessions.load(session.id)
        assert (again.user_id, dict(again), session.cookie) == ("7", {}, "set")
        assert len(store.rows()) == 1


class TestIncrement:
    async def test_is_stored_at_once(self, sessions: Sessions) -> None:
        raw = await saved(sessions, x=1)
        session = await sessions.load(raw)
        assert await session.increment("tries") == 1
        assert await session.increment("tries", 5) == 6
        assert (await sessions.load(raw))["tries"] == 6
        assert session["tries"] == 6
        assert not session.needs_save(sessions.now())

    async def test_creates_the_session_and_its_cookie(
        self, sessions: Sessions, store: SpyStore
    ) -> None:
        session = await sessions.load(None)
        assert await session.increment("tries") == 1
        assert session.cookie == "set"
        await sessions.save(session)
        assert session.cookie == "set"
        assert (await sessions.load(session.id))["tries"] == 1

    async def test_a_later_save_does_not_undo_the_count_of_others(
        self, sessions: Sessions
    ) -> None:
        raw = await saved(sessions, x=1)
        one, two = await sessions.load(raw), await sessions.load(raw)
        await one.increment("n")
        await two.increment("n")
        one["x"] = 2
        await sessions.save(one)
        assert (await sessions.load(raw))["n"] == 2

    async def test_counts_on_from_this_requests_own_change(self, sessions: Sessions) -> None:
        raw = await saved(sessions, n=1, m=7)
        session = await sessions.load(raw)
        session["n"] = 10
        del session["m"]
        assert await session.increment("n") == 11
        assert await session.increment("m") == 1
        await sessions.save(session)
        assert dict(await sessions.load(raw)) == {"n": 11, "m": 1}

    async def test_in_a_request_that_signs_in(self, sessions: Sessions) -> None:
        session = await sessions.load(await saved(sessions, n=1))
        session.sign_in("7")
        assert await session.increment("n") == 2
        await sessions.save(session)
        again = await sessions.load(session.id)
        assert (again.user_id, again["n"]) == ("7", 2)

    async def test_of_a_session_that_is_gone_is_dropped(
        self, sessions: Sessions, store: SpyStore
    ) -> None:
        session = await sessions.load(await saved(sessions, "7", x=1))
        await sessions.revoke_user("7")
        assert await session.increment("n") == 1
        assert await session.increment("n") == 2
        await sessions.save(session)
        assert (store.rows(), session.user_id, session.cookie) == ({}, None, "keep")

    async def test_of_something_else_is_an_error(self, sessions: Sessions) -> None:
        for raw in (None, await saved(sessions, n="text")):
            session = await sessions.load(raw)
            session["n"] = "text"
            with pytest.raises(SessionError, match="'n'"):
                await session.increment("n")
        with pytest.raises(SessionError, match="by"):
            await session.increment("m", True)


class TestFlash:
    async def test_is_seen_once(self, sessions: Sessions) -> None:
        session = await sessions.load(None)
        session.flash("Saved")
        session.flash("Careful", "warning")
        await sessions.save(session)
        again = await sessions.load(session.id)
        expected = [
            {"message": "Saved", "category": "info"},
            {"message": "Careful", "category": "warning"},
        ]
        assert again.pop_flashes() == expected
        assert again.pop_flashes() == []
        await sessions.save(again)
        assert (await sessions.load(session.id)).pop_flashes() == []

    async def test_none_waiting_is_no_change(self, sessions: Sessions) -> None:
        session = await sessions.load(None)
        assert session.pop_flashes() == []
        assert not session.needs_save(sessions.now())


class TestSealedCookie:
    """Once the headers have left, only what needs no new cookie still works."""

    @pytest.mark.parametrize("change", ["set", "flash", "sign_in", "increment"])
    async def test_a_new_session_is_refused_on_the_line_that_needs_it(
        self, sessions: Sessions, store: SpyStore, change: str
    ) -> None:
        session = await sessions.load(None)
        session.seal_cookie()
        changes: dict[str, Coroutine[Any, Any, None]] = {
            name: self._change(session, name) for name in (change,)
        }
        with pytest.raises(SessionError, match="headers have left"):
            await changes[change]
        assert store.calls == []

    @staticmethod
    async def _change(session: Session, change: str) -> None:
        if change == "set":
            session["x"] = 1
        elif change == "flash":
            session.flash("x")
        elif change == "sign_in":
            session.sign_in("7")
        else:
            await session.increment("n")

    async def test_a_stored_session_may_still_change(self, sessions: Sessions) -> None:
        session = await sessions.load(None)
        session["x"] = 1
        await sessions.save(session)
        session.seal_cookie()
        session["x"] = 2
        await sessions.save(session)
        assert session.cookie == "keep"
        with pytest.raises(SessionError, match="headers have left"):
            session.rotate()


class TestUsersSessions:
    async def test_are_listed_with_what_was_known_at_their_start(
        self, sessions: Sessions, clock: Clock
    ) -> None:
        agent = "Mozilla \x1b[31m" + "x" * 300
        visitor = {"user_agent": agent, "ip": "2001:db8::1"}
        session = await sessions.load(None, describe=lambda: visitor)
        session.sign_in("7")
        await sessions.save(session)
        clock.time += 5
        await saved(sessions, "7")
        await saved(sessions, "8")
        newest, oldest = await sessions.list_user(7)
        assert newest.seen_at == clock.time
        assert (oldest.ip, oldest.created_at) == ("2001:db8::1", clock.time - 5)
        assert oldest.user_agent.startswith("Mozilla \\x1b[31mxxx")
        assert len(oldest.user_agent) <= 203
        assert oldest.handle == session.handle

    async def test_a_handle_opens_nothing(self, sessions: Sessions) -> None:
        raw = await saved(sessions, "7", x=1)
        (info,) = await sessions.list_user("7")
        for forged in (info.handle, info.handle[:43], raw[:42]):
            assert (await sessions.load(forged)).is_new

    async def test_expired_ones_are_not_listed(self, sessions: Sessions, clock: Clock) -> None:
        await saved(sessions, "7")
        clock.time += IDLE
        assert await sessions.list_user("7") == []

    async def test_revoke_handle_ends_only_ones_own(self, sessions: Sessions) -> None:
        raw = await saved(sessions, "7")
        (info,) = await sessions.list_user("7")
        assert await sessions.revoke_handle("8", info.handle) is False
        assert not (await sessions.load(raw)).is_new
        assert await sessions.revoke_handle("7", info.handle) is True
        assert (await sessions.load(raw)).is_new

    async def test_revoke_user_ends_them_all(self, sessions: Sessions) -> None:
        ids = [await saved(sessions, "7") for _ in range(3)]
        other = await saved(sessions, "8")
        assert await sessions.revoke_user(7) == 3
        assert all([(await sessions.load(raw)).is_new for raw in ids])
        assert not (await sessions.load(other)).is_new
