"""A Redis database: fair, prompt, and clear about what went wrong."""

from __future__ import annotations

import asyncio
import math
import os
import sys
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
from redis import exceptions

from tests import services
from tests.sessions.redis_server import RedisServer, free_port
from tornkit.databases._redis_pool import _sign
from tornkit.databases._redis_waits import asked_wait
from tornkit.databases.redis import RedisDatabase
from tornkit.errors import DatabaseError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

SECRET = "hun%40ter2"
PREFIX = f"tornkit-kinds:{os.getpid()}:"
OTHER = PREFIX + "other"


@asynccontextmanager
async def opened(url: str, **options: Any) -> AsyncIterator[RedisDatabase]:
    database = RedisDatabase("cache", url, options)
    await database.open()
    try:
        yield database
    finally:
        await database.close()


@pytest.fixture
def url() -> str:
    host, port = services.require("redis")
    return f"redis://{host}:{port}/0"


@pytest.fixture
async def cache(url: str) -> AsyncIterator[RedisDatabase]:
    async with opened(url) as database:
        yield database
        if database.is_open and (keys := await database.client.keys(PREFIX + "*")):
            await database.client.delete(*keys)


@pytest.fixture
def server() -> Iterator[RedisServer]:
    with RedisServer() as server:
        yield server


# --- the URL ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "match"),
    [
        (f"redis://:{SECRET}@", "names no host"),
        (f"redis://:{SECRET}@host:port/0", "port is no number"),
        (f"redis://:{SECRET}@host/cache", "number of a database"),
        (f"redis://:{SECRET}@host/0?socket_timeout=9", "it may set only"),
        (f"redis://:{SECRET}@host/0?decode_responses=perhaps", "neither true nor false"),
        (f"redis://:{SECRET}@host/0?decode_responses=true&decode_responses=true", "each once"),
        (f"http://:{SECRET}@host/0", "its scheme is none of"),
        ("unix://", "names no socket"),
    ],
    ids=["host", "port", "name", "option", "decode", "twice", "scheme", "socket"],
)
def test_a_wrong_url_is_refused_without_being_quoted(url: str, match: str) -> None:
    with pytest.raises(DatabaseError, match=match) as caught:
        RedisDatabase("cache", url)
    error = caught.value
    assert error.check_id == "databases.url"
    assert "hun" not in f"{error!r} {error} {error.__cause__!r} {error.__context__!r}"
    assert "\n" not in str(error)


def test_neither_user_nor_password_is_shown() -> None:
    database = RedisDatabase("cache", f"rediss://me:{SECRET}@host/3?ssl_cert_reqs=none")
    assert database.url == "rediss://host:6379/3"
    assert repr(database) == "<RedisDatabase 'cache' rediss://host:6379/3>"


def test_an_unknown_option_is_told_with_a_near_miss() -> None:
    with pytest.raises(DatabaseError, match="did you mean 'pool_size'"):
        RedisDatabase("cache", "redis://host", {"pol_size": 1})


def test_decoding_is_said_once() -> None:
    with pytest.raises(DatabaseError, match="both in its URL and in its options"):
        RedisDatabase("cache", "redis://h?decode_responses=true", {"decode_responses": False})


# --- what commands wait for ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "seconds"),
    [
        ("GET key", 0),
        ("BLPOP one two 5", 5),
        ("brpop one 0", math.inf),
        ("BLMOVE a b LEFT LEFT 0.5", 0.5),
        ("BLMPOP 2 1 key LEFT", 2),
        ("WAIT 1 500", 0.5),
        ("XREAD COUNT 1 BLOCK 250 STREAMS s $", 0.25),
        ("XREAD STREAMS block $", 0),
        ("XREADGROUP GROUP g c BLOCK 0 STREAMS s >", math.inf),
        ("MONITOR", math.inf),
        ("BLPOP key soon", 0),
        ("BLPOP", 0),
        ("XREAD BLOCK", 0),
        ("", 0),
    ],
)
def test_a_blocking_command_tells_how_long_it_waits(command: str, seconds: float) -> None:
    words = command.split()
    assert asked_wait(words) == seconds
    assert asked_wait([word.encode() for word in words]) == seconds


