"""What is routed where, and who may pass, as plain data: `tornkit routes` prints it."""

from __future__ import annotations

import inspect
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any

import tornado.web
from tornado.httputil import HTTPHeaders, HTTPServerRequest, RequestStartLine
from tornado.routing import DefaultHostMatches, HostMatches, PathMatches, RuleRouter
from tornado.web import RequestHandler

from tornkit.access import PUBLIC, Access
from tornkit.routing.route import PrefixedMatches, Route, RouteMatches, expression

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from tornado.routing import Matcher, Rule

__all__ = ["AccessRow", "RouteInfo", "RouteMatch", "access_matrix", "describe", "match"]


@dataclass(frozen=True, slots=True)
class RouteInfo:
    """One route as `tornkit routes` shows it.

    ``methods`` is empty for targets other than handlers, ``host`` is the regular
    expression of a host rule, ``file`` and ``line`` are those of the handler.
    """

    methods: tuple[str, ...]
    path: str
    name: str | None
    module: str | None
    access: Access
    handler: str
    file: str | None
    line: int | None
    host: str | None = None

    def as_json(self) -> dict[str, Any]:
        """Return the stable JSON shape; ``host`` is there only for host rules."""
        shape: dict[str, Any] = {
            "methods": list(self.methods),
            "path": self.path,
            "name": self.name,
            "module": self.module,
            "access": {"kind": self.access.kind, "roles": list(self.access.roles)},
            "handler": self.handler,
            "file": self.file,
            "line": self.line,
        }
        return shape if self.host is None else {**shape, "host": self.host}


@dataclass(frozen=True, slots=True)
class RouteMatch:
    """The route that answers a request, and the values that its handler gets.

    ``arguments`` holds positional ones of Tornado's expressions as "0", "1" and so on.
    ``allowed`` is False where the handler lacks the method, so that the answer is 405.
    """

    route: RouteInfo
    arguments: Mapping[str, object] = field(default_factory=dict)
    allowed: bool = True

    def as_json(self) -> dict[str, Any]:
        """Return the stable JSON shape; dates and UUIDs among the arguments as text."""
        simple = {
            key: value if isinstance(value, int | str | None) else str(value)
            for key, value in self.arguments.items()
        }
        return {**self.route.as_json(), "arguments": simple}


@dataclass(frozen=True, slots=True)
class AccessRow:
    """Who may pass the door of one route; what its handler refuses by itself is not known.

    ``signed_in`` is about a visitor without any role, ``roles`` about one with just that role.
    """

    route: RouteInfo
    public: bool
    signed_in: bool
    roles: Mapping[str, bool]

    def as_json(self) -> dict[str, Any]:
        """Return the stable JSON shape."""
        return {
            "path": self.route.path,
            "name": self.route.name,
            "module": self.route.module,
            "methods": list(self.route.methods),
            "public": self.public,
            "signed_in": self.signed_in,
            "roles": dict(self.roles),
        }


def access_matrix(infos: Iterable[RouteInfo], roles: Iterable[str] = ()) -> list[AccessRow]:
    """Return a row for each route, with the roles of all their doors in name order.

    Args:
        infos: the routes, as `describe` returns them.
        roles: further roles, which no door of these routes names.

    Example:
        >>> from tornkit.access import SIGNED_IN
        >>> club = RouteInfo(("GET",), "/club", None, None, SIGNED_IN, "club:Page", None, None)
        >>> [(row.public, row.signed_in, row.roles) for row in access_matrix([club], ["cook"])]
        [(False, True, {'cook': True})]
    """
    rows = list(infos)
    known = sorted({*roles, *(role for info in rows for role in info.access.roles)})
    return [
        AccessRow(
            info,
            public=info.access == PUBLIC,
            signed_in=info.access.admits(()),
            roles={role: info.access.admits((role,)) for role in known},
        )
        for info in rows
    ]


def describe(application: tornado.web.Application) -> list[RouteInfo]:
    """Return every route in match order; host rules come first, as they are asked first."""
    return [_info(rule, host, route) for rule, host, route in _walk(application.default_router)]


