"""`rate_limit` on methods and classes, what the refused are told, and a store that is down."""

from __future__ import annotations

import asyncio
import secrets
from typing import TYPE_CHECKING, Any

import pytest
import tornado.web
from sqlalchemy import text
from tornado.httpclient import HTTPClientError
from tornado.httpserver import HTTPServer
from tornado.testing import bind_unused_port
from tornado.websocket import websocket_connect

from tests.handlers.conftest import User
from tests.sessions.redis_server import free_port
from tornkit import (
    PUBLIC,
    SIGNED_IN,
    Application,
    BaseHandler,
    Module,
    Settings,
    WebSocketHandler,
    path,
    rate_limit,
)
from tornkit.errors import (
    AppError,
    SessionError,
    SettingsError,
    StoreUnavailable,
    TooManyRequests,
)
from tornkit.security.limits import MemoryLimitStore, Rate
from tornkit.security.limits.sql import SQLLimitStore
from tornkit.sessions import MemoryStore

if TYPE_CHECKING:
    from pathlib import Path

    from tests.handlers.conftest import StartSite
    from tornkit.testing import Client

HTML = {"Accept": "text/html"}
JSON = {"Accept": "application/json"}
MEMORY: dict[str, object] = {"session.store": "memory://"}


class Search(BaseHandler):
    runs = 0

    @rate_limit("2/minute")
    async def get(self, term: str = "") -> None:
        Search.runs += 1
        self.response_json(term=term)

    @rate_limit("2/minute")
    def post(self) -> None:
        self.response_json(posted=True)

    async def put(self) -> None:
        self.response_json(put=True)


@rate_limit("2/minute")
class Report(BaseHandler):
    async def get(self) -> None:
        self.response_json()

    def post(self) -> None:
        self.response_json()


class Plain(tornado.web.RequestHandler):
    @rate_limit("2/minute")
    def get(self) -> None:
        self.write("plain")


@rate_limit("2/minute")
class Chat(WebSocketHandler):
    async def on_message(self, message: str | bytes) -> None:
        await self.write_message(message)


class Other(BaseHandler):
    @rate_limit("2/minute")
    async def get(self) -> None:
        self.response_json()


class ByUser(BaseHandler):
    @rate_limit(Rate(2, 60), by="user")
    async def get(self) -> None:
        self.response_json()


class ByKey(BaseHandler):
    @rate_limit("2/minute", by=lambda handler: handler.get_argument("key"))
    async def get(self) -> None:
        self.response_json()


class ByNothing(BaseHandler):
    @rate_limit("2/minute", by=lambda handler: handler.get_argument("key", None))
    async def get(self) -> None:
        self.response_json()


class NamedOne(BaseHandler):
    @rate_limit("2/minute", name="both")
    async def get(self) -> None:
        self.response_json()


class NamedTwo(BaseHandler):
    @rate_limit("2/minute", name="both")
    async def get(self) -> None:
        self.response_json()


class Form(BaseHandler):
    async def get(self) -> None:
        self.response_json(TooManyRequests(6.2))


HANDLERS: dict[str, Any] = {
    "search": Search,
    "report": Report,
    "plain": Plain,
    "chat": Chat,
    "other": Other,
    "by-user": ByUser,
    "by-key": ByKey,
    "by-nothing": ByNothing,
    "one": NamedOne,
    "two": NamedTwo,
    "form": Form,
}
ROUTES = [path(f"/{name}", handler) for name, handler in HANDLERS.items()]
open_ = Module(name="open", access=PUBLIC, routes=[*ROUTES, path("/search/{term}", Search)])
members = Module(name="members", access=SIGNED_IN, routes=[path("/other", Other)])


async def statuses(client: Client, address: str, times: int = 3, method: str = "GET") -> list[int]:
    answers = [await client.request(method, address, headers=JSON) for _ in range(times)]
    return [answer.status_code for answer in answers]


async def test_the_refused_are_told_when_to_come_back_as_json(start: StartSite) -> None:
    client = await start(open_, overrides=MEMORY)
    before = Search.runs
    assert await statuses(client, "/open/search") == [200, 200, 429]
    assert Search.runs == before + 2
    answer = await client.get("/open/search", headers=JSON)
    assert answer.json() == {"code": 429, "message": "Too many attempts. Try again later."}
    assert 29 <= int(answer.headers["Retry-After"]) <= 30


