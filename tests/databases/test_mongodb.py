"""A MongoDB database: its URL, its errors, its outages."""

from __future__ import annotations

import asyncio
import datetime
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
from pymongo import errors

from tests.databases.mongo_server import MongoServer
from tests.sessions.redis_server import free_port
from tornkit.databases.mongodb import MongoDatabase
from tornkit.errors import DatabaseError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

SECRET = "hun%40ter2"


@asynccontextmanager
async def opened(url: str, **options: Any) -> AsyncIterator[MongoDatabase]:
    database = MongoDatabase("catalog", url, options)
    await database.open()
    try:
        yield database
    finally:
        await database.close()


@pytest.fixture(scope="module")
def server() -> Iterator[MongoServer]:
    with MongoServer() as server:
        yield server


@pytest.fixture
def own_server() -> Iterator[MongoServer]:
    with MongoServer() as server:
        yield server


async def failure(work: Any) -> BaseException:
    try:
        await work
    except Exception as error:  # noqa: BLE001 - whatever it is, it is looked at
        return error
    raise AssertionError("it did not fail")


# --- the URL ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "match"),
    [
        (f"mongodb://u:{SECRET}@host", "names no database after the host"),
        (f"mongodb://u:{SECRET}@host/", "names no database"),
        (f"mongodb://u:{SECRET}@host/?w=1", "names no database"),
        (f"mongodb://u:{SECRET}@host/a.b", "no name of a database"),
        (f"mongodb://u:{SECRET}@/catalog", "names no host"),
        (f"mongodb://u:{SECRET}@one,,two/catalog", "names no host"),
        (f"mongodb://u:{SECRET}@host:port/catalog", "one of its hosts cannot be read"),
        (f"mongodb://u:{SECRET}@host:0/catalog", "a port is none from 1"),
        ("mongodb://u:hun/ter@host/catalog", "cannot be read"),
        ("mongodb://u:hun@ter@host/catalog", "not percent-encoded"),
        ("mongodb://u:hun%ter@host/catalog", "not percent-encoded"),
        (f"mongodb://:{SECRET}@host/catalog", "not percent-encoded"),
        (f"mongodb+srv://u:{SECRET}@one,two/catalog", "names one host"),
        (f"mongodb+srv://u:{SECRET}@host:27017/catalog", "names one host, without a port"),
        (f"mongodb://u:{SECRET}@host/catalog?w=1&W=2", "sets W twice"),
        (f"mongodb://u:{SECRET}@host/catalog?tls", "gives tls no value"),
    ],
)
def test_a_wrong_url_is_refused_without_being_quoted(url: str, match: str) -> None:
    with pytest.raises(DatabaseError, match=match) as caught:
        MongoDatabase("catalog", url)
    error = caught.value
    assert error.check_id == "databases.url"
    assert "hun" not in f"{error!r} {error} {error.__cause__!r} {error.__context__!r}"
    assert "\n" not in str(error)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        (f"mongodb://me:{SECRET}@host/shop?authSource=x", "mongodb://me:***@host/shop"),
        ("mongodb://a,b:2,[::1]:3/shop?replicaSet=r", "mongodb://a,b:2,[::1]:3/shop"),
        (f"mongodb+srv://me:{SECRET}@a.b.net/shop", "mongodb+srv://me:***@a.b.net/shop"),
    ],
)
def test_the_password_and_the_options_are_not_shown(url: str, shown: str) -> None:
    database = MongoDatabase("catalog", url)
    assert repr(database) == f"<MongoDatabase 'catalog' {shown}>"
    assert "hun" not in f"{database._parts!r}"


async def test_an_option_that_pymongo_does_not_know_is_refused() -> None:
    for query in ("nonsense=1", "maxPoolSize=many", "authMechanism=hunter"):
        database = MongoDatabase("catalog", f"mongodb://u:{SECRET}@host/shop?{query}")
        with pytest.raises(DatabaseError, match="its URL cannot be used") as caught:
            await database.open()
        assert caught.value.check_id == "databases.url"
        assert "hun@ter2" not in f"{caught.value} {caught.value.__context__!r}"
        assert not database.is_open


async def test_the_url_and_the_options_reach_the_driver() -> None:
    url = "mongodb://me:pw@one,two:2/shop?replicaSet=r&tls=true&timeoutMS=700&tz_aware=false"
    async with opened(url, pool_size=7) as catalog:
        options = catalog.client.options
        assert options.pool_options.max_pool_size == 7
        assert options.pool_options.connect_timeout == 2.0
        assert options.timeout == 0.7
        assert options.replica_set_name == "r"
        assert options.pool_options._ssl_context is not None
        assert not options.codec_options.tz_aware
        assert options.codec_options.uuid_representation == 4
        assert catalog.database.name == "shop"


def test_what_the_url_sets_no_option_sets() -> None:
    with pytest.raises(DatabaseError, match="set timeout, and its URL sets timeoutMS"):
        MongoDatabase("catalog", "mongodb://h/d?timeoutms=5", {"timeout": 3})


