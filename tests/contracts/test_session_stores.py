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
from tests.sessions.support import open_server, open_sqlite
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


@pytest.fixture(params=["memory", "sqlite", "postgresql", "mysql"])
async def store(
    request: pytest.FixtureRequest, tmp_path: Path, server_url: Callable[[str], str]
) -> AsyncIterator[SessionStore]:
    if request.param == "memory":
        yield MemoryStore()
        return
    if request.param == "sqlite":
        connector = open_sqlite(tmp_path / "sessions.db")
    else:
        connector = open_server(server_url(request.param))
    async with connector(write=True) as connection:
        await create_tables(connection)
        await connection.execute(delete(session_table))
    sessions = SQLStore(connector)
    await sessions.open()
    yield sessions
    await sessions.close()
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


async def test_open_and_close_may_be_repeated(store: SessionStore) -> None:
    await store.open()
    await store.close()
    await store.close()
