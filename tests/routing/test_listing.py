"""`describe` and `match`: the plain data of `tornkit routes`."""

from __future__ import annotations

import datetime
import json
from typing import Any

import pytest
from tornado.routing import PathMatches, Rule, RuleRouter
from tornado.web import Application, RequestHandler
from tornado.websocket import WebSocketHandler

from tests.routing.requests import Typed
from tornkit.access import SIGNED_IN, roles
from tornkit.handlers.tasks import task_routes
from tornkit.routing import Route, RoutedApplication, describe, match, path


class Course(Typed):
    def post(self, **values: object) -> None:
        pass


class Plain(RequestHandler):
    access = SIGNED_IN

    def get(self, word: str) -> None:
        pass

    def options(self) -> None:
        pass


class Live(WebSocketHandler):
    accepts_typed_arguments = True


def test_the_json_shape_is_the_promised_one() -> None:
    route = Route("/c/{id:int}", Course, "t:course", access=roles("teacher"), module="t")
    (info,) = describe(RoutedApplication([route]))
    assert info.as_json() == {
        "methods": ["GET", "HEAD", "POST"],
        "path": "/c/{id:int}",
        "name": "t:course",
        "module": "t",
        "access": {"kind": "roles", "roles": ["teacher"]},
        "handler": "tests.routing.test_listing:Course",
        "file": __file__,
        "line": Course.__dict__.get("__firstlineno__", info.line),
    }
    assert info.line


def test_routes_are_listed_in_match_order_through_hosts_and_inner_routers() -> None:
    def target(request: Any) -> None:
        pass

    app = RoutedApplication(
        [
            (r"/word/(\w+)", Plain, {}, "word"),
            (r"/in/.*", [path("/in/live", Live)]),
            Rule(PathMatches("/r/.*"), RuleRouter([("/r/call", target)])),
        ]
    )
    app.add_handlers(r"x\.example", [path("/", Course)])
    shown = [
        (i.path, i.methods, i.access.kind, i.host, i.handler.split(":")[1]) for i in describe(app)
    ]
    assert shown == [
        ("/", ("GET", "HEAD", "POST"), "public", r"x\.example$", "Course"),
        (r"/word/(\w+)", ("GET",), "signed-in", None, "Plain"),
        ("/in/live", ("GET",), "public", None, "Live"),
        ("/r/call", (), "public", None, f"{target.__qualname__}"),
    ]


class Stream(Typed):
    head = RequestHandler._unimplemented_method  # type: ignore[assignment]


class Box(RequestHandler):
    accepts_typed_arguments = True
    head = Typed.head

    def put(self) -> None:
        pass


def test_head_is_listed_where_it_is_answered() -> None:
    app = RoutedApplication([path("/a", Course), path("/b", Stream), path("/c", Box)])
    assert [info.methods for info in describe(app)] == [
        ("GET", "HEAD", "POST"),
        ("GET",),
        ("PUT",),
    ]


@pytest.mark.parametrize("route", task_routes(), ids=lambda route: route.name)
def test_a_handler_of_ours_is_listed_with_what_it_allows(route: Route) -> None:
    (info,) = describe(RoutedApplication([route]))
    handler: Any = route.handler
    assert [*info.methods, "OPTIONS"] == handler.allowed_methods()


def test_a_plain_tornado_application_is_listed_too() -> None:
    (info,) = describe(Application([("/a", Plain)]))
    assert info.path == "/a"


def test_a_handler_without_source_is_listed_without_a_place() -> None:
    made = type("Made", (RequestHandler,), {"__module__": "nowhere"})
    (info,) = describe(RoutedApplication([("/", made)]))
    assert (info.handler, info.file, info.line) == ("nowhere:Made", None, None)


def test_match_names_the_winner_and_its_values() -> None:
    app = RoutedApplication(
        [path("/{day:date}", Course), path("/{id:int}", Course, name="n"), (r"/w/(.*)", Plain)]
    )
    found = match(app, "get", "/3?x=1")
    assert found is not None
    assert (found.route.name, found.arguments, found.allowed) == ("n", {"id": 3}, True)
    assert json.loads(json.dumps(found.as_json()))["arguments"] == {"id": 3}
    dated = match(app, "DELETE", "/2026-11-30")
    assert dated is not None
    assert dated.arguments == {"day": datetime.date(2026, 11, 30)}
    assert dated.as_json()["arguments"] == {"day": "2026-11-30"}
    assert not dated.allowed
    word = match(app, "GET", "/w/a%20b")
    assert word is not None
    assert word.arguments == {"0": "a b"}
    assert match(app, "GET", "/none") is None


def test_match_asks_the_rules_of_the_host() -> None:
    app = RoutedApplication([path("/", Course)])
    app.add_handlers(r"x\.example", [path("/", Typed)])
    found = match(app, "GET", "/", host="x.example")
    assert found is not None
    assert found.route.handler.endswith(":Typed")
