"""What handlers reach besides SQL, and what is answered when it is away."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import pytest

from tests.databases.mongo_server import MongoServer
from tests.sessions.redis_server import RedisServer, free_port
from tornkit import PUBLIC, BaseHandler, Module, path

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.handlers.conftest import StartSite

LIMIT = 2.5  # seconds, for connecting to a silent server and its answer


class Counter(BaseHandler):
    async def get(self) -> None:
        visits = await self.redis("cache").incr("resources:visits")
        self.response_json(visits=visits)


class Books(BaseHandler):
    async def post(self) -> None:
        books = self.mongo("catalog").books
        await books.insert_one({"title": self.get_body_argument("title")})
        self.response_json(count=await books.count_documents({}))


class Both(BaseHandler):
    async def get(self) -> None:
        found = await self.gather(
            {"visits": self.redis("cache").get("nothing"), "open": asyncio.sleep(0, "yes")},
            timeout=2,
        )
        self.response_json(visits=found["visits"], open=found["open"])


class Late(BaseHandler):
    async def get(self) -> None:
        await self.gather(asyncio.Event().wait(), timeout=0.01)


class Open(BaseHandler):
    async def get(self) -> None:
        self.response_json(open=True)


class Wrong(BaseHandler):
    async def get(self, name: str) -> None:
        self.redis(name)


class Mistake(BaseHandler):
    async def get(self) -> None:
        redis = self.redis("cache")
        await redis.set("resources:text", "words")
        await redis.incr("resources:text")


class Cached(BaseHandler):
    async def get(self) -> None:
        found = await self.cache.get_or_set("answer", self.compute, ttl=60)
        self.response_json(found=found)

    async def compute(self) -> int:
        return 42


home = Module(
    name="home",
    access=PUBLIC,
    routes=[
        path("/counter", Counter),
        path("/books", Books),
        path("/both", Both),
        path("/late", Late),
        path("/open", Open),
        path("/wrong/{name}", Wrong),
        path("/mistake", Mistake),
        path("/cached", Cached),
    ],
)


def at(port: int) -> dict[str, object]:
    return {"databases.default": "sqlite://", "databases.cache": f"redis://127.0.0.1:{port}/0"}


@pytest.fixture(scope="module")
def redis() -> Iterator[RedisServer]:
    with RedisServer() as server:
        yield server


@pytest.mark.slow
async def test_each_is_reached_in_one_line(start: StartSite, redis: RedisServer) -> None:
    with MongoServer() as mongo:
        client = await start(home, overrides=at(redis.port) | {"databases.catalog": mongo.url})
        assert (await client.get("/counter")).json()["visits"] == 1
        assert (await client.get("/counter")).json()["visits"] == 2
        answer = await client.post("/books", data={"title": "Emma"})
        assert answer.json()["count"] == 1
        answer = await client.get("/both")
        assert answer.json() == {"code": 0, "message": "", "visits": None, "open": "yes"}


async def test_a_server_that_is_away_is_a_503_with_one_line(
    start: StartSite, caplog: pytest.LogCaptureFixture
) -> None:
    client = await start(home, overrides=at(free_port()))
    answer = await client.get("/counter", headers={"Accept": "application/json"})
    assert (answer.status_code, answer.json()["code"]) == (503, 503)
    (line,) = [each for each in caplog.records if each.name == "tornkit.handlers"]
    assert "503 GET /counter" in line.message
    assert "database 'cache': cannot be reached" in line.message
    assert line.exc_info is None


async def test_a_mistake_with_a_server_that_answers_stays_a_500(
    start: StartSite, redis: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    client = await start(home, overrides=at(redis.port))
    assert (await client.get("/mistake")).status_code == 500
    assert [each.name for each in caplog.records if each.exc_info] == ["tornado.application"]


@pytest.mark.slow
async def test_a_frozen_redis_is_a_503_in_time_and_other_pages_go_on(
    start: StartSite, redis: RedisServer
) -> None:
    client = await start(home, overrides=at(redis.port))
    assert (await client.get("/counter")).status_code == 200
    redis.stop()
    try:
        began = time.monotonic()
        waiting = [asyncio.create_task(client.get("/counter")) for _ in range(30)]
        for _ in range(5):
            assert (await client.get("/open")).status_code == 200
        assert time.monotonic() - began < 1
        answers = await asyncio.gather(*waiting)
        assert {answer.status_code for answer in answers} == {503}
        assert time.monotonic() - began < LIMIT
    finally:
        redis.go_on()
    assert (await client.get("/counter")).status_code == 200


async def test_a_deadline_that_passes_is_a_503(
    start: StartSite, caplog: pytest.LogCaptureFixture
) -> None:
    client = await start(home, overrides={"databases.default": "sqlite://"})
    assert (await client.get("/late")).status_code == 503
    assert "1 of 1 did not end within 0.01 s: Event.wait" in caplog.text


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("cach", "did you mean 'cache'?"),
        (
            "default",
            "'default' is no Redis database but a SQL one; reach it with self.db",
        ),
    ],
)
async def test_a_wrong_name_says_what_to_do(
    start: StartSite, caplog: pytest.LogCaptureFixture, name: str, says: str
) -> None:
    client = await start(home, overrides=at(free_port()))
    assert (await client.get(f"/wrong/{name}")).status_code == 500
    assert says in caplog.text


async def test_the_cache_is_the_sites(start: StartSite) -> None:
    client = await start(home, overrides={"databases.default": "sqlite://"})
    assert (await client.get("/cached")).json()["found"] == 42
    assert await client.application.cache.get("answer") == 42
