"""When an answer leaves: after its block has committed, after its session is saved."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import func, select, text
from tornado.web import Finish, HTTPError, stream_request_body

from tests.handlers.conftest import Note
from tornkit import PUBLIC, BaseHandler, Module, path
from tornkit.errors import AnswerError, StoreUnavailable
from tornkit.sessions import MemoryStore

if TYPE_CHECKING:
    from tests.handlers.conftest import StartSite
    from tornkit.testing import Client


def home(*routes: Any) -> Module:
    return Module(name="home", access=PUBLIC, routes=list(routes))


class Saves(list[str]):
    """The saves that a store was asked for; ``first`` is set by the first one."""

    def __init__(self) -> None:
        super().__init__()
        self.first = asyncio.Event()


def slow_store(client: Client, seconds: float) -> Saves:
    """Slow the client's store down; return the list that its saves are noted in."""
    store, saves = client.application.sessions.store, Saves()
    for name in ("create", "apply", "rotate"):
        original = getattr(store, name)

        async def slowed(
            *args: Any, _original: Any = original, _name: str = name, **kw: Any
        ) -> Any:
            await asyncio.sleep(seconds)
            result = await _original(*args, **kw)
            saves.append(_name)
            saves.first.set()
            return result

        setattr(store, name, slowed)
    return saves


class Write(BaseHandler):
    async def post(self) -> None:
        async with self.db() as session:
            session.add(Note(text=self.get_argument("text")))
            self.redirect("/count")


class Count(BaseHandler):
    async def get(self) -> None:
        async with self.db(read_only=True) as session:
            count = await session.scalar(select(func.count()).select_from(Note))
        self.response_json(count=count)


async def test_a_redirect_leaves_only_after_its_block_has_committed(start: StartSite) -> None:
    client = await start(home(path("/write", Write), path("/count", Count)))
    for round_number in range(1, 21):
        answer = await client.post("/write", data={"text": f"n{round_number}"})
        assert answer.status_code == 302
        assert (await client.get(answer.headers["Location"])).json()["count"] == round_number


async def test_an_exception_in_a_block_drops_the_prepared_answer(start: StartSite) -> None:
    class Fails(BaseHandler):
        async def post(self) -> None:
            async with self.db() as session:
                session.add(Note(text="x"))
                self.response_json(saved=True)
                raise HTTPError(409)

    client = await start(home(path("/", Fails), path("/count", Count)))
    assert (await client.post("/")).status_code == 409
    assert (await client.get("/count")).json()["count"] == 0


async def test_a_failed_commit_sends_the_error_instead(start: StartSite) -> None:
    class Twice(BaseHandler):
        async def post(self) -> None:
            async with self.db() as session:
                session.add(Note(text="same"))
                self.set_header("X-Prepared", "yes")
                self.response_json(saved=True)

    client = await start(home(path("/", Twice)))
    assert (await client.post("/")).json()["saved"] is True
    answer = await client.post("/", headers={"Accept": "application/json"})
    assert answer.status_code >= 500
    assert "saved" not in answer.json()
    assert "X-Prepared" not in answer.headers


async def test_finish_in_a_block_commits_as_it_is_no_error(start: StartSite) -> None:
    class Ends(BaseHandler):
        async def post(self) -> None:
            async with self.db() as session:
                session.add(Note(text="kept"))
                self.set_status(202)
                raise Finish

    client = await start(home(path("/", Ends), path("/count", Count)))
    assert (await client.post("/")).status_code == 202
    assert (await client.get("/count")).json()["count"] == 1


async def test_an_inner_block_that_fails_keeps_the_answer_of_the_outer_one(
    start: StartSite,
) -> None:
    class Nested(BaseHandler):
        async def get(self) -> None:
            async with self.db("default", read_only=True):
                self.response_json(kept=True)
                try:
                    async with self.db("other", read_only=True):
                        raise LookupError
                except LookupError:
                    pass

    client = await start(
        home(path("/", Nested)),
        overrides={"databases.default": "sqlite:///a.db", "databases.other": "sqlite:///b.db"},
    )
    assert (await client.get("/")).json()["kept"] is True


