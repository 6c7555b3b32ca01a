"""What every limit store does, on every backend that is there."""

from __future__ import annotations

import asyncio
import hashlib
import json
import random
import subprocess
import sys
import time
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from tests.contracts.limit_hits import KEY
from tests.security.limit_stores import KINDS, SHARED, open_store, place_of
from tests.sessions.redis_server import free_port
from tornkit.accounts.resets import reset_token_metadata
from tornkit.databases import Databases
from tornkit.errors import StoreUnavailable
from tornkit.security.limits import LimitStore, MemoryLimitStore, Rate
from tornkit.security.limits.redis import RedisLimitStore
from tornkit.security.limits.sql import SQLLimitStore, metadata

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from sqlalchemy import Connection, MetaData

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
T0 = 1_700_000_000.25
RATE = Rate(10, 60)  # one every 6 seconds, after 10 at once
PROCESSES = 4
HITS = 200
PROMPT = 1.5  # seconds


def digest(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()


A, B = digest("a"), digest("b")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], str]]:
    """Make one place for each kind of store, on first use."""
    urls: dict[str, str] = {}
    with ExitStack() as stack:

        def url_of(kind: str) -> str:
            if kind not in urls:
                folder = tmp_path_factory.mktemp("limits")
                urls[kind] = stack.enter_context(place_of(kind, folder))
            return urls[kind]

        yield url_of


@pytest.fixture(
    params=[
        pytest.param(kind, marks=[pytest.mark.slow] * (kind in ("postgresql", "mysql", "redis")))
        for kind in KINDS
    ]
)
async def store(
    request: pytest.FixtureRequest, place: Callable[[str], str]
) -> AsyncIterator[LimitStore]:
    async with open_store(request.param, place(request.param)) as opened:
        yield opened


async def let_through(
    store: LimitStore, times: int, key: str = A, rate: Rate = RATE, now: float = T0
) -> int:
    """Hit so often; return how many of them counted."""
    return [await store.hit(key, rate, now) for _ in range(times)].count(0.0)


class TestHit:
    async def test_a_full_burst_may_come_at_once_and_no_more(self, store: LimitStore) -> None:
        waits = [await store.hit(A, RATE, T0) for _ in range(12)]
        assert waits == [0.0] * 10 + [pytest.approx(6)] * 2

    @pytest.mark.parametrize(
        "rate",
        [
            Rate(1, 1),
            Rate(1, 86_400),
            Rate(3, 1),
            Rate(7, 60),
            Rate(60, 1),
            Rate(49, 3600),
        ],
        ids=str,
    )
    async def test_a_burst_is_exact_at_any_rate(self, store: LimitStore, rate: Rate) -> None:
        assert await let_through(store, rate.times + 5, rate=rate) == rate.times

    async def test_after_that_each_part_of_the_period_brings_one(self, store: LimitStore) -> None:
        assert await let_through(store, 20) == 10
        assert await let_through(store, 5, now=T0 + 5.99) == 0
        assert await let_through(store, 5, now=T0 + 6) == 1
        assert await let_through(store, 5, now=T0 + 30) == 4

    async def test_who_waits_as_long_as_was_said_is_let_through(self, store: LimitStore) -> None:
        numbers, now = random.Random(3), T0
        for _ in range(15):
            wait = await store.hit(A, RATE, now)
            if wait:
                assert await store.hit(A, RATE, now + wait * 0.99) > 0
                now += wait
                assert await store.hit(A, RATE, now) == 0.0
            now += numbers.random()

    async def test_a_refusal_counts_nothing(self, store: LimitStore) -> None:
        await let_through(store, 100)
        assert await store.hit(A, RATE, T0 + 6) == 0.0

    async def test_after_the_period_a_full_burst_may_come_again(self, store: LimitStore) -> None:
        await let_through(store, 10)
        assert await let_through(store, 20, now=T0 + 60) == 10

    async def test_a_long_rest_saves_nothing_up(self, store: LimitStore) -> None:
        await store.hit(A, RATE, T0)
        assert await let_through(store, 30, now=T0 + 86_400) == 10

    async def test_keys_do_not_mix(self, store: LimitStore) -> None:
        assert await let_through(store, 11, A) == 10
        assert await let_through(store, 11, B) == 10

    async def test_a_shorter_rate_does_not_wait_for_what_a_longer_one_left(
        self, store: LimitStore
    ) -> None:
        await let_through(store, 10, rate=Rate(10, 86_400))
        assert await store.hit(A, RATE, T0) == pytest.approx(6)
        assert await store.hit(A, RATE, T0 + 6) == 0.0

    async def test_a_clock_that_is_set_back_locks_nobody_out(self, store: LimitStore) -> None:
        await let_through(store, 10, now=T0 + 10 * 365 * 86_400)
        assert await store.hit(A, RATE, T0) == pytest.approx(6)
        assert await store.hit(A, RATE, T0 + 6) == 0.0

    async def test_30_at_once_are_10(self, store: LimitStore) -> None:
        waits = await asyncio.gather(*(store.hit(A, RATE, T0) for _ in range(30)))
        assert waits.count(0.0) == 10

    async def test_a_cancelled_hit_happened_or_did_not(self, store: LimitStore) -> None:
        for number in range(10):
            hit = asyncio.ensure_future(store.hit(A, RATE, T0))
            for _ in range(number):
                await asyncio.sleep(0)
            hit.cancel()
            await asyncio.gather(hit, return_exceptions=True)
        left = await let_through(store, 20)
        assert 0 <= left <= 10
        assert await let_through(store, 5, now=T0 + 6) == 1