# --- at work ---------------------------------------------------------------------------------


async def test_commands_are_answered_as_text_or_as_bytes(url: str, cache: RedisDatabase) -> None:
    await cache.client.set(PREFIX + "name", "Åse")
    assert await cache.client.get(PREFIX + "name") == "Åse"
    async with opened(url + "?decode_responses=false") as raw:
        assert await raw.client.get(PREFIX + "name") == "Åse".encode()
    async with opened(url, decode_responses=False) as raw:
        assert await raw.client.get(PREFIX + "name") == "Åse".encode()


async def test_it_opens_and_closes_twice_and_opens_again(cache: RedisDatabase) -> None:
    client = cache.client
    await cache.open()
    assert cache.client is client
    await cache.ping()
    await cache.close()
    await cache.close()
    with pytest.raises(DatabaseError, match="is not open"):
        await cache.ping()
    await cache.open()
    await cache.ping()


async def test_a_small_pool_serves_a_crowd_in_turn(url: str) -> None:
    async with opened(url, pool_size=4) as cache:

        async def visit(number: int) -> list[Any]:
            await cache.client.set(f"{PREFIX}{number}", number, ex=60)
            return [await cache.client.get(f"{PREFIX}{number}") for _ in range(3)]

        answers = await asyncio.gather(*(visit(number) for number in range(150)))
        assert answers == [[str(number)] * 3 for number in range(150)]
        assert len(cache.client.connection_pool._in_use_connections) == 0


async def test_a_busy_task_does_not_keep_the_only_connection(url: str) -> None:
    async with opened(url, pool_size=1) as cache:
        served = asyncio.Event()

        async def hog() -> int:
            count = 0
            while not served.is_set():
                await cache.client.get(PREFIX)
                count += 1
            return count

        task = asyncio.create_task(hog())
        await asyncio.sleep(0)
        await cache.client.get(PREFIX)
        served.set()
        assert await task < 20


async def test_who_finds_no_free_connection_is_told(url: str) -> None:
    async with opened(url, pool_size=1, pool_timeout=0.02) as cache:
        blocked = asyncio.ensure_future(cache.client.blpop([PREFIX + "queue"], 5))
        await wait_until_blocked(url)
        with pytest.raises(exceptions.ConnectionError) as caught:
            await cache.client.get(PREFIX)
        explained = cache.explain(caught.value)
        assert explained is not None
        assert "no connection became free (within 0.02 s)" in str(explained)
        assert explained.check_id == "databases.unavailable"
        blocked.cancel()
        await asyncio.wait([blocked])
        assert await cache.client.get(PREFIX) is None


async def wait_until_blocked(url: str) -> None:
    """Return when a command waits at the server."""
    async with opened(url) as observer:
        while (await observer.client.info("clients"))["blocked_clients"] == 0:
            pass


async def test_cancelled_commands_leave_no_answer_behind(url: str) -> None:
    async with opened(url, pool_size=3) as cache:
        keys = [f"{PREFIX}cancel{number}" for number in range(10)]
        for key in keys:
            await cache.client.set(key, key, ex=60)
        cancelled = 0
        for number in range(200):
            task = asyncio.ensure_future(cache.client.get(keys[number % 10]))
            for _ in range(number % 13):
                await asyncio.sleep(0)
            task.cancel()
            task.cancel()
            await asyncio.wait([task])
            cancelled += task.cancelled()
        # Below 3.12 asyncio.wait_for may swallow a cancellation; the command then ends well.
        assert cancelled > (100 if sys.version_info >= (3, 12) else 10)
        assert await asyncio.gather(*map(cache.client.get, keys * 10)) == keys * 10
        pool: Any = cache.client.connection_pool
        assert pool._gate._value == 3


async def test_a_lock_that_is_held_is_no_fault_of_the_server(cache: RedisDatabase) -> None:
    await cache.client.set(PREFIX + "text", "text")
    for error in [
        await failure(cache.client.lpush(PREFIX + "text", "x")),
        await failure(cache.client.set(PREFIX + "text", "x", ex=-1)),
        exceptions.LockError("held"),
        ValueError("anything"),
    ]:
        assert cache.explain(error) is None


