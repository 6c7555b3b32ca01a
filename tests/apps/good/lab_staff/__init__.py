"""The lab_staff area."""

from __future__ import annotations

from tornado.web import RequestHandler

from tornkit.access import SIGNED_IN
from tornkit.modules import Module
from tornkit.routing import path


class Dashboard(RequestHandler):
    accepts_typed_arguments = True

    def get(self, **values: object) -> None:
        self.write("lab_staff")


module = Module(
    access=SIGNED_IN,
    routes=[
        path("/", Dashboard, name="dashboard"),
        path("/items/{item_id:int}", Dashboard, name="item"),
        (r"/old/(\w+)", Dashboard, {}, "old"),
    ],
)
