"""A site in one file: ``tornkit run``, then http://127.0.0.1:8888/ and /sum/2/3."""

from __future__ import annotations

from pydantic import BaseModel

from tornkit import PUBLIC, Application, BaseHandler, Module, Settings, path


class Greeting(BaseModel):
    name: str = "world"


class Hello(BaseHandler):
    async def get(self) -> None:
        greeting = self.parse_query(Greeting)
        self.response_json(hello=greeting.name)


class Sum(BaseHandler):
    async def get(self, left: int, right: int) -> None:
        self.response_json(sum=left + right)


home = Module(
    name="home",
    access=PUBLIC,
    routes=[
        path("/", Hello, name="hello"),
        path("/sum/{left:int}/{right:int}", Sum, name="sum"),
    ],
)


def create_app() -> Application:
    return Application(Settings.load(), modules=[home])
