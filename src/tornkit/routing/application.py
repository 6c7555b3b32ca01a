"""`RoutedApplication`: a Tornado application on the compiled router."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, cast

import tornado.web
from tornado.log import access_log
from tornado.routing import AnyMatches, DefaultHostMatches, HostMatches, Rule
from tornado.web import ErrorHandler

from tornkit._requests import Dispatch
from tornkit._text import did_you_mean, printable
from tornkit.errors import RouteNotFound
from tornkit.routing.router import CompiledRouter, route_names

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tornado.httputil import HTTPConnection, HTTPMessageDelegate, HTTPServerRequest
    from tornado.web import OutputTransform, RequestHandler, _HandlerDelegate

__all__ = ["RoutedApplication"]


class RoutedApplication(tornado.web.Application):
    """A `tornado.web.Application` that takes routes, and whose look-up does not grow.

    The constructor is Tornado's; `handlers` may hold routes of `path` among tuples, lists,
    `URLSpec`s and `Rule`s.

    Example:
        >>> from tornado.web import RequestHandler
        >>> from tornkit.routing import path
        >>> app = RoutedApplication([path("/people/{name}", RequestHandler, name="person")])
        >>> app.reverse_url("person", name="Ann Lee")
        '/people/Ann%20Lee'

    Raises:
        RouteError: two routes have one name or one pattern; both places are named.
    """

    def __init__(
        self,
        handlers: Iterable[Any] | None = None,
        default_host: str | None = None,
        transforms: list[type[OutputTransform]] | None = None,
        **settings: Any,
    ) -> None:
        super().__init__(None, default_host, transforms, **settings)
        # Tornado has made rules for its static files, which come first.
        static = self.wildcard_router.rules
        self.wildcard_router = CompiledRouter(self, [*static, *(handlers or ())])
        self.default_router = CompiledRouter(self, [Rule(AnyMatches(), self.wildcard_router)])

    def add_handlers(self, host_pattern: str, host_handlers: Iterable[Any]) -> None:
        """Append rules for the hosts that match a regular expression."""
        matcher = HostMatches(host_pattern)
        handlers = list(host_handlers)
        self.default_router.rules.insert(-1, Rule(matcher, CompiledRouter(self, handlers)))
        if self.default_host is not None:
            default = DefaultHostMatches(self, matcher.host_pattern)
            self.wildcard_router.add_rules([(default, handlers)])

    def find_handler(self, request: HTTPServerRequest, **kwargs: Any) -> _HandlerDelegate:
        """Return what runs the handler of a request."""
        found = self.default_router.find_handler(request)
        if found is not None:
            return cast("_HandlerDelegate", found)
        # As Tornado's own, which would ask the routers first, and once more.
        default = self.settings.get("default_handler_class")
        if default:
            own = self.settings.get("default_handler_args", {})
            return self.get_handler_delegate(request, default, own)
        return self.get_handler_delegate(request, ErrorHandler, {"status_code": 404})

    def log_request(self, handler: RequestHandler) -> None:
        """Write the access log's line of a finished request, as Tornado does."""
        # Tornado puts the line together before it asks whether anybody wants it.
        unwanted = handler.get_status() < 400 and not access_log.isEnabledFor(logging.INFO)
        if not unwanted or "log_function" in self.settings:
            super().log_request(handler)

    def start_request(
        self, server_conn: object, request_conn: HTTPConnection
    ) -> HTTPMessageDelegate:
        """Return what passes the next request on to its handler."""
        return Dispatch(self, server_conn, request_conn)

    def compile_routes(self) -> None:
        """Build the look-up now; the first request would do it otherwise."""
        for router in (self.wildcard_router, self.default_router):
            if isinstance(router, CompiledRouter):
                router.compile()

    def reverse_url(  # type: ignore[override] # a parameter may be called name
        self, name: str, /, *args: Any, **kwargs: Any
    ) -> str:
        """Return the path of a named route, its parameters given in order or by name.

        Raises:
            RouteNotFound: no route has that name.
            RouteError: the parameters are not those of the route.
        """
        url = self.default_router.reverse_url(name, *args, **kwargs)
        if url is not None:
            return url
        raise RouteNotFound(
            f"no route is called {printable(name)!r}",
            hint=did_you_mean(name, route_names(self.default_router))
            or "`tornkit routes` lists them",
            check_id="routes.unknown-name",
        )
