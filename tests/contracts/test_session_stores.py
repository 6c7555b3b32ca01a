"""What every session store does, on every backend that is there."""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import json
from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import delete

from tests import services
from tests.sessions.support import open_redis, open_server, open_sqlite
from tornkit.errors import SessionError
from tornkit.sessions import MemoryStore, SessionStore, StoredSession
from tornkit.sessions.sql import SQLStore, create_tables, session_table

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from pathlib import Path

T0 = 1_700_000_000.25
LATER = {"seen_at": T0 + 60, "expires_at": T0 + 4000}


def digest(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()


A, B, C = digest("a"), digest("b"), digest("c")


def stored(id_hash: str = A, user_id: str | None = None, **values: object) -> StoredSession:
    texts = {name: json.dumps(value) for name, value in values.items()}
    return StoredSession(id_hash, user_id, T0, T0 + 1, T0 + 3600, '{"ip": "::1"}', texts)


@pytest.fixture(scope="module")
def server_url() -> Iterator[Callable[[str], str]]:
    """Make one database a server, with the tables, on first use."""
    urls: dict[str, str] = {}
    with ExitStack() as stack:

        def url_of(name: str) -> str:
            if name not in urls:
                urls[name] = stack.enter_context(services.fresh_database(name))
            return urls[name]

        yield url_of


@pytest.fixture(params=["memory", "sqlite", "postgresql", "mysql", "redis"])
async def store(
    request: pytest.FixtureRequest, tmp_path: Path, server_url: Callable[[str], str]
) -> AsyncIterator[SessionStore]:
    if request.param == "memory":
        yield MemoryStore()
        return
    if request.param == "redis":
        async with open_redis() as sessions:
            yield sessions
        return
    if request.param == "sqlite":
        connector = open_sqlite(tmp_path / "sessions.db")
    else:
        connector = open_server(server_url(request.param))
    async with connector(write=True) as connection:
        await create_tables(connection)
        await connection.execute(delete(session_table))
    kept_in_sql = SQLStore(connector)
    await kept_in_sql.open()
    yield kept_in_sql
    await kept_in_sql.close()
    await connector.engine.dispose()


async def values_of(store: SessionStore, id_hash: str = A) -> dict[str, Any]:
    found = await store.load(id_hash)
    assert found is not None
    return {name: json.loads(text) for name, text in found.values.items()}


class TestLoadAndCreate:
    async def test_unknown_is_none(self, store: SessionStore) -> None:
        assert await store.load(A) is None

    async def test_everything_comes_back(self, store: SessionStore) -> None:
        given = stored(user_id="7", name="Ada", marks=[1, {"x": None}])
        await store.create(given)
        assert await store.load(A) == given

    async def test_a_session_without_values(self, store: SessionStore) -> None:
        await store.create(stored())
        assert await store.load(A) == stored()

    async def test_times_keep_fractions(self, store: SessionStore) -> None:
        precise = replace(stored(), created_at=1_700_000_000.123456)
        await store.create(precise)
        assert await store.load(A) == precise

    async def test_sessions_do_not_mix(self, store: SessionStore) -> None:
        await store.create(stored(A, x=1))
        await store.create(stored(B, x=2))
        assert await values_of(store, A) == {"x": 1}
        assert await values_of(store, B) == {"x": 2}

    async def test_the_callers_mapping_is_not_kept(self, store: SessionStore) -> None:
        values = {"x": "1"}
        await store.create(replace(stored(), values=values))
        values["x"] = "2"
        assert await values_of(store) == {"x": 1}

    async def test_expired_sessions_still_load(self, store: SessionStore) -> None:
        await store.create(replace(stored(), expires_at=0))
        assert await store.load(A) is not None

    async def test_text_of_every_alphabet(self, store: SessionStore) -> None:
        text = "žluťoučký 漢字 🎓 \x00 \ud800 ' \" % \\ :x"
        await store.create(stored(text=text))
        assert await values_of(store) == {"text": text}

    async def test_a_value_of_a_megabyte(self, store: SessionStore) -> None:
        await store.create(stored(big="x" * 1_000_000))
        assert len((await values_of(store))["big"]) == 1_000_000

    async def test_keys_of_every_alphabet_and_case(self, store: SessionStore) -> None:
        names = ["a", "A", "á", "漢", "🎓", "x" * 255, "ß", "ss", "%s", ":p", "a b"]
        await store.create(replace(stored(), values={n: str(i) for i, n in enumerate(names)}))
        assert await values_of(store) == {n: i for i, n in enumerate(names)}


class TestApply:
    async def test_put_drop_and_keep(self, store: SessionStore) -> None:
        await store.create(stored(a=1, b=2, c=3))
        assert await store.apply(A, put={"a": "9", "d": "4"}, drop=["b"], **LATER) is True
        assert await values_of(store) == {"a": 9, "c": 3, "d": 4}

    async def test_times_are_renewed_and_nothing_else(self, store: SessionStore) -> None:
        await store.create(stored(user_id="7", a=1))
        assert await store.apply(A, put={}, drop=(), **LATER)
        later = replace(
            stored(user_id="7", a=1), seen_at=LATER["seen_at"], expires_at=LATER["expires_at"]
        )
        assert await store.load(A) == later

    async def test_a_repeat_is_no_sign_of_absence(self, store: SessionStore) -> None:
        await store.create(stored())
        for _ in range(2):
            assert await store.apply(A, put={"x": "1"}, drop=(), **LATER) is True

    async def test_gone_is_false_and_stays_gone(self, store: SessionStore) -> None:
        assert await store.apply(A, put={"x": "1"}, drop=(), **LATER) is False
        assert await store.load(A) is None

    async def test_dropping_a_missing_key_is_fine(self, store: SessionStore) -> None:
        await store.create(stored(a=1))
        assert await store.apply(A, put={}, drop=["nothing"], **LATER)
        assert await values_of(store) == {"a": 1}

    async def test_different_keys_both_win(self, store: SessionStore) -> None:
        await store.create(stored())
        await asyncio.gather(
            store.apply(A, put={"x": "1"}, drop=(), **LATER),
            store.apply(A, put={"y": "2"}, drop=(), **LATER),
        )
        assert await values_of(store) == {"x": 1, "y": 2}

    async def test_the_later_write_of_one_key_wins(self, store: SessionStore) -> None:
        await store.create(stored(x=0))
        await store.apply(A, put={"x": "1"}, drop=(), **LATER)
        await store.apply(A, put={"x": "2"}, drop=(), **LATER)
        assert await values_of(store) == {"x": 2}

    async def test_200_writes_of_different_keys_at_once(self, store: SessionStore) -> None:
        await store.create(stored())
        writes = (store.apply(A, put={f"k{i}": str(i)}, drop=(), **LATER) for i in range(200))
        assert all(await asyncio.gather(*writes))
        assert await values_of(store) == {f"k{i}": i for i in range(200)}

    async def test_many_sessions_at_once(self, store: SessionStore) -> None:
        async def live(number: int) -> None:
            old, new = digest(f"old{number}"), digest(f"new{number}")
            await store.create(stored(old, x=number))
            await store.apply(old, put={"y": "1"}, drop=["x"], **LATER)
            await store.rotate(old, stored(new, z=1), drop=["y"])
            await store.increment(new, "z", 1, **LATER)
            assert await store.delete(new)

        await asyncio.gather(*(live(number) for number in range(30)))

    async def test_a_key_both_dropped_and_put_is_put(self, store: SessionStore) -> None:
        await store.create(stored(x=1))
        assert await store.apply(A, put={"x": "2"}, drop=["x"], **LATER)
        assert await values_of(store) == {"x": 2}

    async def test_hundreds_of_keys_at_a_time(self, store: SessionStore) -> None:
        names = [f"k{number}" for number in range(400)]
        await store.create(stored(kept=0))
        assert await store.apply(A, put=dict.fromkeys(names, "1"), drop=(), **LATER)
        assert len(await values_of(store)) == 401
        assert await store.apply(A, put={}, drop=names, **LATER)
        assert await values_of(store) == {"kept": 0}

    async def test_user_start_and_notes_stay(self, store: SessionStore) -> None:
        given = replace(stored(user_id="7"), meta='{"user_agent": "\\u017d"}')
        await store.create(given)
        await store.apply(A, put={"x": "1"}, drop=(), **LATER)
        found = await store.load(A)
        assert found is not None
        assert (found.user_id, found.created_at, found.meta) == ("7", T0, given.meta)


class TestIncrement:
    async def test_counts_from_zero_and_returns(self, store: SessionStore) -> None:
        await store.create(stored())
        assert await store.increment(A, "n", 1, **LATER) == 1
        assert await store.increment(A, "n", 41, **LATER) == 42
        assert await store.increment(A, "n", -2, **LATER) == 40
        assert await values_of(store) == {"n": 40}

    async def test_renews_the_times(self, store: SessionStore) -> None:
        await store.create(stored())
        await store.increment(A, "n", 1, **LATER)
        found = await store.load(A)
        assert found is not None
        assert (found.seen_at, found.expires_at) == (LATER["seen_at"], LATER["expires_at"])

    async def test_gone_is_none_and_stays_gone(self, store: SessionStore) -> None:
        assert await store.increment(A, "n", 1, **LATER) is None
        assert await store.load(A) is None

    @pytest.mark.parametrize("text", ['"7"', "1.5", "true", "null", "[1]", "{broken"])
    async def test_something_else_than_an_integer(self, store: SessionStore, text: str) -> None:
        await store.create(replace(stored(), values={"n": text}))
        with pytest.raises(SessionError, match="'n'"):
            await store.increment(A, "n", 1, **LATER)
        found = await store.load(A)
        assert found is not None
        assert found.values == {"n": text}
        assert found.seen_at == T0 + 1

    async def test_beyond_64_bits(self, store: SessionStore) -> None:
        await store.create(stored(n=2**64))
        assert await store.increment(A, "n", 2**70, **LATER) == 2**64 + 2**70

    async def test_200_at_once_are_200(self, store: SessionStore) -> None:
        await store.create(stored())
        results = await asyncio.gather(*(store.increment(A, "n", 1, **LATER) for _ in range(200)))
        assert sorted(number or 0 for number in results) == list(range(1, 201))
        assert await values_of(store) == {"n": 200}

    @pytest.mark.parametrize("start", [2**53 + 1, 2**63 - 1, -(2**63), -(10**30)])
    async def test_is_exact_at_every_size(self, store: SessionStore, start: int) -> None:
        await store.create(stored(n=start))
        for step in (1, -3, 2**53):
            start += step
            assert await store.increment(A, "n", step, **LATER) == start
        assert await values_of(store) == {"n": start}

    async def test_by_zero_makes_a_counter(self, store: SessionStore) -> None:
        await store.create(stored())
        assert await store.increment(A, "n", 0, **LATER) == 0
        assert await values_of(store) == {"n": 0}

    async def test_counts_on_from_what_was_put(self, store: SessionStore) -> None:
        await store.create(stored(n=1))
        await store.apply(A, put={"n": "40"}, drop=(), **LATER)
        assert await store.increment(A, "n", 2, **LATER) == 42
        await store.apply(A, put={}, drop=["n"], **LATER)
        assert await store.increment(A, "n", 1, **LATER) == 1

    async def test_beside_writes_of_other_keys_both_win(self, store: SessionStore) -> None:
        await store.create(stored())
        for number in range(10):
            await asyncio.gather(
                store.increment(A, "n", 1, **LATER),
                store.apply(A, put={f"k{number}": "1"}, drop=(), **LATER),
                store.increment(A, "m", -1, **LATER),
            )
        puts = {f"k{number}": 1 for number in range(10)}
        assert await values_of(store) == {"n": 10, "m": -10, **puts}


class TestRotate:
    async def test_moves_values_and_overlays(self, store: SessionStore) -> None:
        await store.create(stored(A, a=1, b=2, c=3))
        assert await store.rotate(A, stored(B, "7", b=9, d=4), drop=["c"]) is True
        assert await store.load(A) is None
        assert await store.load(B) == stored(B, "7", a=1, b=9, d=4)

    async def test_takes_what_others_wrote_meanwhile(self, store: SessionStore) -> None:
        await store.create(stored(A))
        await store.apply(A, put={"late": "1"}, drop=(), **LATER)
        await store.rotate(A, stored(B), drop=())
        assert await values_of(store, B) == {"late": 1}

    async def test_gone_makes_no_successor(self, store: SessionStore) -> None:
        assert await store.rotate(A, stored(B, x=1), drop=()) is False
        assert await store.load(B) is None

    async def test_a_late_write_to_the_old_id_is_lost(self, store: SessionStore) -> None:
        await store.create(stored(A))
        await store.rotate(A, stored(B), drop=())
        assert await store.apply(A, put={"x": "1"}, drop=(), **LATER) is False
        assert await store.increment(A, "n", 1, **LATER) is None
        assert await store.load(A) is None
        assert await values_of(store, B) == {}

    async def test_only_one_of_two_rotations_wins(self, store: SessionStore) -> None:
        await store.create(stored(A, x=1))
        won = await asyncio.gather(
            *(store.rotate(A, stored(successor), drop=()) for successor in (B, C))
        )
        assert sorted(won) == [False, True]
        found = [await store.load(B), await store.load(C)]
        assert [one is not None for one in found] == won

    async def test_a_write_at_the_same_time_moves_or_is_refused(self, store: SessionStore) -> None:
        for number in range(10):
            old, new = digest(f"old{number}"), digest(f"new{number}")
            await store.create(stored(old))
            kept, _ = await asyncio.gather(
                store.apply(old, put={"x": "1"}, drop=(), **LATER),
                store.rotate(old, stored(new), drop=()),
            )
            assert await store.load(old) is None
            assert await values_of(store, new) == ({"x": 1} if kept else {})

    async def test_what_the_successor_brings_is_not_dropped(self, store: SessionStore) -> None:
        await store.create(stored(A, x=1))
        await store.rotate(A, stored(B, x=2), drop=["x"])
        assert await values_of(store, B) == {"x": 2}

    async def test_again_and_again(self, store: SessionStore) -> None:
        ids = [digest(f"step{number}") for number in range(8)]
        await store.create(stored(ids[0], x=1))
        for old, new in itertools.pairwise(ids):
            assert await store.rotate(old, stored(new), drop=())
            assert await store.increment(new, "x", 1, **LATER)
        assert await values_of(store, ids[-1]) == {"x": 8}
        assert [await store.load(old) for old in ids[:-1]] == [None] * 7

    async def test_moves_between_users_and_strangers(self, store: SessionStore) -> None:
        await store.create(stored(A))
        for old, new, user_id in ((A, B, "7"), (B, C, "8"), (C, A, None)):
            assert await store.rotate(old, stored(new, user_id), drop=())
            listed = [[one.id_hash for one in await store.list_user(u)] for u in ("7", "8")]
            assert listed == [[new] if user_id == u else [] for u in ("7", "8")]
        assert await store.delete_user("7") == await store.delete_user("8") == 0
        assert await store.load(A) == stored(A)


class TestDelete:
    async def test_is_gone_with_its_values(self, store: SessionStore) -> None:
        await store.create(stored(x=1))
        assert await store.delete(A) is True
        assert await store.load(A) is None
        await store.create(stored())
        assert await values_of(store) == {}

    async def test_of_nothing_is_false(self, store: SessionStore) -> None:
        assert await store.delete(A) is False

    async def test_spares_the_others(self, store: SessionStore) -> None:
        await store.create(stored(A, x=1))
        await store.create(stored(B, x=1))
        await store.delete(A)
        assert await values_of(store, B) == {"x": 1}

    async def test_beats_a_write_at_the_same_time(self, store: SessionStore) -> None:
        await store.create(stored(A))
        await asyncio.gather(
            store.delete(A), *(store.increment(A, "n", 1, **LATER) for _ in range(20))
        )
        assert await store.load(A) is None

    async def test_only_one_of_many_deletes_something(self, store: SessionStore) -> None:
        await store.create(stored(A, "7", x=1))
        done = await asyncio.gather(*(store.delete(A) for _ in range(10)))
        assert sorted(done) == [False] * 9 + [True]
        assert await store.list_user("7") == []


class TestUser:
    async def test_delete_user_counts_and_spares(self, store: SessionStore) -> None:
        await store.create(stored(A, "7", x=1))
        await store.create(stored(B, "7"))
        await store.create(stored(C, "8"))
        assert await store.delete_user("7") == 2
        assert await store.load(A) is None
        assert await store.load(B) is None
        assert await store.load(C) is not None
        assert await store.delete_user("7") == 0

    async def test_anonymous_sessions_belong_to_nobody(self, store: SessionStore) -> None:
        await store.create(stored(A))
        assert await store.delete_user("None") == 0
        assert await store.list_user("None") == []

    async def test_names_are_exact(self, store: SessionStore) -> None:
        await store.create(stored(A, "Bob"))
        await store.create(stored(B, "bob"))
        await store.create(stored(C, "bób"))
        assert [one.id_hash for one in await store.list_user("bob")] == [B]
        assert await store.delete_user("Bob") == 1

    async def test_list_user_is_latest_first_without_values(self, store: SessionStore) -> None:
        await store.create(stored(A, "7", secret=1))
        await store.create(replace(stored(B, "7"), seen_at=T0 + 9))
        await store.create(stored(C, "8"))
        listed = await store.list_user("7")
        assert listed == [replace(stored(B, "7"), seen_at=T0 + 9), stored(A, "7")]

    async def test_list_user_knows_the_last_visit(self, store: SessionStore) -> None:
        await store.create(stored(A, "7"))
        await store.create(replace(stored(B, "7"), seen_at=T0 + 9))
        await store.increment(A, "n", 1, **LATER)
        listed = [(one.id_hash, one.seen_at, one.expires_at) for one in await store.list_user("7")]
        assert listed == [(A, LATER["seen_at"], LATER["expires_at"]), (B, T0 + 9, T0 + 3600)]

    async def test_names_of_every_alphabet(self, store: SessionStore) -> None:
        names = ["x" * 64, "a b", "%s", "user:7", "ends", "*", "漢字", "🎓", "ß", "ss", "'", "\\"]
        for name in names:
            await store.create(stored(digest(name), name))
        for name in names:
            assert [one.user_id for one in await store.list_user(name)] == [name]
            assert await store.delete_user(name) == 1
            assert await store.list_user(name) == []

    async def test_delete_user_of_many_sessions(self, store: SessionStore) -> None:
        for number in range(60):
            await store.create(stored(digest(f"many{number}"), "7", x=number))
        assert await store.delete_user("7") == 60
        assert await store.load(digest("many59")) is None

    async def test_a_late_write_does_not_bring_a_deleted_one_back(
        self, store: SessionStore
    ) -> None:
        await store.create(stored(A, "7", x=1))
        await store.delete_user("7")
        assert await store.apply(A, put={"x": "2"}, drop=(), **LATER) is False
        assert await store.increment(A, "n", 1, **LATER) is None
        assert await store.rotate(A, stored(B, "7"), drop=()) is False
        assert await store.list_user("7") == []

    async def test_a_rotation_does_not_outrun_delete_user(self, store: SessionStore) -> None:
        for number in range(10):
            ids = [digest(f"{number}/{step}") for step in range(4)]

            async def rotate_on(ids: list[str] = ids) -> None:
                for old, new in itertools.pairwise(ids):
                    await store.rotate(old, stored(new, "7"), drop=())

            await store.create(stored(ids[0], "7"))
            await asyncio.gather(store.delete_user("7"), rotate_on())
            assert await store.list_user("7") == []


class TestClearExpired:
    async def test_deletes_those_and_only_those(self, store: SessionStore) -> None:
        await store.create(replace(stored(A, x=1), expires_at=T0))
        await store.create(replace(stored(B), expires_at=T0 + 1))
        await store.create(replace(stored(C), expires_at=T0 + 2))
        assert await store.clear_expired(T0 + 1) == 2
        assert await store.load(A) is None
        assert await store.load(B) is None
        assert await store.load(C) is not None

    async def test_of_nothing_is_zero(self, store: SessionStore) -> None:
        assert await store.clear_expired(T0) == 0

    async def test_a_touch_saves_a_session(self, store: SessionStore) -> None:
        await store.create(stored(A))
        await store.apply(A, put={}, drop=(), seen_at=T0, expires_at=T0 + 9000)
        assert await store.clear_expired(T0 + 8000) == 0

    async def test_an_increment_saves_a_session(self, store: SessionStore) -> None:
        await store.create(stored(A))
        await store.increment(A, "n", 1, seen_at=T0, expires_at=T0 + 9000)
        assert await store.clear_expired(T0 + 8000) == 0
        assert await values_of(store) == {"n": 1}

    async def test_an_earlier_end_counts_too(self, store: SessionStore) -> None:
        await store.create(stored(A))
        await store.apply(A, put={}, drop=(), seen_at=T0, expires_at=T0 + 10)
        assert await store.clear_expired(T0 + 10) == 1

    async def test_after_a_rotation_the_successors_end_counts(self, store: SessionStore) -> None:
        await store.create(replace(stored(A), expires_at=T0 + 10))
        await store.rotate(A, stored(B), drop=())
        assert await store.clear_expired(T0 + 3599) == 0
        assert await store.clear_expired(T0 + 3600) == 1
        assert await store.load(B) is None

    async def test_users_lose_them(self, store: SessionStore) -> None:
        await store.create(replace(stored(A, "7"), expires_at=T0))
        await store.create(stored(B, "7"))
        assert await store.clear_expired(T0) == 1
        assert [one.id_hash for one in await store.list_user("7")] == [B]
        assert await store.delete_user("7") == 1

    async def test_fractions_of_a_second_count(self, store: SessionStore) -> None:
        await store.create(replace(stored(A), expires_at=T0 + 0.125))
        assert await store.clear_expired(T0 + 0.0625) == 0
        assert await store.clear_expired(T0 + 0.125) == 1

    async def test_a_cleared_one_stays_gone(self, store: SessionStore) -> None:
        await store.create(stored(A, "7"))
        await store.clear_expired(T0 + 9000)
        assert await store.apply(A, put={"x": "1"}, drop=(), **LATER) is False
        assert await store.increment(A, "n", 1, **LATER) is None
        assert await store.rotate(A, stored(B), drop=()) is False
        assert await store.clear_expired(T0 + 9000) == 0

    async def test_beside_writers_each_wins_or_is_refused(self, store: SessionStore) -> None:
        for number in range(10):
            id_hash = digest(f"ending{number}")
            await store.create(replace(stored(id_hash), expires_at=T0))
            cleared, kept = await asyncio.gather(
                store.clear_expired(T0),
                store.apply(id_hash, put={}, drop=(), seen_at=T0, expires_at=T0 + 9),
            )
            assert (cleared, kept) in {(1, False), (0, True)}
            assert (await store.load(id_hash) is not None) == kept


class TestCancellation:
    async def test_a_cancelled_write_is_all_or_nothing(self, store: SessionStore) -> None:
        await store.create(stored(A, x=0, y=0))
        for turns in range(0, 40, 4):
            write = asyncio.ensure_future(
                store.apply(A, put={"x": str(turns), "y": str(turns)}, drop=(), **LATER)
            )
            for _ in range(turns):
                await asyncio.sleep(0)
            write.cancel()
            await asyncio.gather(write, return_exceptions=True)
            values = await values_of(store)
            assert values["x"] == values["y"]

    async def test_the_store_works_on_after_it(self, store: SessionStore) -> None:
        await store.create(stored(A))
        writes = [asyncio.ensure_future(store.increment(A, "n", 1, **LATER)) for _ in range(20)]
        await asyncio.sleep(0)
        for write in writes[::2]:
            write.cancel()
        await asyncio.gather(*writes, return_exceptions=True)
        counted = (await values_of(store))["n"]
        assert await store.increment(A, "n", 1, **LATER) == counted + 1

    async def test_a_cancelled_load_harms_nobody(self, store: SessionStore) -> None:
        await store.create(stored(A, x=1))
        for turns in range(0, 20, 4):
            loads = [asyncio.ensure_future(store.load(A)) for _ in range(6)]
            for _ in range(turns):
                await asyncio.sleep(0)
            for load in loads[::2]:
                load.cancel()
            await asyncio.gather(*loads, return_exceptions=True)
            assert [load.result() for load in loads[1::2]] == [stored(A, x=1)] * 3
        assert await values_of(store) == {"x": 1}


async def test_open_and_close_may_be_repeated(store: SessionStore) -> None:
    await store.open()
    await store.close()
    await store.close()