class TestForgiveAndForget:
    async def test_one_is_given_back(self, store: LimitStore) -> None:
        await let_through(store, 10)
        await store.forgive(A, RATE, T0)
        assert await let_through(store, 5) == 1

    async def test_hits_that_are_all_forgiven_never_happened(self, store: LimitStore) -> None:
        for number in range(40):
            assert await store.hit(A, RATE, T0 + number / 10) == 0.0
            await store.forgive(A, RATE, T0 + number / 10)
        assert await let_through(store, 20, now=T0 + 4) == 10

    async def test_no_more_is_given_back_than_there_is(self, store: LimitStore) -> None:
        await store.forgive(A, RATE, T0)
        await store.hit(A, RATE, T0)
        for _ in range(5):
            await store.forgive(A, RATE, T0)
        assert await let_through(store, 20) == 10

    async def test_parallel_ones_all_count(self, store: LimitStore) -> None:
        await let_through(store, 10)
        await asyncio.gather(*(store.forgive(A, RATE, T0) for _ in range(6)))
        assert await let_through(store, 20) == 6

    async def test_forgotten_is_as_if_never_hit(self, store: LimitStore) -> None:
        await let_through(store, 10)
        await store.forget(A)
        assert await let_through(store, 20) == 10

    async def test_only_the_key_itself_is_forgotten(self, store: LimitStore) -> None:
        await let_through(store, 10, B)
        await store.forget(A)
        assert await store.hit(B, RATE, T0) > 0


class TestClearing:
    async def test_only_what_is_over_is_cleared(self, store: LimitStore) -> None:
        await let_through(store, 1, A)
        await let_through(store, 5, B)
        forgets_by_itself = isinstance(store, RedisLimitStore)
        assert await store.clear_expired(T0) == 0
        assert await store.clear_expired(T0 + 10) == (0 if forgets_by_itself else 1)
        assert await let_through(store, 20, B) == 5

    async def test_any_number_at_once(self, store: LimitStore) -> None:
        many = 1100 if isinstance(store, MemoryLimitStore) else 20
        for number in range(many):
            await store.hit(digest(str(number)), RATE, T0)
        cleared = await store.clear_expired(T0 + 60)
        assert cleared == (0 if isinstance(store, RedisLimitStore) else many)

    async def test_batches_end(self, store: LimitStore, monkeypatch: pytest.MonkeyPatch) -> None:
        if not isinstance(store, SQLLimitStore):
            pytest.skip("only SQL clears in batches")
        monkeypatch.setattr("tornkit._transactions._CLEAR_BATCH", 3)
        for number in range(9):
            await store.hit(digest(str(number)), RATE, T0)
        assert await store.clear_expired(T0 + 60) == 9


class TestLife:
    async def test_ping(self, store: LimitStore) -> None:
        await store.ping()

    async def test_opening_and_closing_twice(self, store: LimitStore) -> None:
        await store.open()
        await store.open()
        assert await store.hit(A, RATE, T0) == 0.0
        await store.close()
        await store.close()