async def test_the_refused_are_told_when_to_come_back_on_a_page(start: StartSite) -> None:
    client = await start(open_, overrides=MEMORY)
    for _ in range(3):
        answer = await client.get("/open/search", headers=HTML)
    assert answer.status_code == 429
    assert "Too many attempts. Try again later." in answer.text
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert "Retry-After" in answer.headers


async def test_an_answer_of_ones_own_carries_the_header_too(start: StartSite) -> None:
    client = await start(open_, overrides=MEMORY)
    answer = await client.get("/open/form")
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "7")


async def test_any_error_may_say_when_to_come_back(start: StartSite) -> None:
    class Busy(BaseHandler):
        async def get(self) -> None:
            raise AppError(503, "the queue is full", retry_after=4.2)

    busy = Module(name="busy", access=PUBLIC, routes=[path("/", Busy)])
    client = await start(busy)
    answer = await client.get("/busy/", headers=JSON)
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")


async def test_production_shows_the_message_too(start: StartSite) -> None:
    production: dict[str, object] = {
        **MEMORY,
        "secret": secrets.token_urlsafe(32),
        "allowed_hosts": ["127.0.0.1"],
    }
    client = await start(
        open_, overrides=production, environment="production", user_model=None, migrate=()
    )
    await statuses(client, "/open/search")
    answer = await client.get("/open/search", headers=JSON)
    assert answer.json()["message"] == "Too many attempts. Try again later."


async def test_methods_count_apart_and_the_others_not_at_all(start: StartSite) -> None:
    client = await start(open_, overrides=MEMORY)
    assert await statuses(client, "/open/search") == [200, 200, 429]
    assert await statuses(client, "/open/search", method="POST") == [200, 200, 429]
    assert await statuses(client, "/open/search", method="PUT") == [200, 200, 200]


async def test_head_counts_as_get(start: StartSite) -> None:
    client = await start(open_, overrides=MEMORY)
    assert await statuses(client, "/open/search", method="HEAD") == [200, 200, 429]
    assert await statuses(client, "/open/search", 1) == [429]


async def test_every_route_to_a_method_counts(start: StartSite) -> None:
    client = await start(open_, overrides=MEMORY)
    answers = [await client.get(f"/open/search/{term}", headers=JSON) for term in "abc"]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert answers[1].json()["term"] == "b"


async def test_the_methods_of_a_class_count_together(start: StartSite) -> None:
    client = await start(open_, overrides=MEMORY)
    assert await statuses(client, "/open/report", 1) == [200]
    assert await statuses(client, "/open/report", 2, "POST") == [200, 429]
    assert await statuses(client, "/open/report", 1) == [429]
    assert await statuses(client, "/open/report", 1, "OPTIONS") == [204]


async def test_a_plain_handler_of_tornado_can_be_limited(start: StartSite) -> None:
    client = await start(open_, overrides=MEMORY)
    assert await statuses(client, "/open/plain") == [200, 200, 429]


async def test_a_websocket_is_refused_at_its_handshake(start: StartSite) -> None:
    client = await start(open_, overrides=MEMORY)
    url = str(client.base_url).replace("http", "ws", 1) + "/open/chat"
    for _ in range(2):
        connection = await websocket_connect(url)
        for _ in range(5):
            await connection.write_message("hello")
            assert await connection.read_message() == "hello"
        connection.close()
    with pytest.raises(HTTPClientError) as refused:
        await websocket_connect(url)
    assert refused.value.code == 429
    assert refused.value.response is not None
    assert "Retry-After" in refused.value.response.headers


async def test_handlers_count_apart_unless_they_share_a_name(start: StartSite) -> None:
    client = await start(open_, overrides=MEMORY)
    assert await statuses(client, "/open/search") == [200, 200, 429]
    assert await statuses(client, "/open/other") == [200, 200, 429]
    assert await statuses(client, "/open/one", 1) == [200]
    assert await statuses(client, "/open/two", 2) == [200, 429]
    assert await statuses(client, "/open/one", 1) == [429]


async def test_whom_the_door_turns_away_is_not_counted(start: StartSite) -> None:
    client = await start(members)
    assert await statuses(client, "/members/other", 5) == [401] * 5
    await client.sign_in()
    assert await statuses(client, "/members/other") == [200, 200, 429]


async def test_users_count_apart_and_strangers_by_their_address(start: StartSite) -> None:
    client = await start(open_)
    assert await statuses(client, "/open/by-user") == [200, 200, 429]
    for _ in range(2):
        await client.sign_in()
        assert await statuses(client, "/open/by-user") == [200, 200, 429]


