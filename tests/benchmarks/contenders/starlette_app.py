# mypy: disable-error-code="import-not-found, misc"
"""Starlette under uvicorn, on uvloop and httptools."""

from __future__ import annotations

from typing import TYPE_CHECKING

import jinja2
import uvicorn
from pydantic import ValidationError
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.sessions import SessionMiddleware
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles
from starlette.templating import Jinja2Templates
from starlette.websockets import WebSocket, WebSocketDisconnect

from tests.benchmarks.contenders import common, starlette_middleware

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.routing import BaseRoute

templates = Jinja2Templates(
    env=jinja2.Environment(
        loader=jinja2.FileSystemLoader(common.TEMPLATES),
        autoescape=jinja2.select_autoescape(),
        auto_reload=False,
    )
)


async def hello(request: Request) -> JSONResponse:
    return JSONResponse(common.HELLO)


async def sign_in(request: Request) -> Response:
    request.session.update(common.SESSION)
    return Response(status_code=204)


async def page(request: Request) -> Response:
    context = {
        "title": "Students",
        "name": request.session.get("name", "nobody"),
        "visits": request.session.get("visits", 0),
        "rows": common.TABLE,
    }
    return templates.TemplateResponse(request, "page.html", context)


async def rows(request: Request) -> JSONResponse:
    return JSONResponse({**common.OK, "rows": [row.plain() for row in common.ROWS]})


async def form(request: Request) -> JSONResponse:
    async with request.form() as fields:
        try:
            enrolment = common.Enrolment.model_validate(dict(fields))
        except ValidationError as error:
            errors = error.errors(include_url=False, include_context=False)
            return JSONResponse({"errors": errors}, status_code=422)
    return JSONResponse(enrolment.plain())


async def small(request: Request) -> Response:
    return Response(common.SMALL, media_type="application/octet-stream")


async def large(request: Request) -> Response:
    return Response(common.LARGE, media_type="application/octet-stream")


async def upload(request: Request) -> JSONResponse:
    return JSONResponse({**common.OK, "size": len(await request.body())})


async def item(request: Request) -> JSONResponse:
    return JSONResponse({**common.OK, "number": request.path_params["number"]})


async def echo(socket: WebSocket) -> None:
    await socket.accept()
    try:
        while True:
            await socket.send_text(await socket.receive_text())
    except WebSocketDisconnect:
        pass


def routes() -> list[BaseRoute]:
    known: dict[str, list[BaseRoute]] = {
        "page": [Route("/", page), Route("/login", sign_in)],
        "list": [Route("/", rows)],
        "form": [Route("/", form, methods=["POST"])],
        "body": [
            Route("/", upload, methods=["POST"]),
            Route("/small", small),
            Route("/large", large),
        ],
        "routes": [
            Route(f"/{common.part(number)}/item/{{number:int}}", item)
            for number in range(common.ROUTES)
        ],
        "static": [Mount("/static", StaticFiles(directory=common.STATIC))],
        "websocket": [WebSocketRoute("/", echo)],
    }
    return known.get(common.CASE, [Route("/", hello)])


def middleware() -> list[Middleware]:
    if common.CASE == "page":
        return [Middleware(SessionMiddleware, secret_key=common.SECRET)]
    if common.CASE == "hello-full":
        starlette_middleware.configure_logging()
        return starlette_middleware.middleware()
    return []


def serve(app: Starlette) -> None:
    uvicorn.run(
        app,
        host=common.HOST,
        port=common.PORT,
        loop="uvloop",
        http="httptools",
        log_level="warning",
        access_log=False,
        server_header=common.CASE != "hello-full",  # tornkit does not name itself either
    )


if __name__ == "__main__":
    serve(Starlette(routes=routes(), middleware=middleware()))
