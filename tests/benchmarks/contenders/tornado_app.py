"""Plain Tornado on asyncio, as its documentation shows; `tornkit run` serves the same file."""

from __future__ import annotations

import asyncio
import json
import logging
from typing import Any

import jinja2
from pydantic import ValidationError
from tornado.web import Application, RequestHandler, StaticFileHandler, url
from tornado.websocket import WebSocketHandler

from tests.benchmarks.contenders import common

pages = jinja2.Environment(
    loader=jinja2.FileSystemLoader(common.TEMPLATES),
    autoescape=jinja2.select_autoescape(),
    auto_reload=False,
)


class Hello(RequestHandler):
    def get(self) -> None:
        self.write(common.HELLO)


class SignIn(RequestHandler):
    def get(self) -> None:
        session = json.dumps(common.SESSION)
        self.set_signed_cookie("session", session, httponly=True, samesite="Lax")
        self.set_status(204)


class Page(RequestHandler):
    def get(self) -> None:
        session: dict[str, Any] = json.loads(self.get_signed_cookie("session") or "{}")
        page = pages.get_template("page.html").render(
            title="Students",
            name=session.get("name", "nobody"),
            visits=session.get("visits", 0),
            rows=common.TABLE,
        )
        self.write(page)


class List(RequestHandler):
    def get(self) -> None:
        self.write({**common.OK, "rows": [row.plain() for row in common.ROWS]})


class Form(RequestHandler):
    def post(self) -> None:
        fields = {name: values[-1].decode() for name, values in self.request.arguments.items()}
        try:
            enrolment = common.Enrolment.model_validate(fields)
        except ValidationError as error:
            self.set_status(422)
            self.write({"errors": error.errors(include_url=False, include_context=False)})
            return
        self.write(enrolment.plain())


class Body(RequestHandler):
    def initialize(self, content: bytes = b"") -> None:
        self.content = content

    def get(self) -> None:
        self.set_header("Content-Type", "application/octet-stream")
        self.write(self.content)

    def post(self) -> None:
        self.write({**common.OK, "size": len(self.request.body)})


class Item(RequestHandler):
    def get(self, number: str) -> None:
        self.write({**common.OK, "number": int(number)})


class Echo(WebSocketHandler):
    def on_message(self, message: str | bytes) -> None:
        self.write_message(message, binary=isinstance(message, bytes))


def routes() -> list[Any]:
    return {
        "page": [url("/", Page), url("/login", SignIn)],
        "list": [url("/", List)],
        "form": [url("/", Form)],
        "body": [
            url("/", Body),
            url("/small", Body, {"content": common.SMALL}),
            url("/large", Body, {"content": common.LARGE}),
        ],
        "routes": [
            url(rf"/{common.part(number)}/item/(\d+)", Item) for number in range(common.ROUTES)
        ],
        "static": [url("/static/(.*)", StaticFileHandler, {"path": str(common.STATIC)})],
        "websocket": [url("/", Echo)],
    }.get(common.CASE, [url("/", Hello)])


def create_app() -> Application:
    # `tornkit run` shows what is logged, plain Tornado does not; here neither logs requests.
    logging.getLogger("tornado.access").setLevel(logging.WARNING)
    return Application(routes(), cookie_secret=common.SECRET)


async def main() -> None:
    create_app().listen(common.PORT, common.HOST)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