async def failure(work: Any) -> BaseException:
    try:
        await work
    except Exception as error:  # noqa: BLE001 - whatever it is, it is looked at
        return error
    raise AssertionError("it did not fail")


async def test_only_its_own_errors_are_explained() -> None:
    down = f"redis://127.0.0.1:{free_port()}/0"
    async with opened(down) as mine, opened(down) as other:
        error = await failure(mine.client.get("key"))
        explained = mine.explain(error)
        assert explained is not None
        assert explained.check_id == "databases.unavailable"
        assert str(explained).startswith("database 'cache': cannot be reached (Error 111")
        assert other.explain(error) is None
        with pytest.raises(DatabaseError, match="cannot be reached"):
            await mine.ping()


async def test_a_refused_password_is_told_and_not_shown(url: str) -> None:
    refused = url.replace("//", f"//nobody:{SECRET}@")
    async with opened(refused) as cache:
        with pytest.raises(DatabaseError, match="refuses the user or the password") as caught:
            await cache.ping()
    error = caught.value
    assert "hun" not in f"{error} {error.__cause__!r} {cache!r}"
    assert error.hint == "check its URL"


@pytest.mark.parametrize(
    "said",
    [
        "MISCONF Redis is configured to save RDB snapshots, but cannot persist",
        "NOREPLICAS Not enough good replicas to write.",
        "Command # 1 (SET secret value) of pipeline caused error: MISCONF Errors writing",
    ],
)
async def test_a_server_that_takes_nothing_is_unavailable(cache: RedisDatabase, said: str) -> None:
    error = exceptions.ResponseError(said)
    assert cache.explain(error) is None  # another client's
    _sign(error, cache)  # as its connection does
    explained = cache.explain(error)
    assert explained is not None
    assert "refuses the command for now" in str(explained)
    assert "secret" not in str(explained)


async def test_what_is_published_arrives(cache: RedisDatabase) -> None:
    async with cache.client.pubsub() as subscription:
        await subscription.subscribe(PREFIX + "news")
        assert (await anext(subscription.listen()))["type"] == "subscribe"
        await cache.client.publish(PREFIX + "news", "hello")
        assert (await anext(subscription.listen()))["data"] == "hello"


async def test_a_blocking_command_outlives_the_timeout_of_answers(url: str) -> None:
    async with opened(url, timeout=0.15) as cache:
        began = time.perf_counter()
        assert await cache.client.blpop([PREFIX + "none"], 0.2) is None
        assert time.perf_counter() - began > 0.19
        async with cache.client.pubsub() as subscription:
            await subscription.subscribe(PREFIX + "late")
            await anext(subscription.listen())
            listening = asyncio.ensure_future(anext(subscription.listen()))
            assert not (await asyncio.wait([listening], timeout=0.25))[0]
            await cache.client.publish(PREFIX + "late", "at last")
            assert (await listening)["data"] == "at last"
        # The patience was for those alone.
        for connection in cache.client.connection_pool._available_connections:
            assert connection.socket_timeout == 0.15


# --- outages ---------------------------------------------------------------------------------


@pytest.mark.slow
async def test_blocking_for_five_seconds_is_no_timeout(server: RedisServer) -> None:
    async with opened(server.url) as cache:
        assert await cache.client.blpop(["none"], 5) is None


@pytest.mark.slow
async def test_five_hundred_tasks_share_ten_connections() -> None:
    visits = [0] * 500
    with RedisServer("--appendonly", "no") as server:
        async with opened(server.url, pool_timeout=10) as cache:

            async def visit(number: int) -> None:
                for _ in range(20):
                    visits[number] = await cache.client.incr(f"visits:{number}")
                    assert visits[number] - min(visits) <= 2, "some wait too long"

            await asyncio.gather(*map(visit, range(500)))
            assert visits == [20] * 500
            assert (await cache.client.info("clients"))["connected_clients"] <= 10