async def test_a_function_says_what_is_counted_apart(start: StartSite) -> None:
    client = await start(open_, overrides=MEMORY)
    assert await statuses(client, "/open/by-key?key=a") == [200, 200, 429]
    assert await statuses(client, "/open/by-key?key=b") == [200, 200, 429]
    assert await statuses(client, "/open/by-key", 1) == [400]


async def test_a_function_that_gives_no_text_is_a_bug_that_is_named(
    start: StartSite, caplog: pytest.LogCaptureFixture
) -> None:
    client = await start(open_, overrides=MEMORY)
    assert await statuses(client, "/open/by-nothing", 1) == [500]
    assert "returned NoneType for ByNothing; expected a text" in caplog.text


async def test_addresses_are_networks(start: StartSite) -> None:
    client = await start(open_, overrides=MEMORY)
    limiter = client.application.limiter
    subjects: list[str] = []
    hit = limiter.hit

    async def spy(name: str, subject: str, rate: Rate) -> None:
        subjects.append(subject)
        assert name == "rate_limit tests.handlers.test_limiting:Other.get"
        await hit(name, subject, rate)

    limiter.hit = spy  # type: ignore[method-assign]
    await statuses(client, "/open/other", 1)
    assert subjects == ["address 127.0.0.1"]


async def test_a_store_that_is_down_lets_the_request_through_and_is_reported(
    start: StartSite, caplog: pytest.LogCaptureFixture
) -> None:
    down = f"redis://127.0.0.1:{free_port()}/0"
    client = await start(open_, overrides={**MEMORY, "limits.store": down})
    assert await statuses(client, "/open/search") == [200, 200, 200]
    (warning, *_) = [each for each in caplog.records if each.levelname == "WARNING"]
    assert "not counted: tests.handlers.test_limiting:Search.get: the limit store does not" in (
        warning.getMessage()
    )


async def test_a_block_that_writes_would_wait_for_its_own_count(start: StartSite) -> None:
    class Inside(BaseHandler):
        async def get(self) -> None:
            async with self.db():
                try:
                    await self.site.limiter.hit("x", "y", Rate(1, 1))  # type: ignore[union-attr]
                except Exception as error:  # noqa: BLE001 - shown to the test
                    refused = str(error)
            self.response_json(refused=refused)

    client = await start(Module(name="in", access=PUBLIC, routes=[path("/", Inside)]))
    answer = (await client.get("/in/")).json()
    assert "limits cannot be counted inside a self.db() block" in answer["refused"]


async def test_a_count_that_waits_for_a_block_does_not_make_the_block_wait_for_it(
    start: StartSite,
) -> None:
    client = await start(open_)
    limiter, database = client.application.limiter, client.application.databases.sql["default"]
    inside = asyncio.Event()

    async def count() -> None:
        await inside.wait()
        await limiter.hit("x", "y", Rate(9, 60))

    outside = asyncio.create_task(count())  # before the block, and so not within it
    async with database.session() as session:
        await session.execute(text("DELETE FROM notes"))
        inside.set()
        done, _ = await asyncio.wait([outside], timeout=0.1)
        assert not done
        with pytest.raises(SessionError, match=r"inside a self\.db\(\) block"):
            await asyncio.wait_for(limiter.hit("x", "y", Rate(9, 60)), 5)
    await outside


async def test_without_an_application_of_tornkit_it_says_what_it_needs(
    caplog: pytest.LogCaptureFixture,
) -> None:
    import httpx

    application = tornado.web.Application([("/", Other)])
    listening, port = bind_unused_port()
    server = HTTPServer(application)
    server.add_socket(listening)
    async with httpx.AsyncClient(trust_env=False) as client:
        assert (await client.get(f"http://127.0.0.1:{port}/")).status_code == 500
    server.stop()
    await server.close_all_connections()
    assert "rate_limit() needs a tornkit.Application" in caplog.text


@pytest.mark.parametrize("rate", ["", "often", "30", "0/m", "30/fortnight", None, 30])
def test_a_bad_rate_is_refused_where_it_is_written(rate: Any) -> None:
    with pytest.raises(ValueError, match=r"rate_limit\(\): rate is .*30/minute"):
        rate_limit(rate)


async def later(_: Any) -> str:
    return ""


@pytest.mark.parametrize(
    "by", ["ip", "", None, 3, later], ids=["ip", "empty", "None", "3", "async"]
)
def test_a_bad_by_is_refused_where_it_is_written(by: Any) -> None:
    with pytest.raises(ValueError, match=r"rate_limit\(\): by is .*'address', 'user'"):
        rate_limit("30/minute", by=by)


