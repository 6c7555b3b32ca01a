"""The routes of the modules as the checks look at them."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING

from tornado.web import RequestHandler

from tornkit.access import Access
from tornkit.routing import Route

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tornkit.application import Application

__all__ = ["access_of", "handlers_of", "routes_of"]


def routes_of(application: Application) -> Iterator[tuple[Route, type[RequestHandler]]]:
    """Yield every route of a module that leads to a handler."""
    for module in application.modules:
        for each in module.routes:
            route = each if isinstance(each, Route) else each.route
            if inspect.isclass(route.handler) and issubclass(route.handler, RequestHandler):
                yield route, route.handler


def handlers_of(application: Application) -> Iterator[tuple[type[RequestHandler], Route]]:
    """Yield every handler once, with the first route that leads to it."""
    first: dict[type[RequestHandler], Route] = {}
    for route, handler in routes_of(application):
        first.setdefault(handler, route)
    yield from first.items()


def access_of(route: Route) -> Access | None:
    """Return the rule of a route's door; the handler's own comes first."""
    own = getattr(route.handler, "access", None)
    return own if isinstance(own, Access) else route.access
