"""The matrix of `tornkit routes --access` tells what visitors really get."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import tornado.httpclient
import tornado.web
import tornado.websocket
from tornado.web import url

from tornkit import PUBLIC, SIGNED_IN, BaseHandler, Module, WebSocketHandler, path, roles
from tornkit.routing import access_matrix, describe

if TYPE_CHECKING:
    from tests.handlers.conftest import StartSite
    from tornkit.routing import AccessRow
    from tornkit.testing import Client

pytestmark = pytest.mark.slow

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


class Everything(BaseHandler):
    async def get(self, **values: Any) -> None:
        self.response_json()

    async def post(self, **values: Any) -> None:
        self.response_json()

    put = patch = delete = post


class OwnDoor(Everything):
    access = roles("cook")


class OpenDoor(Everything):
    access = PUBLIC


class Plain(tornado.web.RequestHandler):
    def get(self, *values: Any) -> None:
        self.write("plain")

    post = get


class Live(WebSocketHandler):
    def open(self) -> None:
        self.write_message("in")


MODULES = (
    Module(
        name="home",
        access=PUBLIC,
        routes=[
            path("/", Everything),
            path("/mine", Everything, access=SIGNED_IN),
            path("/kitchen", OwnDoor),
            path("/bakery", Everything, access=roles("cook")),
            path("/live", Live),
            (r"/plain/(\w+)", Plain),
        ],
    ),
    Module(
        name="club",
        access=SIGNED_IN,
        routes=[path("/{number:int}", Everything), path("/live", Live), path("/open", OpenDoor)],
    ),
    Module(
        name="staff",
        access=roles("teacher", "principal"),
        routes=[
            path("/", Everything),
            path("/news", Everything, access=PUBLIC),
            path("/office", Everything, access=roles("principal")),
            path("/live", Live),
            url(r"/plain/(\w+)", Plain),
        ],
    ),
)
ROLES = ("cook", "principal", "teacher")
VISITORS: dict[str, tuple[str, ...] | None] = {
    "stranger": None,
    "signed-in": (),
    **{role: (role,) for role in ROLES},
}


@pytest.fixture
async def client(start: StartSite) -> Client:
    return await start(*MODULES, overrides={"session.store": "memory://"}, user_model=None)


def rows(client: Client) -> list[AccessRow]:
    return access_matrix(describe(client.application), client.application.known_roles)


def passes(row: AccessRow, visitor: str) -> bool:
    return {"stranger": row.public, "signed-in": row.signed_in, **row.roles}[visitor]


def concrete(row: AccessRow) -> str:
    return (
        row.route.path.replace("{number:int}", "3")
        .replace("{path:path}", "x")
        .replace(r"(\w+)", "x")
    )


def is_socket(row: AccessRow) -> bool:
    return row.route.handler.endswith(":Live") and "health" not in row.route.path


async def upgrade(client: Client, address: str) -> int:
    cookie = "; ".join(f"{each.name}={each.value}" for each in client.cookies.jar)
    request = tornado.httpclient.HTTPRequest(
        str(client.base_url).replace("http", "ws", 1).rstrip("/") + address,
        headers={"Cookie": cookie},
    )
    try:
        connection = await tornado.websocket.websocket_connect(request)
    except tornado.httpclient.HTTPClientError as refused:
        return refused.code
    assert await connection.read_message() == "in"
    connection.close()
    return 101


@pytest.mark.parametrize("visitor", VISITORS)
async def test_every_cell_is_what_a_request_gets(client: Client, visitor: str) -> None:
    held = VISITORS[visitor]
    if held is not None:
        await client.sign_in(roles=held)
    refusal = 401 if held is None else 403
    wrong = []
    for row in rows(client):
        expected = passes(row, visitor)
        for method in () if is_socket(row) else METHODS:
            headers = {"Accept": "application/json"}
            answer = await client.request(method, concrete(row), headers=headers)
            assert answer.status_code < 500
            if (answer.status_code != refusal) is not expected:
                wrong.append((row.route.path, method, answer.status_code))
            if expected and method in row.route.methods:
                assert answer.status_code not in (401, 403, 405)
        if is_socket(row):
            status = await upgrade(client, concrete(row))
            if (status == 101) is not expected:
                wrong.append((row.route.path, "upgrade", status))
            if not expected:
                assert status == refusal
    assert wrong == []


async def test_the_site_has_every_kind_of_door_and_every_role_a_column(client: Client) -> None:
    found = {
        (row.route.path, row.public, row.signed_in, *row.roles.values()) for row in rows(client)
    }
    assert found >= {
        ("/", True, True, True, True, True),
        ("/mine", False, True, True, True, True),
        ("/kitchen", False, False, True, False, False),
        ("/club/open", True, True, True, True, True),
        ("/staff/", False, False, False, True, True),
        ("/staff/office", False, False, False, True, False),
        ("/static/{path:path}", True, True, True, True, True),
    }
    assert all(tuple(row.roles) == ROLES for row in rows(client))
