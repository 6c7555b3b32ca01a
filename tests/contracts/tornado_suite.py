"""Run Tornado's own tests with tornkit's parts in place of Tornado's.

``python -m tests.contracts.tornado_suite [--lifecycle] [--deferred] [--server] [--uvloop]``
prints the names of the tests that failed, one a line. ``--lifecycle`` puts our request
lifecycle beneath every handler, and with ``--deferred`` every single answer waits as if for
its session. ``--server`` serves them with our HTTP server, ``--uvloop`` on that loop.
"""

from __future__ import annotations

import asyncio
import logging
import sys
import unittest
from typing import Any

import tornado.httpserver
import tornado.options
import tornado.testing
import tornado.web
from tornado.log import access_log

from tornkit.handlers.lifecycle import LifecycleHandler
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


class Lifecycle(LifecycleHandler):
    """The steps of a request as tornkit takes them, with the headers that Tornado expects."""

    accepts_typed_arguments = False

    def clear(self) -> None:
        tornado.web.RequestHandler.clear(self)

    def _must_settle(self) -> bool:
        return DEFERRED

    async def _settle(self) -> None:
        await asyncio.sleep(0)


_adopted: dict[type[tornado.web.RequestHandler], type[tornado.web.RequestHandler]] = {}


def _adopt(handler: Any) -> Any:
    if handler not in _adopted:
        _adopted[handler] = type(handler.__name__, (handler, Lifecycle), {})
    return _adopted[handler]


def _swap_lifecycle() -> None:
    original = tornado.web.Application.get_handler_delegate

    def get_handler_delegate(self: Any, request: Any, target: Any, *args: Any, **kw: Any) -> Any:
        return original(self, request, _adopt(target), *args, **kw)

    tornado.web.Application.get_handler_delegate = get_handler_delegate  # type: ignore[method-assign, assignment]


def _swap_server() -> None:
    for module in (tornado.httpserver, tornado.testing):
        module.HTTPServer = HTTPServer  # type: ignore[attr-defined]


def main() -> int:
    """Run the suite; return 0 when it ran, whatever failed."""
    if "--lifecycle" in sys.argv:
        _swap_lifecycle()
    if "--server" in sys.argv:
        _swap_server()
    if "--uvloop" in sys.argv:
        # Tornado's tests make a loop each, and take no factory.
        asyncio.new_event_loop = new_event_loop
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
