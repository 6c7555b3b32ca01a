"""Put one route of a module in its place: below a prefix, named, guarded."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from inspect import isclass
from typing import TYPE_CHECKING, Any

from tornado.routing import PathMatches, Rule, URLSpec
from tornado.web import RequestHandler

from tornkit._text import printable
from tornkit.access import PUBLIC
from tornkit.errors import RouteError
from tornkit.routing.route import MountedSpec, Route, expression

if TYPE_CHECKING:
    from tornkit.access import Access

__all__ = ["Mount", "mount_route"]


@dataclass(frozen=True, slots=True)
class Mount:
    """What the routes of one module have in common; file and line are the module's."""

    module: str
    prefix: str
    access: Access
    file: str
    line: int | None = None
    cors: Any = None


def mount_route(written: Any, mount: Mount) -> Route | MountedSpec:
    """Return a route, or a tuple or `URLSpec` of Tornado's, in its place.

    Raises:
        RouteError: it is none of these, Tornado refuses it (for example its regular
            expression), or its target cannot keep strangers out.
    """
    if isinstance(written, Route):
        route = _complete(written, mount)
        _check_guard(route, mount)
        route.rule()
        return route
    rule = _as_rule(written, mount)
    if type(rule.matcher) is not PathMatches:
        raise _bad(
            mount, written, "it is not matched by its path", "add it to the application instead"
        )
    text = expression(rule.matcher)
    plain = Route(text, rule.target, rule.name, rule.target_kwargs, file=mount.file)
    route = _complete(replace(plain, line=mount.line), mount)
    _check_guard(route, mount)
    return MountedSpec(rule, prefix=mount.prefix, route=route)


def _as_rule(written: Any, mount: Mount) -> Rule:
    if isinstance(written, Rule):
        return written
    try:
        if isinstance(written, list | tuple) and len(written) in {2, 3, 4}:
            first, *rest = written
            # Tornado's tuples take text; a compiled expression is as clear.
            is_pattern = isinstance(first, str | re.Pattern)
            return URLSpec(first, *rest) if is_pattern else Rule(first, *rest)
    except re.error as error:
        advice = "correct the regular expression"
        raise _bad(mount, written, f"Tornado refuses it: {error}", advice) from error
    except Exception as error:
        advice = "write it as Tornado's URLSpec takes it, or with path(pattern, Handler)"
        raise _bad(mount, written, f"Tornado refuses it: {error}", advice) from error
    raise _bad(mount, written, "it is not a route", "write path(pattern, Handler)")


def _complete(route: Route, mount: Mount) -> Route:
    return replace(
        route,
        pattern=mount.prefix + route.pattern,
        name=f"{mount.module}:{route.name}" if route.name else None,
        access=route.access or mount.access,
        module=mount.module,
        cors=mount.cors,
    )


def _check_guard(route: Route, mount: Mount) -> None:
    guarded = route.access != PUBLIC
    if guarded and not (isclass(route.handler) and issubclass(route.handler, RequestHandler)):
        raise _bad(
            mount,
            route.pattern,
            f"it is for {route.access}, but its target checks no access",
            "give a handler class, or PUBLIC access",
        )


def _bad(mount: Mount, written: object, problem: str, hint: str) -> RouteError:
    text = printable(repr(written))
    return RouteError(
        f"module {mount.module!r} ({mount.file}): route {text}: {problem}",
        hint=hint,
        file=mount.file,
        line=mount.line,
        check_id="routes.invalid",
    )
