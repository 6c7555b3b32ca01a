"""What goes wrong around an answer: hooks, timeouts, sibling tasks, saves still under way."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from pydantic import BaseModel, Field
from tornado.web import HTTPError

from tests.handlers.conftest import Note, User
from tests.handlers.test_lifecycle import Show, home, slow_store
from tornkit import BaseHandler, path
from tornkit.errors import AnswerError, SessionError

if TYPE_CHECKING:
    from tests.handlers.conftest import StartSite


async def test_an_answer_waits_for_its_own_blocks_and_for_no_other_tasks(start: StartSite) -> None:
    started, go = asyncio.Event(), asyncio.Event()

    class Beside(BaseHandler):
        async def work(self) -> None:
            async with self.db(read_only=True):
                started.set()
                await go.wait()

        async def get(self) -> None:
            beside = asyncio.create_task(self.work())
            await started.wait()
            await self.response_json()
            go.set()
            await beside

    client = await start(home(path("/", Beside)))
    assert (await client.get("/", timeout=3)).status_code == 200


async def test_a_failed_block_drops_its_answer_though_another_task_has_a_block_open(
    start: StartSite,
) -> None:
    answered, opened, failed = asyncio.Event(), asyncio.Event(), asyncio.Event()

    class Siblings(BaseHandler):
        async def fail(self) -> None:
            async with self.db(read_only=True):
                self.response_json(saved=True)
                answered.set()
                await opened.wait()
                raise HTTPError(409)

        async def other(self) -> None:
            await answered.wait()
            async with self.db("other", read_only=True):
                opened.set()
                await failed.wait()

        async def get(self) -> None:
            other = asyncio.create_task(self.other())
            try:
                await asyncio.create_task(self.fail())
            finally:
                failed.set()
                await other

    client = await start(
        home(path("/", Siblings)),
        overrides={"databases.default": "sqlite:///a.db", "databases.other": "sqlite:///b.db"},
    )
    assert (await client.get("/")).status_code == 409


@pytest.mark.parametrize("answers", [True, False])
async def test_a_sign_in_that_fails_after_the_commit_is_answered(
    start: StartSite, answers: bool
) -> None:
    class Register(BaseHandler):
        async def get(self) -> None:
            async with self.db():
                await self.sign_in(User(email="x@b.example", password_hash="x"))
                if answers:
                    self.response_json()

    client = await start(home(path("/", Register)))
    assert (await client.get("/", timeout=3)).status_code == 500


async def test_a_gathered_answer_in_a_block_is_refused_and_does_not_hang(
    start: StartSite,
) -> None:
    class Gathers(BaseHandler):
        async def get(self) -> None:
            with pytest.raises(AnswerError):
                async with self.db():
                    await asyncio.gather(self.response_json())
            self.response_json(raised=True)

    client = await start(home(path("/", Gathers)))
    assert (await client.get("/", timeout=3)).json()["raised"] is True


async def test_a_timeout_around_an_answer_does_not_stop_the_answer(start: StartSite) -> None:
    class Hurried(BaseHandler):
        async def get(self) -> None:
            self.session["x"] = 1
            async with asyncio.timeout(0.01):
                await self.response_json(ok=True)

    client = await start(home(path("/", Hurried)))
    slow_store(client, 0.1)
    assert (await client.get("/", timeout=3)).json()["ok"] is True


async def test_an_error_in_on_finish_is_logged_once_and_leaves_the_connection_usable(
    start: StartSite, caplog: pytest.LogCaptureFixture
) -> None:
    calls: list[int] = []

    class Careless(BaseHandler):
        async def get(self) -> None:
            self.session["x"] = 1
            self.write("a")
            await self.flush()
            self.session["y"] = 1
            self.finish("b")

        def on_finish(self) -> None:
            calls.append(1)
            raise ZeroDivisionError

    client = await start(home(path("/", Careless), path("/show", Show)))
    assert (await client.get("/")).text == "ab"
    assert (await client.get("/show")).status_code == 200
    assert calls == [1]
    assert len([record for record in caplog.records if record.exc_info]) == 1


async def test_what_is_deleted_while_a_flush_is_saved_stays_deleted(start: StartSite) -> None:
    class Streams(BaseHandler):
        async def post(self) -> None:
            self.session.update(b=1, c=1)
            self.response_json()

        async def get(self) -> None:
            self.session["a"] = 1
            self.write("x")
            self.flush()
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            del self.session["b"]
            self.finish("y")

    class Keys(BaseHandler):
        async def get(self) -> None:
            self.response_json(keys=sorted(self.session))

    client = await start(home(path("/", Streams), path("/keys", Keys)))
    await client.post("/")
    slow_store(client, 0.05)
    await client.get("/")
    assert (await client.get("/keys")).json()["keys"] == ["a", "c"]


async def test_after_a_flush_that_is_still_saving_redirect_and_sign_in_are_refused(
    start: StartSite,
) -> None:
    class TooLate(BaseHandler):
        async def get(self) -> None:
            user = await self.accounts.create("a@b.example", "long enough")
            self.session["x"] = 1
            self.write("a")
            self.flush()
            with pytest.raises(AnswerError):
                self.redirect("/")
            with pytest.raises(AnswerError):
                await self.sign_in(user)
            self.finish("b")

    client = await start(home(path("/", TooLate)))
    answer = await client.get("/")
    assert (answer.status_code, answer.text) == (200, "ab")


async def test_revoking_a_users_sessions_inside_a_writing_block_is_refused_at_once(
    start: StartSite,
) -> None:
    class Revokes(BaseHandler):
        async def get(self) -> None:
            sessions = self.site.sessions
            assert sessions is not None
            with pytest.raises(SessionError, match="inside"):  # noqa: PT012
                async with self.db() as session:
                    session.add(Note(text="x"))
                    await session.flush()
                    await sessions.revoke_user(1)
            self.response_json(refused=True)

    client = await start(home(path("/", Revokes)))
    await client.sign_in()
    assert (await client.get("/", timeout=5)).json()["refused"] is True


async def test_an_answer_that_clears_the_cookie_is_not_cached_for_others(start: StartSite) -> None:
    class Plain(BaseHandler):
        async def get(self) -> None:
            self.finish("x")

    client = await start(home(path("/", Plain)))
    user = await client.sign_in()
    async with client.application.databases.sql["default"].session() as session:
        found = await session.get(User, user.id)
        assert found is not None
        found.is_active = False
    answer = await client.get("/")
    assert "Set-Cookie" in answer.headers
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Vary"] == "Cookie"


async def test_a_list_may_be_sent_under_its_alias(start: StartSite) -> None:
    class Form(BaseModel):
        tags: list[str] = Field(validation_alias="tag")

    class Takes(BaseHandler):
        async def post(self) -> None:
            self.response_json(tags=self.parse_form(Form).tags)

    client = await start(home(path("/", Takes)))
    assert (await client.post("/", data={"tag": ["a", "b"]})).json()["tags"] == ["a", "b"]
