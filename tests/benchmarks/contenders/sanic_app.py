# mypy: disable-error-code="import-not-found, misc, untyped-decorator"
"""Sanic on its own server, in a single process."""

from __future__ import annotations

from pydantic import ValidationError
from sanic import HTTPResponse, Request, Sanic
from sanic.response import json, raw

from tests.benchmarks.contenders import common

app = Sanic("bench")


async def hello(request: Request) -> HTTPResponse:
    return json(common.HELLO)


async def rows(request: Request) -> HTTPResponse:
    return json({**common.OK, "rows": [row.plain() for row in common.ROWS]})


async def form(request: Request) -> HTTPResponse:
    fields = {name: values[-1] for name, values in (request.form or {}).items()}
    try:
        enrolment = common.Enrolment.model_validate(fields)
    except ValidationError as error:
        errors = error.errors(include_url=False, include_context=False)
        return json({"errors": errors}, status=422)
    return json(enrolment.plain())


async def small(request: Request) -> HTTPResponse:
    return raw(common.SMALL)


async def large(request: Request) -> HTTPResponse:
    return raw(common.LARGE)


async def upload(request: Request) -> HTTPResponse:
    return json({**common.OK, "size": len(request.body)})


async def item(request: Request, number: int) -> HTTPResponse:
    return json({**common.OK, "number": number})


def add_routes() -> None:
    match common.CASE:
        case "list":
            app.add_route(rows, "/")
        case "form":
            app.add_route(form, "/", methods=["POST"])
        case "body":
            app.add_route(upload, "/", methods=["POST"])
            app.add_route(small, "/small")
            app.add_route(large, "/large")
        case "routes":
            for number in range(common.ROUTES):
                name = common.part(number)
                app.add_route(item, f"/{name}/item/<number:int>", name=name)
        case "static":
            app.static("/static", common.STATIC)
        case _:
            app.add_route(hello, "/")


if __name__ == "__main__":
    add_routes()
    app.run(host=common.HOST, port=common.PORT, single_process=True, access_log=False, motd=False)