async def test_only_what_the_server_is_at_fault_for_is_explained() -> None:
    async with opened("mongodb://one:1,two:2/shop") as catalog:
        told = {
            errors.AutoReconnect("one:1: connection closed"): "the connection broke",
            errors.NetworkTimeout("two:2: timed out"): "gave no answer in time",
            errors.ServerSelectionTimeoutError("No servers"): "no server of it can be reached",
            errors.WaitQueueTimeoutError("waited"): "gave no answer in time",
            errors.ExecutionTimeout("exceeded time limit", 50): "gave no answer in time",
            errors.OperationFailure("Authentication failed.", 18): "refuses the user",
            errors.OperationFailure(
                "Command find requires authentication", 13
            ): "refuses the user",
        }
        for error, words in told.items():
            explained = catalog.explain(error)
            assert explained is not None, error
            assert words in str(explained)
            assert explained.check_id == "databases.unavailable"
        for mine in [
            errors.AutoReconnect("three:3: connection closed"),
            errors.DuplicateKeyError("E11000 duplicate key", 11000),
            errors.OperationFailure("not authorized on shop to execute command", 13),
            errors.InvalidOperation("Cannot use AsyncMongoClient after close"),
            KeyError("x"),
        ]:
            assert catalog.explain(mine) is None, mine


async def test_a_server_that_is_down_is_told_in_one_line() -> None:
    port = free_port()
    async with opened(f"mongodb://u:{SECRET}@127.0.0.1:{port}/shop", timeout=0.1) as catalog:
        with pytest.raises(DatabaseError) as caught:
            await catalog.ping()
        assert f"127.0.0.1:{port}: [Errno 111] Connect" in str(caught.value)
        assert caught.value.check_id == "databases.unavailable"
        assert "hun" not in f"{caught.value} {caught.value.__cause__!r}"


# --- at work ---------------------------------------------------------------------------------


@pytest.mark.slow
async def test_documents_come_back_with_aware_dates(server: MongoServer) -> None:
    async with opened(server.url) as catalog:
        await catalog.ping()
        books = catalog.database.books
        now = datetime.datetime(2030, 1, 2, 3, 4, 5, tzinfo=datetime.UTC)
        key = (await books.insert_one({"title": "Æ", "at": now})).inserted_id
        assert await books.find_one({"_id": key}) == {"_id": key, "title": "Æ", "at": now}
        again = await failure(books.insert_one({"_id": key}))
        assert isinstance(again, errors.DuplicateKeyError)
        assert catalog.explain(again) is None


@pytest.mark.slow
async def test_it_opens_and_closes_twice_and_opens_again(server: MongoServer) -> None:
    async with opened(server.url) as catalog:
        client = catalog.client
        await catalog.open()
        assert catalog.client is client
        await catalog.ping()
        await catalog.close()
        await catalog.close()
        assert catalog.explain(await failure(client.admin.command("ping"))) is None
        await catalog.open()
        await catalog.ping()


@pytest.mark.slow
async def test_five_hundred_tasks_share_ten_connections(server: MongoServer) -> None:
    async with opened(server.url, pool_size=10, timeout=30) as catalog:
        crowd = catalog.database.crowd

        async def visit(number: int) -> None:
            await crowd.insert_one({"_id": number})
            assert await crowd.find_one({"_id": number}) == {"_id": number}

        await asyncio.gather(*map(visit, range(500)))
        assert await crowd.count_documents({}) == 500


@pytest.mark.slow
async def test_cancelled_operations_leave_no_answer_and_no_socket_behind(
    server: MongoServer,
) -> None:
    async with opened(server.url, pool_size=5) as catalog:
        kept = catalog.database.kept
        await kept.insert_many([{"_id": number} for number in range(10)])
        cancelled = 0
        for number in range(200):
            task = asyncio.ensure_future(kept.find_one({"_id": number % 10}))
            await asyncio.wait([task], timeout=0.0001 * (number % 20))
            task.cancel()
            await asyncio.wait([task])
            cancelled += task.cancelled()
        assert cancelled > 20
        found = await asyncio.gather(*(kept.find_one({"_id": n % 10}) for n in range(100)))
        assert found == [{"_id": n % 10} for n in range(100)]
    # An unclosed socket would be a warning, and a warning is an error.


@pytest.mark.slow
async def test_a_frozen_server_is_an_error_in_time(own_server: MongoServer) -> None:
    async with opened(own_server.url, pool_size=2) as catalog:
        await catalog.ping()
        own_server.stop()
        began = time.perf_counter()

        async def late() -> float:
            error = await failure(catalog.database.books.find_one())
            assert (explained := catalog.explain(error)) is not None
            assert explained.check_id == "databases.unavailable"
            return time.perf_counter() - began

        assert max(await asyncio.gather(*(late() for _ in range(10)))) < 7
        with pytest.raises(DatabaseError, match=r"no answer within 0.2 s"):
            await catalog.ping(0.2)
        own_server.go_on()
        await catalog.ping()


@pytest.mark.slow
async def test_a_server_that_comes_back_is_found_again(own_server: MongoServer) -> None:
    async with opened(own_server.url, timeout=1.0) as catalog:
        books, failed = catalog.database.books, []
        await books.insert_one({"_id": 1})
        done = asyncio.Event()

        async def visit() -> None:
            while not done.is_set():
                try:
                    assert await books.find_one({"_id": 1}) == {"_id": 1}
                except errors.PyMongoError as error:
                    failed.append((time.monotonic(), error))

        visits = [asyncio.create_task(visit()) for _ in range(10)]
        await asyncio.sleep(0.2)
        await asyncio.to_thread(own_server.kill)
        await asyncio.sleep(1.5)
        await asyncio.to_thread(own_server.start)
        back = time.monotonic()
        await asyncio.sleep(1.5)
        done.set()
        await asyncio.gather(*visits)
        assert failed
        assert all(catalog.explain(error) is not None for _, error in failed)
        assert not [error for when, error in failed if when > back + 1.0]
        assert await books.find_one({"_id": 1}) == {"_id": 1}
