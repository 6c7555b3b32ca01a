"""tornkit's handlers of every case."""

from __future__ import annotations

from typing import Any

from tests.benchmarks.contenders import common
from tornkit import PUBLIC, BaseHandler, Module, WebSocketHandler, path


class Hello(BaseHandler):
    async def get(self) -> None:
        self.response_json(hello="world")


class SignIn(BaseHandler):
    async def get(self) -> None:
        for key, value in common.SESSION.items():
            self.session[key] = value
        self.set_status(204)


class Page(BaseHandler):
    async def get(self) -> None:
        self.response_html(
            "page.html",
            title="Students",
            name=self.session.get("name", "nobody"),
            visits=self.session.get("visits", 0),
            rows=common.TABLE,
        )


class List(BaseHandler):
    async def get(self) -> None:
        self.response_json(rows=common.ROWS)


class Form(BaseHandler):
    async def post(self) -> None:
        form = self.parse_form(common.Enrolment)
        self.response_json(
            name=form.name,
            email=form.email,
            age=form.age,
            born=form.born,
            newsletter=form.newsletter,
        )


class Small(BaseHandler):
    async def get(self) -> None:
        self.response(common.SMALL, "application/octet-stream")


class Large(BaseHandler):
    async def get(self) -> None:
        self.response(common.LARGE, "application/octet-stream")


class Upload(BaseHandler):
    async def post(self) -> None:
        self.response_json(size=len(self.request.body))


class Item(BaseHandler):
    async def get(self, number: int) -> None:
        self.response_json(number=number)


class Echo(WebSocketHandler):
    def on_message(self, message: str | bytes) -> None:
        self.write_message(message, binary=isinstance(message, bytes))


def routes() -> list[Any]:
    return {
        "page": [path("/", Page), path("/login", SignIn)],
        "list": [path("/", List)],
        "form": [path("/", Form)],
        "body": [path("/", Upload), path("/small", Small), path("/large", Large)],
        "routes": [
            path(f"/{common.part(number)}/item/{{number:int}}", Item)
            for number in range(common.ROUTES)
        ],
        "static": [],  # files of the folder static/ are served anyway
        "websocket": [path("/", Echo)],
    }.get(common.CASE, [path("/", Hello)])


module = Module(access=PUBLIC, routes=routes())