def test_an_empty_name_is_refused_where_it_is_written() -> None:
    with pytest.raises(ValueError, match=r"rate_limit\(\): name is empty"):
        rate_limit("30/minute", name="")


def test_it_decorates_methods_and_handlers_only() -> None:
    with pytest.raises(TypeError):
        rate_limit("30/minute")(int)


class TestApplication:
    async def test_limits_are_kept_where_sessions_are_unless_told_otherwise(
        self, start: StartSite
    ) -> None:
        client = await start(open_)
        limiter = client.application.limiter
        assert client.application.site.limiter is limiter
        await limiter.hit("x", "y", Rate(1, 3600))
        database = client.application.databases.sql["default"]
        async with database.connect(write=False) as connection:
            found = await connection.exec_driver_sql("SELECT count(*) FROM tornkit_limit")
            assert found.scalar() == 1

    async def test_a_bind_of_their_own_gets_the_tables(
        self, start: StartSite, tmp_path: Path
    ) -> None:
        client = await start(
            open_,
            overrides={
                **MEMORY,
                "limits.store": "database://counts",
                "databases.counts": f"sqlite:///{tmp_path / 'counts.db'}",
            },
        )
        assert await statuses(client, "/open/search") == [200, 200, 429]
        await client.application.limiter.store.ping()

    async def test_tries_to_sign_in_are_counted(self, start: StartSite) -> None:
        client = await start(open_, overrides={**MEMORY, "accounts.sign_in_per_account": "2/h"})
        accounts = client.application.accounts
        assert accounts is not None
        for _ in range(2):
            assert await accounts.authenticate("a@b.example", "wrong", address="::1") is None
        with pytest.raises(TooManyRequests):
            await accounts.authenticate("a@b.example", "wrong", address="::1")

    async def test_tries_that_cannot_be_counted_are_refused(self, start: StartSite) -> None:
        down = f"redis://127.0.0.1:{free_port()}/0"
        client = await start(open_, overrides={**MEMORY, "limits.store": down})
        assert client.application.accounts is not None
        with pytest.raises(StoreUnavailable, match="the limit store"):
            await client.application.accounts.authenticate("a@b.example", "wrong", address="::1")

    def test_a_store_that_does_not_exist_is_refused_with_its_origin(self, tmp_path: Path) -> None:
        (tmp_path / "settings.toml").write_text('[limits]\nstore = "database://nowhere"\n')
        with pytest.raises(SettingsError) as refused:
            make(tmp_path)
        (problem,) = refused.value.problems
        assert (problem.key, problem.origin) == ("limits.store", "settings.toml:2")
        assert "database://default" in problem.expected

    def test_a_store_that_is_refused_keeps_its_password_to_itself(self, tmp_path: Path) -> None:
        password = secrets.token_hex(8)
        url = f"redis://:{password}@host/no-number"
        with pytest.raises(SettingsError, match=r"limits\.store is 'redis://…'") as refused:
            make(tmp_path, **{"limits.store": url})
        assert "the URL of the limit store cannot be used" in str(refused.value)
        assert password not in str(refused.value)

    def test_beside_a_session_store_of_ones_own_tries_to_sign_in_are_shared(
        self, tmp_path: Path
    ) -> None:
        settings = Settings.load("testing", project_dir=tmp_path)
        for user_model, kind in ((None, MemoryLimitStore), (User, SQLLimitStore)):
            application = Application(
                settings, modules=[], user_model=user_model, session_store=MemoryStore()
            )
            assert type(application.limiter.store) is kind

    async def test_expired_limits_are_cleared_while_it_runs(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        cleared = asyncio.Event()
        monkeypatch.setattr("tornkit.application.composer._CLEAR_EXPIRED_FIRST", 0.0)
        application = make(tmp_path, **{"session.store": "memory://"})

        async def fail() -> int:
            raise StoreUnavailable("the sessions are down")

        async def clear() -> int:
            cleared.set()
            return 0

        monkeypatch.setattr(application.sessions, "clear_expired", fail)
        monkeypatch.setattr(application.limiter, "clear_expired", clear)
        async with application:
            await asyncio.wait_for(cleared.wait(), 5)


def make(folder: Path, **overrides: object) -> Application:
    settings = Settings.load("testing", project_dir=folder, overrides=overrides)
    return Application(settings, modules=[])
