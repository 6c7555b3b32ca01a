# mypy: disable-error-code="import-not-found, misc, untyped-decorator"
"""aiohttp on uvloop: sessions and templates by its own aiohttp-session and aiohttp-jinja2."""

from __future__ import annotations

from typing import Any

import aiohttp_jinja2
import jinja2
import uvloop
from aiohttp import WSMsgType, web
from aiohttp_session import get_session, new_session, setup
from aiohttp_session.cookie_storage import EncryptedCookieStorage
from pydantic import ValidationError

from tests.benchmarks.contenders import common


async def hello(request: web.Request) -> web.Response:
    return web.json_response(common.HELLO)


async def sign_in(request: web.Request) -> web.Response:
    session = await new_session(request)
    session.update(common.SESSION)
    return web.Response(status=204)


@aiohttp_jinja2.template("page.html")
async def page(request: web.Request) -> dict[str, Any]:
    session = await get_session(request)
    return {
        "title": "Students",
        "name": session.get("name", "nobody"),
        "visits": session.get("visits", 0),
        "rows": common.TABLE,
    }


async def rows(request: web.Request) -> web.Response:
    return web.json_response({**common.OK, "rows": [row.plain() for row in common.ROWS]})


async def form(request: web.Request) -> web.Response:
    fields = await request.post()
    try:
        enrolment = common.Enrolment.model_validate(dict(fields))
    except ValidationError as error:
        errors = error.errors(include_url=False, include_context=False)
        return web.json_response({"errors": errors}, status=422)
    return web.json_response(enrolment.plain())


async def small(request: web.Request) -> web.Response:
    return web.Response(body=common.SMALL)


async def large(request: web.Request) -> web.Response:
    return web.Response(body=common.LARGE)


async def upload(request: web.Request) -> web.Response:
    return web.json_response({**common.OK, "size": len(await request.read())})


async def item(request: web.Request) -> web.Response:
    return web.json_response({**common.OK, "number": int(request.match_info["number"])})


async def echo(request: web.Request) -> web.WebSocketResponse:
    socket = web.WebSocketResponse()
    await socket.prepare(request)
    async for message in socket:
        if message.type == WSMsgType.TEXT:
            await socket.send_str(message.data)
        elif message.type == WSMsgType.BINARY:
            await socket.send_bytes(message.data)
    return socket


def routes() -> list[web.AbstractRouteDef]:
    known: dict[str, list[web.AbstractRouteDef]] = {
        "page": [web.get("/", page), web.get("/login", sign_in)],
        "list": [web.get("/", rows)],
        "form": [web.post("/", form)],
        "body": [web.post("/", upload), web.get("/small", small), web.get("/large", large)],
        "routes": [
            web.get(rf"/{common.part(number)}/item/{{number:\d+}}", item)
            for number in range(common.ROUTES)
        ],
        "static": [web.static("/static", common.STATIC)],
        "websocket": [web.get("/", echo)],
    }
    return known.get(common.CASE, [web.get("/", hello)])


def create_app() -> web.Application:
    app = web.Application(client_max_size=common.LARGEST)
    if common.CASE == "page":
        setup(app, EncryptedCookieStorage(common.SECRET.encode()))
        loader = jinja2.FileSystemLoader(common.TEMPLATES)
        aiohttp_jinja2.setup(app, loader=loader, auto_reload=False)
    app.add_routes(routes())
    return app


if __name__ == "__main__":
    web.run_app(
        create_app(),
        host=common.HOST,
        port=common.PORT,
        access_log=None,
        print=None,
        loop=uvloop.new_event_loop(),
    )
