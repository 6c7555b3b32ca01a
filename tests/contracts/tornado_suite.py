"""Run Tornado's own tests with tornkit's parts in place of Tornado's.

``python -m tests.contracts.tornado_suite [--server] [--uvloop] [--application] [--handlers]
[--lifecycle] [--deferred]`` prints the names of the tests that failed, one a line.

``--server`` serves them with our HTTP server, ``--uvloop`` on that loop. ``--application``
puts `RoutedApplication` and the compiled router in the place of Tornado's application and
routers, ``--handlers`` puts `BaseHandler` and our `WebSocketHandler` beneath every handler.
``--lifecycle`` puts only the request lifecycle beneath them, when they are called, and with
``--deferred`` every single answer waits as if for its session.
"""

from __future__ import annotations

import asyncio
import logging
import sys
import unittest
from typing import Any, cast

import tornado.httpserver
import tornado.options
import tornado.routing
import tornado.testing
import tornado.web
import tornado.websocket
from tornado.log import access_log
from tornado.web import RequestHandler

from tornkit.handlers import BaseHandler, WebSocketHandler
from tornkit.handlers.lifecycle import LifecycleHandler
from tornkit.routing import RoutedApplication
from tornkit.routing.router import CompiledRouter
from tornkit.server import new_event_loop
from tornkit.server.http1 import HTTPServer

MODULES = [
    "web_test",
    "httpserver_test",
    "http1connection_test",
    "websocket_test",
    "security_corpus_test",
    "routing_test",
    "wsgi_test",
    "auth_test",
    "testing_test",
    "circlerefs_test",
]
DEFERRED = "--deferred" in sys.argv


class Waiting(LifecycleHandler):
    """The steps of a request as tornkit takes them, each answer as if for a session."""

    accepts_typed_arguments = False

    def _must_settle(self) -> bool:
        return DEFERRED

    async def _settle(self) -> None:
        await asyncio.sleep(0)


class Lifecycle(Waiting):
    """The steps of a request as tornkit takes them, with the headers that Tornado expects."""

    def clear(self) -> None:
        RequestHandler.clear(self)


_adopted: dict[type[RequestHandler], type[RequestHandler]] = {}


def _adopt(handler: Any) -> Any:
    if handler not in _adopted:
        _adopted[handler] = type(handler.__name__, (handler, Lifecycle), {})
    return _adopted[handler]


def _swap_lifecycle() -> None:
    original = tornado.web.Application.get_handler_delegate

    def get_handler_delegate(self: Any, request: Any, target: Any, *args: Any, **kw: Any) -> Any:
        return original(self, request, _adopt(target), *args, **kw)

    tornado.web.Application.get_handler_delegate = get_handler_delegate  # type: ignore[method-assign, assignment]


def _swap_handlers() -> None:
    class Base(Waiting, BaseHandler):
        pass

    class Socket(WebSocketHandler, Base):
        pass

    for name in ("ErrorHandler", "FallbackHandler", "RedirectHandler", "StaticFileHandler"):
        original = getattr(tornado.web, name)
        ours = type(name, (original, Base), {})
        for module in list(sys.modules.values()):  # some have imported it already
            if getattr(module, name, None) is original:
                setattr(module, name, ours)
    cast("Any", tornado.web).RequestHandler = Base
    cast("Any", tornado.websocket).WebSocketHandler = Socket


def _swap_application() -> None:
    class Router(CompiledRouter):
        def __init__(self, rules: Any = None) -> None:
            super().__init__(RoutedApplication(), rules)

    cast("Any", tornado.web).Application = RoutedApplication
    for name in ("RuleRouter", "ReversibleRuleRouter"):
        setattr(tornado.routing, name, Router)


def _swap_server() -> None:
    for module in (tornado.httpserver, tornado.testing):
        module.HTTPServer = HTTPServer  # type: ignore[attr-defined]


def _swap_loop() -> None:
    # Tornado's tests make a loop each, and take no factory.
    asyncio.new_event_loop = new_event_loop


SWAPS = {
    "--lifecycle": _swap_lifecycle,
    "--handlers": _swap_handlers,
    "--application": _swap_application,
    "--server": _swap_server,
    "--uvloop": _swap_loop,
}


def main() -> int:
    """Run the suite; return 0 when it ran, whatever failed."""
    early = [f"tornado.test.{name}" for name in MODULES if f"tornado.test.{name}" in sys.modules]
    if early:
        raise RuntimeError(f"{early} were imported before the parts were swapped")
    for option, swap in SWAPS.items():
        if option in sys.argv:
            swap()
    tornado.options.options.logging = "none"
    logging.basicConfig(level=logging.CRITICAL)
    access_log.setLevel(logging.CRITICAL)
    suite = unittest.TestSuite(
        unittest.defaultTestLoader.loadTestsFromName(f"tornado.test.{name}") for name in MODULES
    )
    result = unittest.TextTestRunner(verbosity=0).run(suite)
    for test, _ in [*result.failures, *result.errors]:
        print(test.id().removeprefix("tornado.test."))
    print(f"ran {result.testsRun}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