@pytest.mark.parametrize("how", ["answer", "flush"])
async def test_an_answer_in_a_block_can_neither_be_awaited_nor_flushed(
    start: StartSite, how: str
) -> None:
    class Awaits(BaseHandler):
        async def get(self) -> None:
            with pytest.raises(AnswerError):
                async with self.db():
                    await (self.response_json() if how == "answer" else self.flush())
            self.response_json(raised=True)

    client = await start(home(path("/", Awaits)))
    assert (await client.get("/")).json()["raised"] is True


async def test_a_second_answer_is_refused_in_a_block_too(start: StartSite) -> None:
    class Twice(BaseHandler):
        async def get(self) -> None:
            async with self.db():
                self.response_json(first=True)
                with pytest.raises(RuntimeError, match="twice"):
                    self.finish()

    client = await start(home(path("/", Twice)))
    assert (await client.get("/")).json()["first"] is True


# --- sessions ----------------------------------------------------------------------------


class Store(BaseHandler):
    async def post(self) -> None:
        self.session["value"] = self.get_argument("value")
        self.redirect("/show")


class Show(BaseHandler):
    async def get(self) -> None:
        self.response_json(value=self.session.get("value"))


async def test_who_follows_a_redirect_at_once_sees_what_it_stored(start: StartSite) -> None:
    client = await start(home(path("/store", Store), path("/show", Show)))
    slow_store(client, 0.01)
    for number in range(20):
        answer = await client.post("/store", data={"value": str(number)})
        assert (await client.get(answer.headers["Location"])).json()["value"] == str(number)


async def test_an_answer_given_in_prepare_waits_for_the_session(start: StartSite) -> None:
    class Early(BaseHandler):
        def prepare(self) -> None:
            self.session["seen"] = True
            self.redirect("/show")

        async def get(self) -> None:
            raise AssertionError("prepare() has answered")

    client = await start(home(path("/", Early), path("/show", Show)))
    saves = slow_store(client, 0.01)
    assert (await client.get("/")).status_code == 302
    assert saves == ["create"]


