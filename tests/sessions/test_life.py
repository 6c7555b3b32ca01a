"""How long sessions live, who they belong to, and what their cookies hold."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tornkit.security.signing import Signer
from tornkit.sessions import MemoryStore, Session, Sessions
from tornkit.sessions._browsers import browser_of

if TYPE_CHECKING:
    from collections.abc import Mapping

IDLE, ABSOLUTE, REMEMBER = 1000, 5000, 90_000


class Clock:
    time = 1_000_000.0

    def __call__(self) -> float:
        return self.time


def manager(
    store: MemoryStore, clock: Clock | None = None, secrets: tuple[str, ...] = ("secret",)
) -> Sessions:
    return Sessions(
        store,
        idle_timeout=IDLE,
        absolute_timeout=ABSOLUTE,
        remember_timeout=REMEMBER,
        touch_interval=60,
        signer=Signer(lambda: secrets, "session") if secrets else None,
        clock=clock or Clock(),
    )


async def signed_in(sessions: Sessions, *, remember: bool = False, mark: str = "") -> Session:
    session = sessions.begin()
    session.sign_in("7", mark=mark, remember=remember)
    await sessions.save(session)
    return session


class TestCookies:
    async def test_hold_the_id_and_its_signature(self) -> None:
        sessions = manager(MemoryStore())
        session = await signed_in(sessions)
        cookie = sessions.cookie_value(session)
        assert cookie.startswith(f"{session.id}.")
        assert (await sessions.load(cookie)).user_id == "7"

    async def test_without_a_signature_reach_no_store(self) -> None:
        store = MemoryStore()
        sessions = manager(store)
        session = await signed_in(sessions)
        cookie = sessions.cookie_value(session)
        store.load = None  # type: ignore[method-assign, assignment]
        for forged in (session.id, f"{session.id}.", cookie[:-1], cookie[:-1] + "x", cookie + "0"):
            assert (await sessions.load(forged)).user_id is None

    async def test_of_an_old_secret_work_and_are_signed_anew(self) -> None:
        store = MemoryStore()
        before = manager(store, secrets=("old",))
        cookie = before.cookie_value(await signed_in(before))
        after = manager(store, secrets=("new", "old"))
        session = await after.load(cookie)
        assert session.user_id == "7"
        assert session.cookie == "set"
        assert not session.needs_save(after.now())
        found = await after.find(cookie)
        assert found is not None
        assert not found.can_wait
        renewed = after.cookie_value(session)
        assert renewed.partition(".")[0] == cookie.partition(".")[0]
        assert renewed != cookie
        assert (await manager(store, secrets=("new",)).load(renewed)).user_id == "7"

    async def test_of_a_secret_that_was_dropped_are_worth_nothing(self) -> None:
        store = MemoryStore()
        before = manager(store, secrets=("old",))
        cookie = before.cookie_value(await signed_in(before))
        assert (await manager(store, secrets=("new",)).load(cookie)).user_id is None

    async def test_of_no_session_are_empty(self) -> None:
        sessions = manager(MemoryStore())
        assert sessions.cookie_value(sessions.begin()) == ""


class TestRemembering:
    async def test_outlives_idleness_and_the_ordinary_end(self) -> None:
        clock = Clock()
        sessions = manager(MemoryStore(), clock)
        cookie = sessions.cookie_value(await signed_in(sessions, remember=True))
        plain = sessions.cookie_value(await signed_in(sessions))
        clock.time += REMEMBER - 1
        assert (await sessions.load(cookie)).remembered
        assert (await sessions.load(plain)).user_id is None
        clock.time += 1
        assert (await sessions.load(cookie)).user_id is None

    async def test_ends_in_the_store_too_when_it_ends(self) -> None:
        clock = Clock()
        store = MemoryStore()
        sessions = manager(store, clock)
        await signed_in(sessions, remember=True)
        assert await store.clear_expired(clock.time + REMEMBER - 1) == 0
        assert await store.clear_expired(clock.time + REMEMBER) == 1

    async def test_gives_the_cookie_an_age_and_only_then(self) -> None:
        clock = Clock()
        sessions = manager(MemoryStore(), clock)
        session = await signed_in(sessions, remember=True)
        assert sessions.cookie_age(session) == REMEMBER
        assert sessions.cookie_age(await signed_in(sessions)) is None
        clock.time += 100
        again = await sessions.load(sessions.cookie_value(session))
        assert sessions.cookie_age(again) == REMEMBER - 100

    async def test_survives_a_new_id_and_ends_with_the_sign_out(self) -> None:
        sessions = manager(MemoryStore())
        session = await signed_in(sessions, remember=True)
        session.renew("other")
        await sessions.save(session)
        again = await sessions.load(sessions.cookie_value(session))
        assert again.remembered
        again.sign_out()
        assert not again.remembered
        again["x"] = 1
        await sessions.save(again)
        assert sessions.cookie_age(again) is None

    async def test_is_not_inherited_by_the_next_sign_in(self) -> None:
        sessions = manager(MemoryStore())
        session = await signed_in(sessions, remember=True)
        session.sign_in("7")
        await sessions.save(session)
        assert not (await sessions.load(sessions.cookie_value(session))).remembered

    async def test_cannot_be_had_by_what_a_browser_calls_itself(self) -> None:
        store = MemoryStore()
        sessions = manager(store)
        for name in ('"remembered": true', '", "remembered": true, "x": "', "\\"):
            visitor = {"user_agent": name, "ip": "::1"}
            session = sessions.begin(describe=lambda known=visitor: known)  # type: ignore[misc]
            session.sign_in("7")
            await sessions.save(session)
            again = await sessions.load(sessions.cookie_value(session))
            assert not again.remembered
        assert not any(info.remembered for info in await sessions.list_user("7"))

    async def test_is_listed(self) -> None:
        sessions = manager(MemoryStore())
        await signed_in(sessions, remember=True)
        (info,) = await sessions.list_user("7")
        assert info.remembered

    def test_needs_a_time_to_live(self) -> None:
        with pytest.raises(ValueError, match="positive"):
            Sessions(
                MemoryStore(),
                idle_timeout=1,
                absolute_timeout=1,
                touch_interval=0,
                remember_timeout=0,
            )


class TestTheUser:
    async def test_signed_in_now_or_when_the_session_began(self) -> None:
        clock = Clock()
        sessions = manager(MemoryStore(), clock)
        session = sessions.begin()
        assert session.signed_in_at is None
        session.sign_in("7")
        assert session.signed_in_at == clock.time
        await sessions.save(session)
        clock.time += 100
        again = await sessions.load(sessions.cookie_value(session))
        assert again.signed_in_at == clock.time - 100
        again.sign_in("7")
        assert again.signed_in_at == clock.time

    async def test_is_marked_and_a_new_mark_brings_a_new_id(self) -> None:
        sessions = manager(MemoryStore())
        session = await signed_in(sessions, mark="stamp:teacher")
        old = sessions.cookie_value(session)
        again = await sessions.load(old)
        assert again.mark == "stamp:teacher"
        assert dict(again) == {}
        again.renew("stamp:")
        await sessions.save(again)
        assert (await sessions.load(old)).user_id is None
        assert (await sessions.load(sessions.cookie_value(again))).mark == "stamp:"

    async def test_leaves_no_mark_on_the_next_one(self) -> None:
        sessions = manager(MemoryStore())
        session = await signed_in(sessions, mark="a")
        session.sign_in("8")
        await sessions.save(session)
        assert session.mark == ""


async def test_the_visitor_is_described_only_where_a_session_is_made() -> None:
    described = []

    def describe() -> Mapping[str, str]:
        described.append(1)
        return {"user_agent": "x" * 300, "ip": "::1"}

    store = MemoryStore()
    sessions = manager(store)
    session = await sessions.load(None, describe=describe)
    assert not described
    session["a"] = 1
    await sessions.save(session)
    assert len(described) == 1
    (stored,) = store._sessions.values()
    assert json.loads(stored.meta) == {"user_agent": "x" * 200, "ip": "::1"}


WEBKIT = "AppleWebKit/537.36 (KHTML, like Gecko)"


@pytest.mark.parametrize(
    ("user_agent", "words"),
    [
        ("Mozilla (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", "Firefox on Linux"),
        (f"Mozilla (Windows NT 10.0) {WEBKIT} Chrome/140.0 Safari/537", "Chrome on Windows"),
        (f"Mozilla (Windows NT 10.0) {WEBKIT} Chrome/140.0 Edg/140.0", "Edge on Windows"),
        (f"Mozilla (Macintosh; Intel Mac OS X 10_15_7) {WEBKIT} Safari/605", "Safari on macOS"),
        ("Mozilla (iPhone; CPU iPhone OS 18_0 like Mac OS X) Safari/604.1", "Safari on iPhone"),
        (f"Mozilla (Linux; Android 10; K) {WEBKIT} Chrome/140.0 Mobile", "Chrome on Android"),
        ("curl/8.5.0", "curl"),
        ("", "an unknown browser"),
        ("<script>", "an unknown browser"),
    ],
)  # fmt: skip
def test_a_browser_is_named_in_words(user_agent: str, words: str) -> None:
    assert browser_of(user_agent) == words
