"""The t area."""

from __future__ import annotations

from tornado.web import RequestHandler

from tornkit.access import PUBLIC
from tornkit.modules import Module
from tornkit.routing import path


class Dashboard(RequestHandler):
    accepts_typed_arguments = True

    def get(self, **values: object) -> None:
        self.write("t")


module = Module(
    access=PUBLIC,
    routes=[
        path("/", Dashboard, name="dashboard"),
        path("/items/{item_id:int}", Dashboard, name="dashboard"),
        (r"/old/(\w+)", Dashboard, {}, "old"),
    ],
)
