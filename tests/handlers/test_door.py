"""The door of a module: who passes, what the others are told, and what it costs."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
import tornado.web
import tornado.websocket
from tornado.httpclient import HTTPClientError, HTTPRequest
from tornado.web import HTTPError
from tornado.websocket import websocket_connect

from tests.handlers.conftest import User
from tornkit import PUBLIC, SIGNED_IN, BaseHandler, Module, WebSocketHandler, path, roles
from tornkit.errors import SessionError

if TYPE_CHECKING:
    from pathlib import Path

    from tests.handlers.conftest import StartSite

HTML = {"Accept": "text/html"}
JSON = {"Accept": "application/json"}


class Dashboard(BaseHandler):
    async def get(self) -> None:
        self.response_json(email=self.current_user.email)

    async def post(self) -> None:
        self.response_json(posted=True)

    async def delete(self) -> None:
        self.response_json(deleted=True)


class Login(BaseHandler):
    async def get(self) -> None:
        self.response_json(next=self.next_url())


account = Module(name="account", access=PUBLIC, routes=[path("/login", Login, name="login")])
teacher = Module(name="teacher", access=roles("teacher"), routes=[path("/", Dashboard)])
student = Module(name="student", access=roles("student"), routes=[path("/", Dashboard)])
members = Module(
    name="members",
    access=SIGNED_IN,
    routes=[path("/", Dashboard), path("/open", Login, access=PUBLIC)],
)


async def test_a_stranger_is_sent_to_sign_in_and_back(start: StartSite) -> None:
    client = await start(account, teacher)
    answer = await client.get("/teacher/?tab=1&x=ä", headers=HTML)
    assert answer.status_code == 302
    assert (
        answer.headers["Location"]
        == "/account/login?next=%2Fteacher%2F%3Ftab%3D1%26x%3D%25C3%25A4"
    )
    followed = await client.get(answer.headers["Location"])
    assert followed.json()["next"] == "/teacher/?tab=1&x=%C3%A4"


async def test_a_strangers_post_is_sent_to_sign_in_without_a_way_back(start: StartSite) -> None:
    client = await start(account, teacher)
    answer = await client.post("/teacher/", headers=HTML)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/account/login")


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "DELETE", "OPTIONS", "PUT"])
async def test_every_method_of_a_stranger_who_wants_json_is_a_401(
    start: StartSite, method: str
) -> None:
    client = await start(account, teacher)
    answer = await client.request(method, "/teacher/", headers=JSON)
    assert answer.status_code == 401
    if method != "HEAD":
        assert answer.json() == {"code": 401, "message": "Unauthorized"}


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "DELETE", "OPTIONS", "PUT"])
async def test_the_wrong_role_is_a_403_for_every_method(start: StartSite, method: str) -> None:
    client = await start(account, teacher, student)
    await client.sign_in(role="student")
    assert (await client.request(method, "/teacher/", headers=HTML)).status_code == 403
    answer = await client.request(method, "/teacher/", headers=JSON)
    assert answer.status_code == 403
    assert answer.headers["Content-Type"].startswith("application/json")


async def test_the_right_role_passes_and_one_of_several_is_enough(start: StartSite) -> None:
    either = Module(
        name="either", access=roles("teacher", "student"), routes=[path("/", Dashboard)]
    )
    client = await start(account, teacher, student, either)
    user = await client.sign_in(role="teacher")
    assert (await client.get("/teacher/")).json()["email"] == user.email
    assert (await client.get("/either/")).status_code == 200
    assert (await client.get("/student/")).status_code == 403


async def test_signed_in_needs_no_role_and_a_route_can_state_its_own_access(
    start: StartSite,
) -> None:
    client = await start(account, members)
    assert (await client.get("/members/open")).status_code == 200
    assert (await client.get("/members/", headers=JSON)).status_code == 401
    await client.sign_in()
    assert (await client.get("/members/")).status_code == 200


async def test_a_change_of_roles_acts_on_the_next_request(start: StartSite) -> None:
    client = await start(account, teacher)
    user = await client.sign_in(role="teacher")
    accounts = client.application.accounts
    assert accounts is not None
    await accounts.change_roles(user.email, remove=["teacher"])
    assert (await client.get("/teacher/")).status_code == 403


async def test_a_user_who_is_no_longer_active_is_a_stranger(start: StartSite) -> None:
    client = await start(account, members)
    user = await client.sign_in()
    async with client.application.databases.sql["default"].session() as session:
        found = await session.get(User, user.id)
        assert found is not None
        found.is_active = False
    assert (await client.get("/members/", headers=JSON)).status_code == 401


async def test_the_user_is_there_in_prepare_even_if_a_subclass_forgets_super(
    start: StartSite,
) -> None:
    class Forgetful(BaseHandler):
        async def prepare(self) -> None:
            self.seen = self.current_user.email

        async def get(self) -> None:
            self.response_json(seen=self.seen)

    class Further(Forgetful):
        async def prepare(self) -> None:
            self.seen = self.current_user.email.upper()

    client = await start(account, Module(name="m", access=SIGNED_IN, routes=[path("/", Further)]))
    user = await client.sign_in()
    assert (await client.get("/m/")).json()["seen"] == user.email.upper()


async def test_a_plain_tornado_handler_in_a_guarded_module_is_guarded(
    start: StartSite, tmp_path: Path
) -> None:
    class Plain(tornado.web.RequestHandler):
        def get(self, number: str) -> None:
            self.write({"number": number, "user": self.current_user.email})

    (tmp_path / "private.txt").write_text("for teachers")
    module = Module(
        name="teacher",
        access=roles("teacher"),
        routes=[
            (r"/plain/(\d+)", Plain),
            (r"/files/(.*)", tornado.web.StaticFileHandler, {"path": str(tmp_path)}),
        ],
    )
    client = await start(account, module)
    for address in ("/teacher/plain/7", "/teacher/files/private.txt"):
        assert (await client.get(address, headers=JSON)).status_code == 401
    user = await client.sign_in(role="teacher")
    answer = await client.get("/teacher/plain/7")
    assert answer.json() == {"number": "7", "user": user.email}
    assert answer.headers["X-Request-ID"]
    assert (await client.get("/teacher/files/private.txt")).text == "for teachers"


async def test_a_plain_handlers_own_user_has_no_roles_unless_it_says_so(start: StartSite) -> None:
    class Plain(tornado.web.RequestHandler):
        def get_current_user(self) -> str:
            return "ann"

        def get(self) -> None:
            self.write(self.current_user)

    client = await start(
        account,
        Module(name="teacher", access=roles("teacher"), routes=[("/", Plain)]),
        Module(name="members", access=SIGNED_IN, routes=[("/", Plain)]),
    )
    assert (await client.get("/teacher/")).status_code == 403
    assert (await client.get("/members/")).text == "ann"


async def test_a_websocket_is_guarded_and_knows_its_user(start: StartSite) -> None:
    class Echo(WebSocketHandler):
        async def on_message(self, message: str | bytes) -> None:
            await self.write_message(f"{self.current_user.email}: {message!s}")

    class PlainEcho(tornado.websocket.WebSocketHandler):
        def on_message(self, message: str | bytes) -> None:
            self.write_message(message)

    module = Module(
        name="teacher", access=roles("teacher"), routes=[path("/a", Echo), path("/b", PlainEcho)]
    )
    client = await start(account, module)
    base = str(client.base_url).replace("http", "ws")
    for address in ("a", "b"):
        with pytest.raises(HTTPClientError) as refused:
            await websocket_connect(f"{base}/teacher/{address}")
        assert refused.value.code == 401
    user = await client.sign_in(role="teacher")
    cookie = "; ".join(f"{name}={value}" for name, value in client.cookies.items())
    for address, expected in (("a", f"{user.email}: hi"), ("b", "hi")):
        connection = await websocket_connect(
            HTTPRequest(f"{base}/teacher/{address}", headers={"Cookie": cookie})
        )
        await connection.write_message("hi")
        assert await connection.read_message() == expected
        connection.close()


async def test_a_visitor_of_a_public_page_gets_no_cookie_and_costs_no_store_access(
    start: StartSite,
) -> None:
    class Page(BaseHandler):
        async def get(self) -> None:
            self.response_json(value=self.session.get("x"), user=self.current_user)

    client = await start(Module(name="home", access=PUBLIC, routes=[path("/", Page)]))
    store = client.application.sessions.store
    touched: list[str] = []
    for name in ("load", "create", "apply", "rotate", "delete"):

        async def noted(*args: Any, _name: str = name, **kwargs: Any) -> None:
            touched.append(_name)

        setattr(store, name, noted)
    answer = await client.get("/")
    assert answer.status_code == 200
    assert "Set-Cookie" not in answer.headers
    assert touched == []
    assert answer.headers["Vary"] == "Cookie"
    assert answer.headers["Cache-Control"] == "no-store"


async def test_an_id_that_was_made_up_is_never_adopted(start: StartSite) -> None:
    class Store(BaseHandler):
        async def get(self) -> None:
            self.session["x"] = 1
            self.response_json()

    client = await start(Module(name="home", access=PUBLIC, routes=[path("/", Store)]))
    name = client.application.site.cookie.name
    for made_up in ("A" * 43, "short", "x" * 10_000):
        answer = await client.get("/", headers={"Cookie": f"{name}={made_up}"})
        assert answer.status_code == 200
        assert made_up not in answer.headers["Set-Cookie"]
        assert "HttpOnly" in answer.headers["Set-Cookie"]
        assert "SameSite=Lax" in answer.headers["Set-Cookie"]


async def test_sign_in_changes_the_id_and_the_old_one_is_dead(start: StartSite) -> None:
    class Enter(BaseHandler):
        async def get(self) -> None:
            self.session["cart"] = "full"
            self.response_json()

        async def post(self) -> None:
            user = await self.accounts.create("a@b.example", "long enough password")
            await self.sign_in(user)
            self.response_json(cart=self.session["cart"])

    client = await start(
        account, members, Module(name="home", access=PUBLIC, routes=[path("/", Enter)])
    )
    name = client.application.site.cookie.name
    await client.get("/")
    old = client.cookies[name]
    assert (await client.post("/")).json()["cart"] == "full"
    assert client.cookies[name] != old
    assert (await client.get("/members/")).status_code == 200
    client.cookies.clear()
    stale = {"Cookie": f"{name}={old}", **JSON}
    assert (await client.get("/members/", headers=stale)).status_code == 401


async def test_without_a_user_model_the_session_holds_id_and_roles(start: StartSite) -> None:
    class Who(BaseHandler):
        async def get(self) -> None:
            self.response_json(id=self.current_user.id, roles=self.current_user.roles)

        async def post(self) -> None:
            await self.sign_in("u7", roles=["teacher"])
            self.response_json()

    client = await start(
        Module(name="home", access=PUBLIC, routes=[path("/", Who)]),
        Module(name="teacher", access=roles("teacher"), routes=[path("/", Who)]),
        user_model=None,
    )
    assert (await client.get("/teacher/", headers=HTML)).status_code == 401
    await client.post("/")
    assert (await client.get("/teacher/")).json()["id"] == "u7"
    client.sign_out()
    await client.sign_in(role="teacher")
    assert (await client.get("/teacher/")).json()["roles"] == ["teacher"]


async def test_a_cross_origin_post_is_refused_and_a_trusted_origin_is_not(
    start: StartSite,
) -> None:
    client = await start(
        Module(name="home", access=PUBLIC, routes=[path("/", Dashboard)]),
        overrides={"trusted_origins": ["https://friend.example"]},
    )
    evil = {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}
    assert (await client.post("/", headers=evil)).status_code == 403
    friend = {"Origin": "https://friend.example", "Sec-Fetch-Site": "cross-site"}
    assert (await client.post("/", headers=friend)).status_code == 200


async def test_a_host_that_is_not_allowed_is_a_400(start: StartSite) -> None:
    client = await start(
        Module(name="home", access=PUBLIC, routes=[path("/", Login)]),
        overrides={"allowed_hosts": ["127.0.0.1"]},
    )
    assert (await client.get("/", headers={"Host": "evil.example"})).status_code == 400
    assert (await client.get("/health/live", headers={"Host": "10.0.0.1"})).status_code == 200
    assert (await client.get("/")).status_code == 200


async def test_a_public_page_goes_on_while_the_store_is_down(start: StartSite) -> None:
    class Careless(BaseHandler):
        async def get(self) -> None:
            self.response_json()

    class Asks(BaseHandler):
        async def get(self) -> None:
            self.response_json(x=self.session.get("x"))

    client = await start(
        account,
        members,
        Module(name="home", access=PUBLIC, routes=[path("/", Careless), path("/asks", Asks)]),
    )
    await client.sign_in()
    await client.application.databases.close()
    assert (await client.get("/")).status_code == 200
    assert (await client.get("/asks")).status_code == 503
    assert (await client.get("/members/", headers=JSON)).status_code == 503
    assert (await client.get("/health/ready")).json() == {"status": "unavailable"}
    await asyncio.sleep(0)


@pytest.mark.parametrize("committed", [True, False])
async def test_a_sign_in_inside_a_block_counts_only_if_the_block_commits(
    start: StartSite, committed: bool
) -> None:
    class Register(BaseHandler):
        async def post(self) -> None:
            async with self.db() as session:
                user = User(email="new@b.example", password_hash="x")
                session.add(user)
                await self.sign_in(user)
                if not committed:
                    raise HTTPError(409)
                self.response_json()

    client = await start(
        account, members, Module(name="home", access=PUBLIC, routes=[path("/", Register)])
    )
    assert (await client.post("/")).status_code == (200 if committed else 409)
    assert (await client.get("/members/", headers=JSON)).status_code == (200 if committed else 401)


async def test_a_user_without_an_id_cannot_be_signed_in(start: StartSite) -> None:
    class Register(BaseHandler):
        async def post(self) -> None:
            with pytest.raises(SessionError, match="no id"):
                await self.sign_in(User(email="new@b.example", password_hash="x"))
            self.response_json()

    client = await start(Module(name="home", access=PUBLIC, routes=[path("/", Register)]))
    answer = await client.post("/")
    assert answer.status_code == 200
    assert "Set-Cookie" not in answer.headers
