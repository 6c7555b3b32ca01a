"""`path()` and the rules that it becomes."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from inspect import isclass
from typing import TYPE_CHECKING, Any, cast

from tornado.httputil import HTTPServerConnectionDelegate
from tornado.routing import Matcher, PathMatches, Router, Rule, URLSpec
from tornado.web import RequestHandler

from tornkit._text import printable
from tornkit.access import Access
from tornkit.errors import RouteError
from tornkit.routing._patterns import Pattern, PatternError, convert, parse

if TYPE_CHECKING:
    import re
    from collections.abc import Iterable

    from tornado.httputil import HTTPServerRequest

__all__ = [
    "MountedSpec",
    "PrefixedMatches",
    "Route",
    "RouteMatches",
    "RouteRule",
    "check_duplicates",
    "expression",
    "path",
    "route_of",
]


@dataclass(frozen=True, slots=True)
class Route:
    """One route, as plain data; write `path` instead of building one.

    Args:
        pattern: the pattern of `path`, or for a Tornado tuple its regular expression.
        handler: the handler class, or any other target that Tornado takes.
        name: what `reverse_url` finds it by.
        kwargs: arguments of the handler's ``initialize``.
        access: who may pass, or None for what the module says.
        module: the name of the module it belongs to.
        file: where it was written.
        line: the line in it, counted from 1.
        cors: the `tornkit.Cors` of its module, for the handler to read.
    """

    pattern: str
    handler: Any = field(hash=False)
    name: str | None = None
    kwargs: Mapping[str, Any] = field(default_factory=dict, hash=False)
    access: Access | None = None
    module: str | None = None
    file: str | None = field(default=None, compare=False)
    line: int | None = field(default=None, compare=False)
    cors: Any = field(default=None, compare=False)

    @property
    def place(self) -> str:
        """Where the route was written, as ``file:line``."""
        return f"{self.file}:{self.line}" if self.file else "an unknown place"

    def rule(self) -> RouteRule:
        """Return the Tornado rule of this route; any Tornado router takes it.

        Raises:
            RouteError: the pattern cannot be parsed, or its converters need a handler
                that takes typed arguments.
        """
        return RouteRule(self)


def path(
    pattern: str,
    handler: Any,
    *,
    name: str | None = None,
    kwargs: Mapping[str, Any] | None = None,
    access: Access | None = None,
) -> Route:
    """Write one route.

    Args:
        pattern: literal text and parameters: ``/courses/{course_id:int}``. The converters
            are ``str`` (without a slash; the default), ``int``, ``uuid``, ``slug``,
            ``date`` and ``path``. A value that does not convert does not match.
        handler: a handler class.
        name: for `reverse_url`; inside a module it is prefixed: ``teacher:course``.
        kwargs: arguments of the handler's ``initialize``.
        access: who may pass, where it differs from the module's.

    Example:
        >>> from tornado.web import RequestHandler
        >>> path("/people/{name}", RequestHandler, name="person").pattern
        '/people/{name}'

    Raises:
        RouteError: with the file and line of this call.
    """
    frame = sys._getframe(1)
    options = {} if kwargs is None else kwargs
    route = Route(
        pattern, handler, name, options, access, None, frame.f_code.co_filename, frame.f_lineno
    )
    _check_options(route)
    route.rule()
    return route


def route_of(request: HTTPServerRequest) -> Route | None:
    """Return the route that won the request, or None where a plain Tornado rule did."""
    return getattr(request, "tornkit_route", None)


class RouteMatches(Matcher):
    """Match a parsed pattern; the values of its parameters arrive as path_kwargs."""

    def __init__(self, pattern: Pattern, *, typed: bool) -> None:
        self.pattern = pattern
        self.typed = typed

    def match(self, request: HTTPServerRequest) -> dict[str, Any] | None:
        """Return the arguments of the handler's method, or None."""
        found = self.pattern.find(request.path)
        if found is None:
            return None
        if not found:
            return {}
        values: dict[str, object] = {}
        try:
            for parameter, raw in zip(self.pattern.parameters, found, strict=True):
                values[parameter.name] = convert(raw, parameter.converter)
        except ValueError:
            return None
        if not self.typed:
            # Tornado hands its handlers bytes, which their decode_argument decodes.
            values = {key: cast("str", value).encode() for key, value in values.items()}
        return {"path_args": [], "path_kwargs": values}

    def reverse(self, *args: Any) -> str:
        """Return the path for the parameters' values, in order.

        Raises:
            PatternError: their number is wrong, or one of them is not what is expected.
        """
        names = [parameter.name for parameter in self.pattern.parameters]
        if len(args) != len(names):
            raise PatternError(
                f"it takes {len(names)} parameters ({', '.join(names) or 'none'}), not {len(args)}"
            )
        return self.pattern.build(args)


class RouteRule(Rule):
    """The Tornado rule of a `Route`, which it carries as ``route``."""

    def __init__(self, route: Route) -> None:
        typed = bool(getattr(route.handler, "accepts_typed_arguments", False))
        try:
            pattern = parse(route.pattern)
            _check_types(route, pattern, typed=typed)
        except PatternError as error:
            raise _route_error(route, error.problem, error.hint) from None
        super().__init__(
            RouteMatches(pattern, typed=typed), route.handler, dict(route.kwargs), route.name
        )
        self.route = route
        self.shape: str | None = pattern.shape