def match(
    application: tornado.web.Application, method: str, path: str, *, host: str = "localhost"
) -> RouteMatch | None:
    """Return the route that answers, or None where the answer is Tornado's 404.

    Nothing is handled; only the matchers are asked.
    """
    line = RequestStartLine(method.upper(), path, "HTTP/1.1")
    request = HTTPServerRequest(start_line=line, headers=HTTPHeaders({"Host": host}))
    found = _find(application.default_router, request, None, None)
    if found is None:
        return None
    rule, params, host_rule, route = found
    info = _info(rule, host_rule, route)
    allowed = not info.methods or method.upper() in info.methods
    return RouteMatch(info, _arguments(params), allowed)


def _inner(target: object) -> RuleRouter | None:
    if isinstance(target, tornado.web.Application):
        return target.default_router
    return target if isinstance(target, RuleRouter) else None


def _host(matcher: Matcher, outer: str | None) -> str | None:
    if isinstance(matcher, HostMatches | DefaultHostMatches):
        return str(matcher.host_pattern.pattern)
    return outer


def _walk(
    router: RuleRouter, host: str | None = None, outer: Route | None = None
) -> Iterator[tuple[Rule, str | None, Route | None]]:
    for rule in router.rules:
        inner = _inner(rule.target)
        host_rule = _host(rule.matcher, host)
        route = getattr(rule, "route", None) or outer
        if inner is None:
            yield rule, host_rule, route
        else:
            yield from _walk(inner, host_rule, route)


def _find(
    router: RuleRouter, request: HTTPServerRequest, host: str | None, outer: Route | None
) -> tuple[Rule, dict[str, Any], str | None, Route | None] | None:
    for rule in router.rules:
        params = rule.matcher.match(request)
        if params is None:
            continue
        inner = _inner(rule.target)
        host_rule = _host(rule.matcher, host)
        route = getattr(rule, "route", None) or outer
        if inner is None:
            return rule, params, host_rule, route
        found = _find(inner, request, host_rule, route)
        if found is not None:
            return found
    return None


def _info(rule: Rule, host: str | None, route: Route | None) -> RouteInfo:
    own = getattr(rule.target, "access", None)
    # A handler's own attribute is what its door asks, whatever the route says.
    access = own if isinstance(own, Access) else (route.access if route else None) or PUBLIC
    file, line = _place(rule.target)
    return RouteInfo(
        methods=_methods(rule.target),
        path=_path(rule.matcher),
        name=rule.name,
        module=route.module if route else None,
        access=access,
        handler=_handler(rule.target),
        file=file,
        line=line,
        host=host,
    )


def _path(matcher: Matcher) -> str:
    if isinstance(matcher, RouteMatches):
        return matcher.pattern.source
    if isinstance(matcher, PathMatches):
        prefix = matcher.prefix if isinstance(matcher, PrefixedMatches) else ""
        return prefix + expression(matcher)
    return f"<{type(matcher).__name__}>"


def _handler(target: object) -> str:
    named = target if hasattr(target, "__qualname__") else type(target)
    return f"{getattr(named, '__module__', '?')}:{getattr(named, '__qualname__', '?')}"


def _methods(target: object) -> tuple[str, ...]:
    """Return what the handler implements; a HEAD that follows GET needs a GET."""
    if not (inspect.isclass(target) and issubclass(target, RequestHandler)):
        return ()
    missing = RequestHandler._unimplemented_method
    held = [
        method
        for method in target.SUPPORTED_METHODS
        if method != "OPTIONS" and getattr(target, method.lower(), missing) is not missing
    ]
    if getattr(target, "accepts_typed_arguments", False) and (
        "GET" not in held or _is_websocket(target)
    ):
        held = [method for method in held if method != "HEAD"]
    return tuple(held)


def _is_websocket(handler: type) -> bool:
    return any(
        base.__module__ == "tornado.websocket" and base.__name__ == "WebSocketHandler"
        for base in handler.__mro__
    )


def _place(target: object) -> tuple[str | None, int | None]:
    subject = target if hasattr(target, "__qualname__") else type(target)
    try:
        return _source(subject)
    except (OSError, TypeError):
        return None, None  # built in, generated, or its file is gone


@cache
def _source(subject: Any) -> tuple[str | None, int | None]:
    return inspect.getsourcefile(subject), inspect.getsourcelines(subject)[1]


def _arguments(params: Mapping[str, Any]) -> dict[str, object]:
    values: dict[str, object] = {
        str(index): value for index, value in enumerate(params.get("path_args", ()))
    }
    values.update(params.get("path_kwargs", {}))
    return {
        key: value.decode("utf-8", "replace") if isinstance(value, bytes) else value
        for key, value in values.items()
    }
