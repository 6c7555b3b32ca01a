"""A signed-in user's sessions: remembered, listed, ended, confirmed, never inherited."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
import tornado.httpclient
from sqlalchemy import text
from tornado.websocket import websocket_connect

from tornkit import (
    PUBLIC,
    SIGNED_IN,
    BaseHandler,
    ErrorCode,
    Module,
    WebSocketHandler,
    path,
    rate_limit,
    require_recent_sign_in,
    roles,
)
from tornkit.errors import StoreUnavailable
from tornkit.testing.client import PASSWORD

if TYPE_CHECKING:
    from tests.handlers.conftest import StartSite
    from tornkit.testing import Client

HTML = {"Accept": "text/html"}
JSON = {"Accept": "application/json"}
OLD, NEW = "an old secret of many characters", "a new secret of many characters"


class Login(BaseHandler):
    async def post(self) -> None:
        user = await self.authenticate(
            self.get_argument("email"), self.get_argument("password", PASSWORD)
        )
        if user is not None:
            await self.sign_in(user, remember=self.get_argument("remember", "") == "on")
        self.response_json(id=user and user.id)


class Confirm(BaseHandler):
    async def post(self) -> None:
        self.response_json(right=await self.confirm_password(self.get_argument("password")))


class Account(BaseHandler):
    async def get(self) -> None:
        found = await self.list_sessions()
        self.response_json(
            email=self.current_user.email,
            roles=self.current_user.roles,
            sessions=[
                {
                    "handle": each.handle,
                    "ip": each.ip,
                    "browser": each.browser,
                    "here": each.handle == self.session.handle,
                }
                for each in found
            ],
        )

    async def delete(self) -> None:
        self.response_json(ended=await self.end_session(self.get_argument("handle")))


class Everywhere(BaseHandler):
    async def post(self) -> None:
        others_only = self.get_argument("others_only", "") == "on"
        await self.sign_out_everywhere(self.current_user, others_only=others_only)
        self.response_json()


class Password(BaseHandler):
    async def post(self) -> None:
        self.session["basket"] = "full"
        await self.save_session()
        await self.accounts.set_password(
            self.current_user, "another long password", spare=self.session.handle
        )
        await self.sign_in(self.current_user)
        self.response_json()


class Sensitive(BaseHandler):
    @require_recent_sign_in(minutes=10)
    async def get(self) -> None:
        self.response_json(shown=True)

    @require_recent_sign_in(minutes=10)
    async def post(self) -> None:
        self.response_json(done=True)


@require_recent_sign_in(minutes=10)
class SensitiveEcho(WebSocketHandler):
    def open(self) -> None:
        self.write_message("hello")


account = Module(
    name="account",
    access=PUBLIC,
    routes=[
        path("/login", Login, name="login"),
        path("/confirm", Confirm, name="confirm"),
        path("/me", Account, access=SIGNED_IN),
        path("/everywhere", Everywhere, access=SIGNED_IN),
        path("/password", Password, access=SIGNED_IN),
        path("/sensitive", Sensitive, access=SIGNED_IN),
        path("/sensitive-for-all", Sensitive),
        path("/echo", SensitiveEcho, access=SIGNED_IN),
    ],
)
teacher = Module(name="teacher", access=roles("teacher"), routes=[path("/", Account)])


def accounts_of(client: Client) -> Any:
    return client.application.accounts


async def user_of(client: Client, *held: str) -> Any:
    return await accounts_of(client).create("ada@b.example", PASSWORD, held)


async def log_in(client: Client, **fields: str) -> str:
    """Sign in by the page; return the cookie."""
    name = client.application.site.cookie.name
    client.cookies.clear()
    answer = await client.post("/account/login", data={"email": "ada@b.example", **fields})
    assert answer.json()["id"] is not None
    return f"{name}={client.cookies[name]}"


async def status(client: Client, cookie: str, page: str = "/account/me") -> int:
    client.cookies.clear()
    answer = await client.get(page, headers={"Cookie": cookie, **JSON})
    client.cookies.clear()
    return answer.status_code


async def age_sessions(client: Client, seconds: float) -> None:
    async with client.application.databases.sql["default"].engine.begin() as connection:
        await connection.execute(
            text("UPDATE tornkit_session SET created_at = created_at - :s"), {"s": seconds}
        )


class TestRemembering:
    async def test_decides_whether_the_cookie_outlives_the_browser(self, start: StartSite) -> None:
        client = await start(account, overrides={"session.remember_timeout": 5000})
        await user_of(client)
        form = {"email": "ada@b.example"}
        plain = await client.post("/account/login", data=form)
        assert "max-age" not in plain.headers["Set-Cookie"].lower()
        assert "expires" not in plain.headers["Set-Cookie"].lower()
        kept = await client.post("/account/login", data={**form, "remember": "on"})
        assert "Max-Age=5000" in kept.headers["Set-Cookie"]

    async def test_is_kept_when_the_password_is_confirmed(self, start: StartSite) -> None:
        client = await start(account)
        await user_of(client)
        await log_in(client, remember="on")
        confirmed = await client.post("/account/confirm", data={"password": PASSWORD})
        assert confirmed.json()["right"]
        assert "Max-Age" in confirmed.headers["Set-Cookie"]


class TestSecrets:
    async def test_rotate_and_what_the_old_one_signed_is_signed_anew(
        self, start: StartSite
    ) -> None:
        before = await start(account, overrides={"secret": OLD})
        await user_of(before)
        cookie = await log_in(before, remember="on")
        after = await start(account, overrides={"secret": NEW, "secret_fallbacks": [OLD]})
        answer = await after.get("/account/me", headers={"Cookie": cookie})
        assert answer.status_code == 200
        renewed = answer.headers["Set-Cookie"].partition(";")[0]
        assert renewed != cookie
        assert "Max-Age" in answer.headers["Set-Cookie"]
        last = await start(account, overrides={"secret": NEW})
        assert await status(last, renewed) == 200
        assert await status(last, cookie) == 401

    async def test_of_before_still_verify_signed_cookies_of_tornado(
        self, start: StartSite
    ) -> None:
        class Signed(BaseHandler):
            async def get(self) -> None:
                value = self.get_signed_cookie("s")
                self.response_json(value=value and value.decode())

            async def post(self) -> None:
                self.set_signed_cookie("s", "kept")
                self.response_json()

        home = Module(name="home", access=PUBLIC, routes=[path("/", Signed)])
        before = await start(home, overrides={"secret": OLD})
        await before.post("/")
        for secrets, expected in (((NEW, OLD), "kept"), ((NEW,), None)):
            given: dict[str, object] = {
                "secret": secrets[0],
                "secret_fallbacks": list(secrets[1:]),
            }
            after = await start(home, overrides=given)
            after.cookies = before.cookies
            assert (await after.get("/")).json()["value"] == expected


class TestHostileCookies:
    async def test_get_nobody_in_and_break_nothing(self, start: StartSite) -> None:
        client = await start(account)
        await user_of(client)
        cookie = await log_in(client)
        name, _, value = cookie.partition("=")
        raw_id, _, signature = value.partition(".")
        forged = [
            raw_id,
            value[:-1],
            value[:20],
            f"{raw_id}.",
            f".{signature}",
            f"{raw_id}.{'0' * len(signature)}",
            f"{raw_id[:-1]}{'A' if raw_id[-1] != 'A' else 'B'}.{signature}",
            f"{value}{value}",
            f'"{value}',
            f"{value},{value}",
            value.swapcase(),
            value.replace(".", "%2E"),
            "x" * 10_240,
            f"{value}\\000",
            "\x7f",
            "é",
            "",
            "=",
        ]
        for each in forged:
            headers = {b"Cookie": f"{name}={each}".encode(), b"Accept": b"application/json"}
            client.cookies.clear()
            answer = await client.get("/account/me", headers=headers)
            assert answer.status_code in (400, 401), each
        assert await status(client, cookie) == 200

    @pytest.mark.parametrize("blank", [b"\xa0", b"\x85", b"\x1f", b"\xa0\xa0"])
    async def test_of_a_name_that_only_looks_like_it_are_of_another_site(
        self, start: StartSite, blank: bytes
    ) -> None:
        client = await start(account)
        await user_of(client)
        cookie = (await log_in(client)).encode()
        headers = {b"Cookie": blank + cookie, b"Accept": b"application/json"}
        client.cookies.clear()
        answer = await client.get("/account/me", headers=headers)
        assert answer.status_code in (400, 401)

    async def test_of_one_name_count_once_the_last_one(self, start: StartSite) -> None:
        client = await start(account)
        await user_of(client)
        cookie = await log_in(client)
        name = cookie.partition("=")[0]
        assert await status(client, f"{name}=made-up; {cookie}") == 200
        assert await status(client, f"{cookie}; {name}=made-up") == 401
        assert await status(client, f"x{cookie}") == 401

    async def test_replayed_after_the_sign_out_are_worth_nothing(self, start: StartSite) -> None:
        client = await start(account)
        await user_of(client)
        cookie = await log_in(client)
        await client.post("/account/everywhere", headers={"Cookie": cookie})
        assert await status(client, cookie) == 401

    async def test_of_before_the_sign_in_are_worth_nothing(self, start: StartSite) -> None:
        client = await start(account)
        await user_of(client)
        first = await log_in(client)
        client.cookies.clear()
        form = {"email": "ada@b.example"}
        answer = await client.post("/account/login", data=form, headers={"Cookie": first})
        assert answer.headers["Set-Cookie"].partition(";")[0] != first
        assert await status(client, first) == 401


class TestRoles:
    async def test_given_bring_a_new_id_on_the_next_request(self, start: StartSite) -> None:
        client = await start(account, teacher)
        await user_of(client)
        cookie = await log_in(client)
        assert await status(client, cookie, "/teacher/") == 403
        await accounts_of(client).change_roles("ada@b.example", add=["teacher"])
        client.cookies.clear()
        answer = await client.get("/teacher/", headers={"Cookie": cookie})
        assert answer.json()["roles"] == ["teacher"]
        renewed = answer.headers["Set-Cookie"].partition(";")[0]
        assert await status(client, cookie) == 401
        assert await status(client, renewed, "/teacher/") == 200
        assert (
            "Set-Cookie"
            not in (await client.get("/teacher/", headers={"Cookie": renewed})).headers
        )

    async def test_taken_act_on_the_next_request(self, start: StartSite) -> None:
        client = await start(account, teacher)
        await user_of(client, "teacher")
        cookie = await log_in(client)
        await accounts_of(client).change_roles("ada@b.example", remove=["teacher"])
        assert await status(client, cookie, "/teacher/") == 403

    async def test_changed_reach_a_websocket_and_its_cookie(self, start: StartSite) -> None:
        client = await start(account, teacher)
        await user_of(client)
        cookie = await log_in(client)
        await accounts_of(client).change_roles("ada@b.example", add=["teacher"])
        url = f"{client.base_url}/account/echo".replace("http:", "ws:")
        request = tornado.httpclient.HTTPRequest(url, headers={"Cookie": cookie})
        socket = await websocket_connect(request)
        assert await socket.read_message() == "hello"
        assert socket.headers is not None
        renewed = socket.headers["Set-Cookie"].partition(";")[0]
        socket.close()
        assert await status(client, renewed, "/teacher/") == 200


class TestTheEnd:
    async def test_of_all_sessions_comes_with_a_new_password(self, start: StartSite) -> None:
        client = await start(account)
        await user_of(client)
        there, here = await log_in(client), await log_in(client)
        answer = await client.post("/account/password", headers={"Cookie": here})
        renewed = answer.headers["Set-Cookie"].partition(";")[0]
        assert await status(client, renewed) == 200
        assert await status(client, there) == 401
        assert await status(client, here) == 401
        kept = await client.application.sessions.load(renewed.partition("=")[2])
        assert dict(kept) == {"basket": "full"}

    @pytest.mark.parametrize("how", ["password", "disabled", "e-mail"])
    async def test_comes_even_if_the_store_kept_the_session(
        self, start: StartSite, how: str
    ) -> None:
        client = await start(account)
        user = await user_of(client)
        cookie = await log_in(client)
        accounts = accounts_of(client)
        accounts._delete_sessions = None  # as if the store had been down
        if how == "password":
            await accounts.set_password("ada@b.example", "another long password")
        elif how == "disabled":
            await accounts.set_active("ada@b.example", active=False)
            await accounts.set_active("ada@b.example", active=True)
        else:
            await accounts.set_email(user, "new@b.example")
        assert len(await client.application.sessions.list_user(user.id)) == 1
        assert await status(client, cookie) == 401

    async def test_is_not_undone_for_the_next_user_of_that_id(self, start: StartSite) -> None:
        client = await start(account)
        first = await user_of(client)
        cookie = await log_in(client)
        async with client.application.databases.sql["default"].session() as session:
            await session.execute(text("DELETE FROM users"))
        second = await user_of(client)
        assert second.id == first.id  # SQLite gives the number again
        assert await status(client, cookie) == 401

    async def test_of_the_others_leaves_this_one_under_a_new_id(self, start: StartSite) -> None:
        client = await start(account)
        await user_of(client)
        there, here = await log_in(client), await log_in(client)
        answer = await client.post(
            "/account/everywhere", data={"others_only": "on"}, headers={"Cookie": here}
        )
        renewed = answer.headers["Set-Cookie"].partition(";")[0]
        assert [await status(client, each) for each in (there, here, renewed)] == [401, 401, 200]

    async def test_of_one_of_several_by_its_handle(self, start: StartSite) -> None:
        client = await start(account)
        await user_of(client)
        there, here = await log_in(client), await log_in(client)
        listed = (await client.get("/account/me", headers={"Cookie": here})).json()["sessions"]
        assert sorted(each["here"] for each in listed) == [False, True]
        assert {each["ip"] for each in listed} == {"127.0.0.1"}
        assert {each["browser"] for each in listed} == {"a Python program"}
        (other,) = (each["handle"] for each in listed if not each["here"])
        url = f"/account/me?handle={other}"
        ended = await client.delete(url, headers={"Cookie": here})
        assert ended.json()["ended"]
        assert [await status(client, each) for each in (there, here)] == [401, 200]
        again = await client.delete(url, headers={"Cookie": here})
        assert not again.json()["ended"]

    async def test_of_somebody_elses_session_is_refused(self, start: StartSite) -> None:
        client = await start(account)
        await user_of(client)
        cookie = await log_in(client)
        (mine,) = await client.application.sessions.list_user(1)
        await client.sign_in()
        ended = await client.delete(f"/account/me?handle={mine.handle}")
        assert not ended.json()["ended"]
        assert await status(client, cookie) == 200

    async def test_is_logged_and_can_be_asked_for_by_an_id(
        self, start: StartSite, caplog: pytest.LogCaptureFixture
    ) -> None:
        class ById(BaseHandler):
            async def post(self) -> None:
                await self.sign_out_everywhere(self.current_user.id)
                self.response_json()

        by_id = Module(name="by_id", access=SIGNED_IN, routes=[path("/", ById)])
        client = await start(account, by_id)
        user = await user_of(client)
        there, here = await log_in(client), await log_in(client)
        with caplog.at_level("INFO", "tornkit.accounts"):
            await client.post("/by-id/", headers={"Cookie": here})
        assert [await status(client, each) for each in (there, here)] == [401, 401]
        assert (await accounts_of(client).load(user.id)).security_stamp != user.security_stamp
        assert f"signed out: user {user.id} from 127.0.0.1" in caplog.text


class TestRecentSignIn:
    async def test_is_enough_for_a_while_and_then_asked_for_again(self, start: StartSite) -> None:
        client = await start(account)
        await user_of(client)
        await log_in(client)
        assert (await client.get("/account/sensitive")).json()["shown"]
        await age_sessions(client, 601)
        answer = await client.get("/account/sensitive?a=1", headers=HTML)
        assert (answer.status_code, answer.headers["Location"]) == (
            302,
            "/account/confirm?next=%2Faccount%2Fsensitive%3Fa%3D1",
        )
        posted = await client.post("/account/sensitive?a=1", headers=HTML)
        assert (posted.status_code, posted.headers["Location"]) == (
            303,
            "/account/confirm?next=%2Faccount%2Fsensitive",
        )
        asked = await client.post("/account/sensitive", headers=JSON)
        assert (asked.status_code, asked.json()["message"]) == (401, "Sign in again")
        wrong = await client.post("/account/confirm", data={"password": "wrong"})
        assert not wrong.json()["right"]
        assert (await client.post("/account/sensitive", headers=HTML)).status_code == 303
        await client.post("/account/confirm", data={"password": PASSWORD})
        assert (await client.post("/account/sensitive", headers=HTML)).json()["done"]

    async def test_that_is_missing_can_have_a_code_of_its_own(self, start: StartSite) -> None:
        needed = ErrorCode(90_778, "Enter your password again.", 403)

        class Coded(BaseHandler):
            @require_recent_sign_in(minutes=10, code=needed)
            async def get(self) -> None:
                self.response_json()

        coded = Module(name="coded", access=SIGNED_IN, routes=[path("/", Coded)])
        client = await start(account, coded)
        await client.sign_in(minutes_ago=9)
        assert (await client.get("/coded/", headers=JSON)).status_code == 200
        await client.sign_in(minutes_ago=11)
        answer = await client.get("/coded/", headers=JSON)
        assert (answer.status_code, answer.json()["code"]) == (403, 90_778)
        assert (await client.get("/coded/", headers=HTML)).status_code == 302

    async def test_guards_the_handshake_of_a_websocket(self, start: StartSite) -> None:
        client = await start(account)
        await user_of(client)
        cookie = await log_in(client)
        await age_sessions(client, 601)
        url = f"{client.base_url}/account/echo".replace("http:", "ws:")
        request = tornado.httpclient.HTTPRequest(url, headers={"Cookie": cookie})
        with pytest.raises(tornado.httpclient.HTTPClientError, match="401"):
            await websocket_connect(request)

    async def test_sends_a_stranger_to_sign_in(self, start: StartSite) -> None:
        client = await start(account)
        answer = await client.get("/account/sensitive-for-all", headers=HTML)
        assert answer.headers["Location"] == ("/account/login?next=%2Faccount%2Fsensitive-for-all")

    async def test_cannot_be_confirmed_by_a_stranger(self, start: StartSite) -> None:
        client = await start(account)
        answer = await client.post("/account/confirm", data={"password": PASSWORD})
        assert not answer.json()["right"]

    @pytest.mark.parametrize("minutes", [0, -1, float("nan")])
    def test_needs_minutes(self, minutes: float) -> None:
        with pytest.raises(ValueError, match="minutes"):
            require_recent_sign_in(minutes=minutes)

    def test_decorates_methods_and_handler_classes_only(self) -> None:
        wrong: Any = "get"
        with pytest.raises(TypeError, match="'get'"):
            require_recent_sign_in(minutes=1)(wrong)
        with pytest.raises(TypeError, match="neither"):
            require_recent_sign_in(minutes=1)(dict)


class TestAtOnce:
    """What a request does while another one of the same visitor is under way."""

    @pytest.mark.parametrize("what", ["password", "others"])
    async def test_a_request_beside_a_new_stamp_ends_nothing(
        self, start: StartSite, what: str
    ) -> None:
        reached, go_on = asyncio.Event(), asyncio.Event()

        class Slow(BaseHandler):
            async def post(self) -> None:
                user, handle = self.current_user, self.session.handle
                self.session["basket"] = "full"
                await self.save_session()
                if what == "password":
                    await self.accounts.set_password(user, "another long one", spare=handle)
                else:
                    await self.sign_out_everywhere(user, others_only=True)
                reached.set()
                await go_on.wait()
                if what == "password":
                    await self.sign_in(user)
                self.response_json()

        slow = Module(name="slow", access=SIGNED_IN, routes=[path("/", Slow)])
        client = await start(account, slow)
        await user_of(client)
        cookie = await log_in(client)
        client.cookies.clear()
        changing = asyncio.create_task(client.post("/slow/", headers={"Cookie": cookie}))
        await reached.wait()
        beside = await client.get("/account/me", headers={"Cookie": cookie, **JSON})
        go_on.set()
        renewed = (await changing).headers["Set-Cookie"].partition(";")[0]
        assert (beside.status_code, beside.headers.get("Set-Cookie")) == (401, None)
        assert await status(client, renewed) == 200
        kept = await client.application.sessions.load(renewed.partition("=")[2])
        assert dict(kept) == {"basket": "full"}

    async def test_in_and_out_again_in_one_block_is_out(self, start: StartSite) -> None:
        class InAndOut(BaseHandler):
            async def post(self) -> None:
                user = await self.accounts.get("ada@b.example")
                async with self.db():
                    await self.sign_in(user)
                    await self.sign_out()
                self.response_json(signed_in=self.current_user is not None)

        client = await start(
            account, Module(name="both", access=PUBLIC, routes=[path("/", InAndOut)])
        )
        await user_of(client)
        assert not (await client.post("/both/")).json()["signed_in"]
        assert (await client.get("/account/me", headers=JSON)).status_code == 401

    async def test_no_cache_keeps_an_answer_with_a_cookie(self, start: StartSite) -> None:
        class Public(BaseHandler):
            async def get(self) -> None:
                self.set_header("Cache-Control", "public, max-age=3600")
                self.response("hello", "text/plain")

        public = Module(name="public", access=PUBLIC, routes=[path("/", Public)])
        client = await start(account, teacher, public)
        await user_of(client)
        await log_in(client)
        assert (await client.get("/public/")).headers["Cache-Control"] == "public, max-age=3600"
        await accounts_of(client).change_roles("ada@b.example", add=["teacher"])
        renewing = await client.get("/public/")
        assert "Set-Cookie" in renewing.headers
        assert renewing.headers["Cache-Control"] == "no-store"

    async def test_a_handshake_saves_what_its_get_has_stored(self, start: StartSite) -> None:
        class Stores(WebSocketHandler):
            async def get(self, *args: Any, **kwargs: Any) -> None:
                self.session["x"] = 1
                await super().get(*args, **kwargs)

            def open(self) -> None:
                self.write_message(str(self.session.is_new))

        client = await start(Module(name="ws", access=PUBLIC, routes=[path("/", Stores)]))
        socket = await websocket_connect(f"{client.base_url}/ws/".replace("http:", "ws:"))
        assert await socket.read_message() == "False"
        assert socket.headers is not None
        assert "Set-Cookie" in socket.headers
        socket.close()


class TestGuardsOfAClass:
    @pytest.mark.parametrize("method", ["HEAD", "OPTIONS", "GET", "POST"])
    async def test_hold_for_every_method_that_it_has_and_inherits(
        self, start: StartSite, method: str
    ) -> None:
        @require_recent_sign_in(minutes=10)
        class Guarded(BaseHandler):
            async def get(self) -> None:
                self.response_json()

            def head(self) -> None:
                self.finish()

            def options(self) -> None:
                self.response_json(secret=True)

        class Heir(Guarded):
            async def get(self) -> None:
                self.response_json()

            async def post(self) -> None:
                self.response_json()

        module = Module(name="m", access=PUBLIC, routes=[path("/", Heir)])
        client = await start(account, module)
        assert (await client.request(method, "/m/", headers=JSON)).status_code == 401
        await client.sign_in()
        assert (await client.request(method, "/m/", headers=JSON)).status_code == 200

    async def test_leave_the_list_of_methods_free(self, start: StartSite) -> None:
        @require_recent_sign_in(minutes=10)
        class Guarded(BaseHandler):
            async def get(self) -> None:
                self.response_json()

        client = await start(Module(name="m", access=PUBLIC, routes=[path("/", Guarded)]))
        assert (await client.options("/m/")).headers["Allow"] == "GET, HEAD, OPTIONS"


class TestStoresThatFail:
    async def test_are_not_asked_again_for_the_same_request(self, start: StartSite) -> None:
        class Limited(BaseHandler):
            @rate_limit("1/hour")
            async def get(self) -> None:
                self.response_json()

        limited = Module(name="limited", access=PUBLIC, routes=[path("/", Limited)])
        client = await start(account, limited)
        await user_of(client)
        cookie = {"Cookie": await log_in(client)}
        application = client.application
        asked: list[str] = []

        async def fail(*_args: Any, **_kwargs: Any) -> None:
            asked.append("asked")
            raise StoreUnavailable("it does not answer")

        application.sessions.store.load = fail  # type: ignore[method-assign]
        application.limiter.store.hit = fail  # type: ignore[method-assign, assignment]
        form = {"email": "ada@b.example"}
        assert (await client.post("/account/login", data=form, headers=cookie)).status_code == 503
        assert asked == ["asked"]
        assert (await client.get("/limited/", headers=cookie)).status_code == 200
        assert asked == ["asked"] * 2

    async def test_at_the_sign_out_leave_the_cookie_for_another_try(
        self, start: StartSite
    ) -> None:
        class Out(BaseHandler):
            async def post(self) -> None:
                await self.sign_out()
                self.response_json()

        client = await start(account, Module(name="out", access=PUBLIC, routes=[path("/", Out)]))
        await user_of(client)
        cookie = await log_in(client)
        store = client.application.sessions.store
        delete = store.delete

        async def fail(id_hash: str) -> bool:
            raise StoreUnavailable("it does not answer")

        store.delete = fail  # type: ignore[method-assign]
        answer = await client.post("/out/", headers={"Cookie": cookie})
        assert (answer.status_code, answer.headers.get("Set-Cookie")) == (503, None)
        store.delete = delete  # type: ignore[method-assign]
        answer = await client.post("/out/", headers={"Cookie": cookie})
        assert (answer.status_code, "Set-Cookie" in answer.headers) == (200, True)
        assert await status(client, cookie) == 401


async def test_tries_to_sign_in_do_not_keep_the_owner_from_confirming(start: StartSite) -> None:
    client = await start(account, overrides={"accounts.sign_in_per_account": "2/h"})
    await user_of(client)
    cookie = {"Cookie": await log_in(client)}
    client.cookies.clear()
    wrong = {"email": "ada@b.example", "password": "wrong"}
    answers = [await client.post("/account/login", data=wrong) for _ in range(3)]
    assert [each.status_code for each in answers] == [200, 200, 429]
    form = {"password": PASSWORD}
    confirmed = await client.post("/account/confirm", data=form, headers=cookie)
    assert confirmed.json()["right"]
    cookie = {"Cookie": confirmed.headers["Set-Cookie"].partition(";")[0]}
    tries = [
        await client.post("/account/confirm", data={"password": "wrong"}, headers=cookie)
        for _ in range(3)
    ]
    assert [each.status_code for each in tries] == [200, 200, 429]


class Tells(WebSocketHandler):
    async def on_message(self, message: str | bytes) -> None:
        await self.write_message(str(await self.is_still_admitted()))


@pytest.mark.parametrize("what", ["nothing", "disabled", "roles", "signed out", "password"])
async def test_a_websocket_can_ask_whether_its_visitor_is_still_admitted(
    start: StartSite, what: str
) -> None:
    module = Module(name="ws", access=roles("teacher"), routes=[path("/", Tells)])
    client = await start(account, module)
    await user_of(client, "teacher")
    cookie = await log_in(client)
    url = f"{client.base_url}/ws/".replace("http:", "ws:")
    request = tornado.httpclient.HTTPRequest(url, headers={"Cookie": cookie})
    socket = await websocket_connect(request)
    accounts, email = accounts_of(client), "ada@b.example"
    if what == "disabled":
        await accounts.set_active(email, active=False)
    elif what == "roles":
        await accounts.change_roles(email, remove=["teacher"])
    elif what == "signed out":
        await client.application.sessions.revoke_user(1)
    elif what == "password":
        accounts._delete_sessions = None
        await accounts.set_password(email, "another long password")
    await socket.write_message("?")
    assert await socket.read_message() == str(what == "nothing")
    socket.close()
