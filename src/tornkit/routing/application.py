"""`RoutedApplication`: a Tornado application on the compiled router."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import tornado.web
from tornado.routing import AnyMatches, DefaultHostMatches, HostMatches, Rule

from tornkit._text import did_you_mean, printable
from tornkit.errors import RouteNotFound
from tornkit.routing.router import CompiledRouter, route_names

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tornado.web import OutputTransform

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