async def test_an_early_answer_to_a_streaming_body_waits_for_the_session(
    start: StartSite,
) -> None:
    @stream_request_body
    class Upload(BaseHandler):
        def prepare(self) -> None:
            self.session["refused"] = True
            self.set_status(413)
            self.finish("too large")

        def data_received(self, chunk: bytes) -> None:
            raise AssertionError("the answer was given before the body")

        async def post(self) -> None:
            raise AssertionError("prepare() has answered")

    client = await start(home(path("/", Upload)))
    saves = slow_store(client, 0.02)
    reader, writer = await asyncio.open_connection("127.0.0.1", client.base_url.port)
    writer.write(b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n")
    answer = await reader.read()
    writer.close()
    assert answer.startswith(b"HTTP/1.1 413")
    assert answer.endswith(b"too large")
    assert saves == ["create"]


async def test_a_flush_saves_first_and_later_changes_are_saved_before_the_last_byte(
    start: StartSite,
) -> None:
    class Streams(BaseHandler):
        async def get(self) -> None:
            self.session["first"] = 1
            self.write("a")
            self.flush()
            self.write("b")
            await self.flush()
            self.session["second"] = 2
            self.finish("c")

    class Both(BaseHandler):
        async def get(self) -> None:
            self.response_json(**dict(self.session))

    client = await start(home(path("/", Streams), path("/both", Both)))
    saves = slow_store(client, 0.01)
    answer = await client.get("/")
    assert answer.text == "abc"
    assert saves == ["create", "apply"]
    assert (await client.get("/both")).json() == {
        "code": 0,
        "message": "",
        "first": 1,
        "second": 2,
    }


async def test_a_change_that_needs_a_cookie_after_the_headers_raises(start: StartSite) -> None:
    class TooLate(BaseHandler):
        async def get(self) -> None:
            self.write("a")
            await self.flush()
            try:
                self.session["x"] = 1
            except RuntimeError as error:
                self.finish(str(error))

    client = await start(home(path("/", TooLate)))
    assert "before the first flush()" in (await client.get("/")).text


@pytest.mark.parametrize(("status", "kept"), [(404, True), (500, False)])
async def test_a_change_is_kept_by_a_4xx_and_dropped_by_a_5xx(
    start: StartSite, status: int, kept: bool
) -> None:
    class Fails(BaseHandler):
        async def get(self) -> None:
            self.session["value"] = "x"
            raise HTTPError(status)

    client = await start(home(path("/", Fails), path("/show", Show)))
    assert (await client.get("/")).status_code == status
    assert ((await client.get("/show")).json()["value"] == "x") is kept


async def test_a_store_that_fails_while_saving_gives_503_and_one_log_line(
    start: StartSite, caplog: pytest.LogCaptureFixture
) -> None:
    client = await start(home(path("/store", Store)))

    async def down(*args: Any, **kwargs: Any) -> None:
        raise StoreUnavailable("the store is down")

    client.application.sessions.store.create = down  # type: ignore[method-assign]
    answer = await client.post(
        "/store", data={"value": "x"}, headers={"Accept": "application/json"}
    )
    assert answer.status_code == 503
    assert answer.json()["code"] == 503
    assert "Location" not in answer.headers
    assert "Set-Cookie" not in answer.headers
    assert [record.message for record in caplog.records if "down" in record.message] == [
        "503 POST /store (127.0.0.1): the store is down"
    ]


async def test_a_client_that_leaves_still_has_its_session_saved(start: StartSite) -> None:
    client = await start(home(path("/store", Store)))
    saves = slow_store(client, 0.05)
    _, writer = await asyncio.open_connection("127.0.0.1", client.base_url.port)
    writer.write(
        b"POST /store HTTP/1.1\r\nHost: localhost\r\nContent-Length: 7\r\n"
        b"Content-Type: application/x-www-form-urlencoded\r\n\r\nvalue=1"
    )
    await writer.drain()
    writer.close()
    await asyncio.wait_for(saves.first.wait(), 5)


async def test_what_needs_no_session_is_sent_at_once_without_a_task(start: StartSite) -> None:
    class Plain(BaseHandler):
        def get(self) -> None:
            self.finish("x")
            assert self._headers_written

    client = await start(home(path("/", Plain)))
    assert (await client.get("/")).text == "x"


async def test_a_sign_out_counts_even_if_the_request_then_fails(start: StartSite) -> None:
    class Out(BaseHandler):
        async def post(self) -> None:
            await self.sign_out()
            raise ZeroDivisionError

    class OutInBlock(BaseHandler):
        async def post(self) -> None:
            async with self.db() as session:
                session.add(Note(text="x"))
                await self.sign_out()
                raise ZeroDivisionError

    class Who(BaseHandler):
        async def get(self) -> None:
            self.response_json(user=self.current_user and self.current_user.id)

    client = await start(home(path("/out", Out), path("/block", OutInBlock), path("/who", Who)))
    for door in ("/out", "/block"):
        await client.sign_in()
        cookie = "; ".join(f"{name}={value}" for name, value in client.cookies.items())
        assert (await client.get("/who")).json()["user"] is not None
        assert (await client.post(door)).status_code == 500
        client.cookies.clear()
        stale = {"Cookie": cookie}
        assert (await client.get("/who", headers=stale)).json()["user"] is None


async def test_the_memory_store_is_chosen_by_its_url(start: StartSite) -> None:
    client = await start(home(path("/show", Show)), overrides={"session.store": "memory://"})
    assert isinstance(client.application.sessions.store, MemoryStore)


async def test_a_mistake_with_databases_is_a_bug_and_an_outage_is_a_503(
    start: StartSite,
) -> None:
    class Mistaken(BaseHandler):
        async def get(self) -> None:
            async with self.db("nowhere"):
                pass

    class Asks(BaseHandler):
        async def get(self) -> None:
            async with self.db("gone", read_only=True) as session:
                await session.execute(text("SELECT 1"))

    client = await start(
        home(path("/mistaken", Mistaken), path("/asks", Asks)),
        overrides={
            "databases.default": "sqlite:///a.db",
            "databases.gone": "postgresql://nobody@127.0.0.1:1/x",
            "session.store": "memory://",
        },
        migrate=["default"],
    )
    assert (await client.get("/mistaken")).status_code == 500
    assert (await client.get("/asks")).status_code == 503
