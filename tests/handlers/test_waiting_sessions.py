"""A session that nobody asks for: what waits, and what does not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import tornado.web

from tornkit import PUBLIC, SIGNED_IN, BaseHandler, Module, path
from tornkit.errors import SessionError

if TYPE_CHECKING:
    from tests.handlers.conftest import StartSite
    from tornkit import Application
    from tornkit.sessions import StoredSession
    from tornkit.testing import Client

START = 1_000_000.0


class Keep(BaseHandler):
    async def get(self) -> None:
        self.session["x"] = 1
        self.response_json()

    async def post(self) -> None:
        await self.sign_in("u7")
        self.response_json()


class Aloof(BaseHandler):
    """A page that asks for nothing, and tells whether a session was made for it."""

    async def get(self) -> None:
        self.response_json(made=self._session is not None)


class Late(BaseHandler):
    """A page that asks when its headers have left."""

    async def get(self) -> None:
        self.write("first ")
        await self.flush()
        self.session["late"] = self.session.get("x")
        with pytest.raises(SessionError, match="new cookie"):
            self.session.rotate()
        self.finish("last")


class Stream(BaseHandler):
    """A page that is open for long, and says so."""

    async def get(self) -> None:
        tick(self.application, 100)
        await self.save_session()
        self.response_json()


class Own(tornado.web.RequestHandler):
    """A plain handler that knows its users by itself."""

    uses_session = False

    def get_current_user(self) -> str:
        return "ann"

    def get(self) -> None:
        session: Any = self.session  # type: ignore[attr-defined]
        self.write({"x": session["x"]})


PAGES = [path(f"/{kind.__name__.lower()}", kind) for kind in (Keep, Aloof, Late, Stream)]


async def site(start: StartSite, **overrides: object) -> Client:
    """Start a site with a clock that stands still, and give the visitor a session."""
    client = await start(
        Module(name="home", access=PUBLIC, routes=PAGES),
        Module(name="members", access=SIGNED_IN, routes=[("/own", Own)]),
        user_model=None,
        overrides={"session.store": "memory://", **overrides},
    )
    sessions: Any = client.application.sessions
    sessions._clock = lambda: START
    await client.get("/keep")
    return client


def tick(application: Any, seconds: float) -> None:
    application.sessions._clock = lambda: START + seconds


def stored(application: Application) -> StoredSession:
    store: Any = application.sessions.store
    found: StoredSession
    (found,) = store._sessions.values()
    return found


async def test_a_page_that_asks_for_nothing_gets_none_and_may_be_cached(start: StartSite) -> None:
    client = await site(start)
    answer = await client.get("/aloof")
    assert answer.json()["made"] is False
    assert not {"vary", "cache-control", "set-cookie"} & {*answer.headers}


async def test_a_visit_is_noted_also_where_nobody_asks(start: StartSite) -> None:
    client = await site(start)
    tick(client.application, 59)
    assert (await client.get("/aloof")).json()["made"] is False
    assert stored(client.application).seen_at == START
    tick(client.application, 60)
    assert (await client.get("/aloof")).json()["made"] is True
    assert stored(client.application).seen_at == START + 60


async def test_a_visit_that_lasts_is_noted_when_it_is_saved(start: StartSite) -> None:
    client = await site(start)
    await client.get("/stream")
    assert stored(client.application).seen_at == START + 100


async def test_a_user_does_not_wait(start: StartSite) -> None:
    client = await site(start)
    await client.post("/keep")
    assert (await client.get("/aloof")).json()["made"] is True


async def test_a_cookie_of_an_old_secret_is_signed_anew_where_nobody_asks(
    start: StartSite,
) -> None:
    client = await site(start)
    application = client.application
    name = application.site.cookie.name
    raw_id = client.cookies[name].partition(".")[0]
    sessions: Any = application.sessions
    verdict = sessions._unsign(client.cookies[name])
    assert verdict == (raw_id, True)
    sessions._unsign = lambda _cookie: (raw_id, False)
    assert (await client.get("/aloof")).headers["Set-Cookie"].startswith(f"{name}={raw_id}.")


async def test_a_session_that_is_asked_for_late_may_change_but_gets_no_cookie(
    start: StartSite,
) -> None:
    client = await site(start)
    answer = await client.get("/late")
    assert (answer.text, "Set-Cookie" in answer.headers) == ("first last", False)
    assert stored(client.application).values == {"x": "1", "late": "1"}


@pytest.mark.parametrize("cookie", ["A" * 43, "x", ""])
async def test_a_cookie_that_opens_nothing_opens_an_empty_session(
    start: StartSite, cookie: str
) -> None:
    client = await site(start)
    client.cookies.clear()
    name = client.application.site.cookie.name
    answer = await client.get("/aloof", headers={"Cookie": f"{name}={cookie}"})
    assert answer.json()["made"] is True
    assert "Set-Cookie" not in answer.headers


async def test_a_plain_handler_behind_a_door_may_ask_whatever_it_says_of_sessions(
    start: StartSite,
) -> None:
    client = await site(start)
    assert (await client.get("/members/own")).json() == {"x": 1}
