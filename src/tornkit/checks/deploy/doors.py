"""Handlers and modules that other sites may speak to."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

from tornado.web import RequestHandler
from tornado.websocket import WebSocketHandler

from tornkit.access import PUBLIC
from tornkit.checks.deploy.routes import access_of, routes_of
from tornkit.checks.messages import Message
from tornkit.handlers.cors import cors_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tornkit.application import Application
    from tornkit.checks.messages import Level
    from tornkit.routing import Route
    from tornkit.security.cors import Cors

__all__ = ["CHECKS"]

_SAFE = {"GET", "HEAD", "OPTIONS"}
_STRANGE = "https://attacker.invalid"


def cross_origin_protection(application: Application) -> Iterator[Message]:
    """Without it any site can send forms in the name of whoever visits it."""
    given = application.settings
    if not given.get("cross_origin_protection") and not given.get("xsrf_cookies"):
        yield Message(
            "deploy.cross-origin-protection",
            "error",
            "Application(..., cross_origin_protection=False): other sites can send forms in"
            " the name of whoever is signed in",
            "leave it out, or set xsrf_cookies=True",
            object="cross_origin_protection",
        )


def any_origin(application: Application) -> Iterator[Message]:
    """A handler behind a door acts in the name of who is signed in."""
    if application.settings.get("xsrf_cookies"):
        return  # forms from elsewhere lack the token
    for route, handler in routes_of(application):
        if access_of(route) == PUBLIC or issubclass(handler, WebSocketHandler):
            continue
        if _changes_something(handler) and _believes(handler, "check_trusted_origin"):
            yield _gullible("deploy.any-origin", route, "check_trusted_origin", "send it forms")


def websocket_origin(application: Application) -> Iterator[Message]:
    """A connection carries the cookies of who visits the other site."""
    for route, handler in routes_of(application):
        closed = access_of(route) != PUBLIC
        if closed and issubclass(handler, WebSocketHandler) and _believes(handler, "check_origin"):
            yield _gullible("deploy.websocket-origin", route, "check_origin", "connect to it")


def cors_insecure(application: Application) -> Iterator[Message]:
    """Whoever is on the way can put a script into a page that comes over http."""
    for cors, route in _all_cors(application):
        insecure = [origin for origin in cors.origins if origin.startswith("http://")]
        if insecure:
            yield _about_cors(
                "deploy.cors-insecure",
                route,
                f"pages of {', '.join(insecure)} can be changed on their way, and may read"
                f" answers{' of who is signed in' if cors.credentials else ''}",
                "allow https:// origins only; those of development belong into its settings",
                level="error" if cors.credentials else "warning",
            )


def cors_everybody(application: Application) -> Iterator[Message]:
    """Browsers send no cookies where everybody may ask, so that nobody passes such a door."""
    for route, handler in routes_of(application):
        cors = cors_of(handler, route.cors)
        by_cookie = handler.get_current_user is RequestHandler.get_current_user
        if cors is not None and cors.for_everybody and access_of(route) != PUBLIC and by_cookie:
            yield _about_cors(
                "deploy.cors-everybody",
                route,
                "everybody may ask, but browsers then send no cookies, so that nobody is let in",
                "name the origins and give credentials=True, or make the route PUBLIC",
            )


CHECKS = (cross_origin_protection, any_origin, websocket_origin, cors_insecure, cors_everybody)


def _gullible(check_id: str, route: Route, method: str, does: str) -> Message:
    return Message(
        check_id,
        "warning",
        f"module {route.module!r}: {route.handler.__qualname__}.{method}() says yes to every"
        f" origin, so that any site can {does} in the name of whoever is signed in",
        "list other sites in trusted_origins, and leave the method as it is",
        object=route.name or route.pattern,
        file=route.file,
        line=route.line,
    )


def _about_cors(
    check_id: str, route: Route, says: str, hint: str, level: Level = "warning"
) -> Message:
    return Message(
        check_id,
        level,
        f"module {route.module!r}: Cors of {route.pattern}: {says}",
        hint,
        object=route.name or route.pattern,
        file=route.file,
        line=route.line,
    )


def _all_cors(application: Application) -> Iterator[tuple[Cors, Route]]:
    """Yield each `Cors` of a module or handler once, with the first route that has it."""
    seen: set[int] = set()
    for route, handler in routes_of(application):
        cors = cors_of(handler, route.cors)
        if cors is not None and id(cors) not in seen:
            seen.add(id(cors))
            yield cors, route


def _changes_something(handler: type[RequestHandler]) -> bool:
    missing = RequestHandler._unimplemented_method
    return any(
        getattr(handler, method.lower(), missing) is not missing
        for method in handler.SUPPORTED_METHODS
        if method not in _SAFE
    )


def _believes(handler: Any, method: str) -> bool:
    """Tell whether a method says yes to any origin, without a look at the request.

    An instance without a request answers only where the request does not matter.
    """
    try:
        answer = getattr(handler.__new__(handler), method)(_STRANGE)
    except Exception:  # noqa: BLE001 - whatever a project's code raises here, it does look
        return False
    if inspect.iscoroutine(answer):
        answer.close()  # nobody awaits it: it counts as yes
    return bool(answer)