@pytest.mark.slow
@pytest.mark.parametrize("warm", [True, False], ids=["warm", "cold"])
async def test_a_frozen_server_is_an_error_in_time(server: RedisServer, warm: bool) -> None:
    async with opened(server.url, pool_size=2) as cache:
        if warm:
            await asyncio.gather(*(cache.client.get("key") for _ in range(20)))
        server.stop()
        began = time.perf_counter()

        async def late() -> float:
            error = await failure(cache.client.get("key"))
            assert (explained := cache.explain(error)) is not None
            assert explained.check_id == "databases.unavailable"
            return time.perf_counter() - began

        assert max(await asyncio.gather(*(late() for _ in range(20)))) < 2.5
        with pytest.raises(DatabaseError, match=r"no answer within 0.2 s"):
            await cache.ping(0.2)
        server.go_on()
        assert await cache.client.set("key", "value")
        assert await cache.client.get("key") == "value"


@pytest.mark.slow
@pytest.mark.parametrize("how", ["kill", "freeze"])
async def test_a_server_that_comes_back_is_found_again(server: RedisServer, how: str) -> None:
    """Show that an outage costs at most one command a connection, once it is over."""
    async with opened(server.url, pool_size=5) as cache:
        errors: list[tuple[float, BaseException]] = []
        longest, done = 0.0, asyncio.Event()

        async def visit(number: int) -> None:
            nonlocal longest
            while not done.is_set():
                began = time.monotonic()
                try:
                    assert await cache.client.set(f"key{number}", number)
                    assert await cache.client.get(f"key{number}") == str(number)
                except exceptions.RedisError as error:
                    errors.append((time.monotonic(), error))
                    await asyncio.sleep(0.01)
                longest = max(longest, time.monotonic() - began)

        visits = [asyncio.create_task(visit(number)) for number in range(20)]
        await asyncio.sleep(0.2)
        await asyncio.to_thread(server.kill if how == "kill" else server.stop)
        await asyncio.sleep(1.5)
        assert errors
        assert all(cache.explain(error) is not None for _, error in errors)
        await asyncio.to_thread(server.start if how == "kill" else server.go_on)
        back = time.monotonic()
        await asyncio.sleep(1.5)
        done.set()
        await asyncio.gather(*visits)
        assert sum(when > back + 0.05 for when, _ in errors) <= 5
        assert longest < 2.5 * 2  # two commands
        assert await cache.client.get("key19") == "19"


@pytest.mark.slow
async def test_idle_connections_survive_a_restart(server: RedisServer) -> None:
    async with opened(server.url, pool_size=5) as cache:
        await asyncio.gather(*(cache.client.set(str(n), n) for n in range(50)))
        await asyncio.to_thread(server.kill)
        await asyncio.to_thread(server.start)
        answers = await asyncio.gather(*(cache.client.get(str(n)) for n in range(50)))
        assert answers == [str(n) for n in range(50)]


@pytest.mark.slow
async def test_a_subscription_goes_on_after_a_restart(server: RedisServer) -> None:
    async with opened(server.url) as cache, cache.client.pubsub() as subscription:
        await subscription.subscribe("news")
        await anext(subscription.listen())
        server.kill()
        assert cache.explain(await failure(anext(subscription.listen()))) is not None
        server.start()
        while (await anext(subscription.listen()))["type"] != "subscribe":
            pass
        await cache.client.publish("news", "again")
        assert (await anext(subscription.listen()))["data"] == "again"


@pytest.mark.slow
async def test_a_full_server_is_unavailable_and_says_why() -> None:
    with RedisServer("--maxmemory", "1mb") as server:
        async with opened(server.url) as cache:
            error = await failure(cache.client.set("key", "x" * 2_000_000))
            explained = cache.explain(error)
            assert explained is not None
            assert "refuses the command for now" in str(explained)
            assert "xx" not in str(explained)


@pytest.mark.slow
async def test_a_socket_of_unix_works() -> None:
    with RedisServer() as server:
        async with opened(f"unix://{server.socket}?db=1") as cache:
            await cache.client.set("key", "value")
            assert (await cache.client.info("keyspace")).keys() == {"db1"}