# --- shared by processes, and in need --------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("kind", SHARED)
async def test_200_hits_from_4_processes_let_exactly_50_through(
    kind: str, place: Callable[[str], str]
) -> None:
    url, prefix = place(kind), f"tornkit-test:{time.time_ns()}:"
    async with open_store(kind, url):
        pass  # made and empty
    command = [sys.executable, "-m", "tests.contracts.limit_hits", kind, url, prefix]
    started = []
    with ExitStack() as stack:
        for _ in range(PROCESSES):
            process = subprocess.Popen(  # noqa: ASYNC220 - nothing else runs meanwhile
                [*command, str(HITS // PROCESSES)],
                cwd=ROOT,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            started.append(stack.enter_context(process))
        for process in started:
            assert process.stdout
            assert process.stdout.readline() == "ready\n"
        for process in started:
            assert process.stdin
            process.stdin.write("go\n")
            process.stdin.flush()
        answers = [json.loads(process.stdout.readline()) for process in started if process.stdout]
    async with open_store(kind, url, prefix=prefix) as store:
        await store.forget(KEY)
    assert [answer["failed"] for answer in answers] == [0] * PROCESSES
    assert sum(answer["counted"] for answer in answers) == 50
    assert sum(answer["refused"] for answer in answers) == HITS - 50


async def refused_in_time(store: LimitStore) -> None:
    for attempt in (
        store.hit(A, RATE, T0),
        store.forgive(A, RATE, T0),
        store.forget(A),
        store.ping(),
    ):
        began = time.monotonic()
        with pytest.raises(StoreUnavailable, match="the limit store"):
            await attempt
        assert time.monotonic() - began < PROMPT


def url_at(kind: str, port: int) -> str:
    return f"{kind}://127.0.0.1:{port}/" + ("0" if kind == "redis" else "none")


@pytest.mark.parametrize("kind", ["postgresql", "mysql", "redis"])
async def test_a_store_that_is_down_says_so_in_time(kind: str) -> None:
    async with open_store(kind, url_at(kind, free_port()), prefix="unused:") as store:
        await refused_in_time(store)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["postgresql", "mysql", "redis"])
async def test_a_store_that_takes_connections_and_never_answers_is_given_up(kind: str) -> None:
    held = []

    async def hold(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        held.append(writer)

    async with await asyncio.start_server(hold, "127.0.0.1", 0) as listening:
        port = listening.sockets[0].getsockname()[1]
        async with open_store(kind, url_at(kind, port), prefix="unused:") as store:
            await refused_in_time(store)
            began = time.monotonic()
            hits = (store.hit(A, RATE, T0) for _ in range(30))
            answers = await asyncio.gather(*hits, return_exceptions=True)
            assert time.monotonic() - began < PROMPT
            assert {type(answer) for answer in answers} == {StoreUnavailable}
        for writer in held:
            writer.close()


async def test_a_missing_table_says_what_to_run(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'empty.db'}"
    async with Databases({"default": url}) as databases:
        store = SQLLimitStore(partial(databases.sql["default"].connect, prompt=True))
        with pytest.raises(StoreUnavailable, match="tornkit db upgrade") as caught:
            await store.hit(A, RATE, T0)
    assert A not in str(caught.value)


# --- the tables --------------------------------------------------------------------------


@pytest.mark.parametrize("declared", [metadata, reset_token_metadata], ids=["limits", "resets"])
@pytest.mark.parametrize("kind", ["sqlite", "postgresql", "mysql"])
async def test_the_library_makes_the_tables_of_limits_and_reset_tokens(
    kind: str, declared: MetaData, place: Callable[[str], str]
) -> None:
    def differences(connection: Connection) -> list[object]:
        context = MigrationContext.configure(
            connection,
            opts={
                "include_name": lambda name, kind, _: kind != "table" or name in declared.tables
            },
        )
        return list(compare_metadata(context, declared))

    async with Databases({"default": place(kind)}, library={"default"}) as databases:
        await databases.sql["default"].migrations.upgrade()
        async with databases.sql["default"].connect(write=False) as connection:
            assert await connection.run_sync(differences) == []