class _At:
    """The part of a request that `PathMatches` reads."""

    __slots__ = ("path",)

    def __init__(self, path: str) -> None:
        self.path = path


class PrefixedMatches(PathMatches):
    """Match a regular expression, untouched, against what follows a prefix.

    Only paths below the prefix are asked: with ``/teacher``, ``(.*)`` matches neither
    ``/teachers`` nor ``/``.
    """

    def __init__(self, prefix: str, pattern: str | re.Pattern[str]) -> None:
        super().__init__(pattern)
        self.prefix = prefix

    def match(self, request: HTTPServerRequest) -> dict[str, Any] | None:
        """Return what Tornado's matcher finds below the prefix, or None."""
        whole = request.path
        if not whole.startswith(self.prefix):
            return None
        below = whole[len(self.prefix) :]
        if below and not below.startswith("/"):
            return None
        return super().match(cast("HTTPServerRequest", _At(below)))

    def reverse(self, *args: Any) -> str | None:
        """Return the whole path."""
        below = super().reverse(*args)
        return None if below is None else self.prefix + below


class MountedSpec(URLSpec):
    """A Tornado tuple or `URLSpec` of a module: same expression, below the module's prefix."""

    def __init__(self, spec: Rule, *, prefix: str, route: Route) -> None:
        matcher = cast("PathMatches", spec.matcher)
        super().__init__(matcher.regex, spec.target, spec.target_kwargs, route.name)
        self.matcher = PrefixedMatches(prefix, matcher.regex)
        self.route = route


def expression(matcher: PathMatches) -> str:
    """Return the regular expression of a Tornado rule, without the ``$`` that Tornado adds."""
    text = str(matcher.regex.pattern)
    return text[:-1] if text.endswith("$") and not text.endswith("\\$") else text


def check_duplicates(routes: Iterable[Route | Rule]) -> None:
    """Refuse two routes of one name, and two patterns that match the same paths.

    Tornado's own rules are left alone: there the first match wins and the last name.

    Raises:
        RouteError: with both places.
    """
    Duplicates().add(item.rule() if isinstance(item, Route) else item for item in routes)


class Duplicates:
    """The names and shapes of the routes that one router holds."""

    def __init__(self) -> None:
        self._names: dict[str, Route] = {}
        self._shapes: dict[str, Route] = {}

    def add(self, rules: Iterable[Any]) -> None:
        """Take the routes among these rules.

        Raises:
            RouteError: one of them is there already.
        """
        for rule in rules:
            route: Route | None = getattr(rule, "route", None)
            if route is None:
                continue
            if route.name in self._names:
                raise _duplicate("name", route.name, self._names[route.name], route)
            if route.name:
                self._names[route.name] = route
            shape = getattr(rule, "shape", None)
            if shape in self._shapes:
                raise _duplicate("pattern", route.pattern, self._shapes[shape], route)
            if shape is not None:
                self._shapes[shape] = route


def _duplicate(what: str, which: str, first: Route, second: Route) -> RouteError:
    repair = (
        "rename one" if what == "name" else "the second is never reached: remove or change one"
    )
    return RouteError(
        f"two routes have the {what} {printable(which)!r}: {first.place} and {second.place}",
        hint=f"{repair} of them",
        file=second.file,
        line=second.line,
        check_id=f"routes.duplicate-{what}",
    )


def _route_error(route: Route, problem: str, hint: str) -> RouteError:
    return RouteError(
        f"{route.place}: path({printable(repr(route.pattern))}): {problem}",
        hint=hint,
        file=route.file,
        line=route.line,
        check_id="routes.invalid",
    )


def _check_options(route: Route) -> None:
    name: object = route.name
    if name is not None and not (isinstance(name, str) and name.strip()):
        raise _route_error(
            route, f"the name is {route.name!r}", "name it with text, or not at all"
        )
    if not isinstance(route.kwargs, Mapping):
        raise _route_error(
            route, f"kwargs is {printable(repr(route.kwargs))}", "give a dict of arguments"
        )
    if route.access is not None and not isinstance(route.access, Access):
        raise _route_error(
            route,
            f"access is {printable(repr(route.access))}",
            "give PUBLIC, SIGNED_IN or roles(...)",
        )
    if not _is_target(route.handler):
        raise _route_error(
            route,
            f"the handler is {printable(repr(route.handler))}",
            "give a subclass of BaseHandler (the class itself)",
        )


def _is_target(handler: object) -> bool:
    if isclass(handler):
        return issubclass(handler, RequestHandler)
    if isinstance(handler, RequestHandler | str):
        return False
    kinds = (Router, HTTPServerConnectionDelegate, list, tuple)
    return callable(handler) or isinstance(handler, kinds)


def _check_types(route: Route, pattern: Pattern, *, typed: bool) -> None:
    if typed:
        return
    for parameter in pattern.parameters:
        if parameter.converter.typed:
            name = getattr(route.handler, "__name__", type(route.handler).__name__)
            raise PatternError(
                f"{{{parameter.name}:{parameter.converter.name}}} needs a handler that takes "
                f"typed arguments, and {name} is not one",
                "derive it from tornkit.BaseHandler, or use the converters str and path",
            )
