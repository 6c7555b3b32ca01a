"""The compiled router: Tornado's answers from a look-up in a trie."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, SupportsIndex

from tornado.routing import (
    AnyMatches,
    PathMatches,
    ReversibleRouter,
    ReversibleRuleRouter,
    Rule,
    RuleRouter,
)
from tornado.web import RequestHandler, _ApplicationRouter

from tornkit.errors import RouteError
from tornkit.routing._keys import ANY_PATH, Key, KeyBuilder, key_of
from tornkit.routing._patterns import PatternError
from tornkit.routing._trie import Trie
from tornkit.routing.route import Duplicates, PrefixedMatches, Route, RouteMatches

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    import tornado.web
    from tornado.httputil import HTTPMessageDelegate, HTTPServerRequest
    from tornado.routing import Matcher

__all__ = ["CompiledRouter", "route_names"]


class RuleList(list[Any]):
    """A list that tells its owner when it is edited in place."""

    def __init__(self, rules: Iterable[Any], edited: Callable[[], None]) -> None:
        super().__init__(rules)
        self._edited = edited

    def append(self, rule: Any) -> None:
        super().append(rule)
        self._edited()

    def extend(self, rules: Iterable[Any]) -> None:
        super().extend(rules)
        self._edited()

    def insert(self, index: SupportsIndex, rule: Any) -> None:
        super().insert(index, rule)
        self._edited()

    def pop(self, index: SupportsIndex = -1) -> Any:
        self._edited()
        return super().pop(index)

    def remove(self, rule: Any) -> None:
        super().remove(rule)
        self._edited()

    def clear(self) -> None:
        super().clear()
        self._edited()

    def reverse(self) -> None:
        super().reverse()
        self._edited()

    def sort(self, **options: Any) -> None:
        super().sort(**options)
        self._edited()

    def __setitem__(self, index: Any, value: Any) -> None:
        super().__setitem__(index, value)
        self._edited()

    def __delitem__(self, index: Any) -> None:
        super().__delitem__(index)
        self._edited()

    def __iadd__(self, rules: Iterable[Any]) -> RuleList:  # type: ignore[misc] # as list's
        self.extend(rules)
        return self

    def __imul__(self, times: SupportsIndex) -> RuleList:
        super().__imul__(times)
        self._edited()
        return self


class CompiledRouter(_ApplicationRouter):
    """Answer as Tornado's router does, asking only the rules that could match.

    The rules are compiled at the first request, and again after `rules` was edited. A
    rule is asked by its own matcher, in declared order; matchers other than Tornado's and
    ours are always asked. Editing a rule's matcher in place is not noticed.
    """

    def __init__(self, application: tornado.web.Application, rules: Any = None) -> None:
        self._duplicates = Duplicates()
        super().__init__(application, rules)

    @property
    def rules(self) -> list[Rule]:
        """The rules in declared order; edit them in place, or assign other ones."""
        return self._rules

    @rules.setter
    def rules(self, rules: Iterable[Rule]) -> None:
        self._rules = RuleList(rules, self._forget)
        self._forget()

    def _forget(self) -> None:
        self._trie: Trie | None = None
        # Where the paths of routes without parameters lead; as many as there are such routes.
        self._plain: dict[str, tuple[Route, type[RequestHandler]]] = {}

    def add_rules(self, rules: Iterable[Any]) -> None:
        """Append rules: routes, tuples, lists, `URLSpec`s and `Rule`s.

        Raises:
            RouteError: a route collides with another one of this router.
        """
        plain = [rule.rule() if isinstance(rule, Route) else rule for rule in rules]
        self._duplicates.add(plain)
        super().add_rules(plain)

    def process_rule(self, rule: Rule) -> Rule:
        """Make a router of a target that is a list of rules."""
        if isinstance(rule.target, list | tuple):
            rule.target = CompiledRouter(self.application, rule.target)
        return super().process_rule(rule)

    def compile(self) -> Trie:
        """Compile the rules now rather than at the next request."""
        self._compiled = list(self._rules)
        self._sole = self._find_sole()
        trie = Trie(_key(rule.matcher) for rule in self._compiled)
        self._trie = trie
        return trie

    def _find_sole(self) -> CompiledRouter | None:
        """Return the router that answers everything: that of an application without host rules."""
        if len(self._compiled) != 1 or type(self) is not CompiledRouter:
            return None
        (rule,) = self._compiled
        plain = type(rule.matcher) is AnyMatches and not rule.target_kwargs
        is_router = type(rule.target) is CompiledRouter and not hasattr(rule, "route")
        return rule.target if plain and is_router else None

    def find_handler(
        self, request: HTTPServerRequest, **kwargs: Any
    ) -> HTTPMessageDelegate | None:
        """Return the delegate of the first rule that matches, or None."""
        trie = self._trie or self.compile()
        if self._sole is not None:
            return self._sole.find_handler(request)
        path, rules = request.path, self._compiled
        plain = self._plain.get(path)
        if plain is not None:
            request.tornkit_route, handler = plain  # type: ignore[attr-defined] # read with route_of()
            return self.application.get_handler_delegate(request, handler)
        nominated = trie.nominate(path)
        for index in nominated:
            rule = rules[index]
            params = rule.matcher.match(request)
            if params is not None:
                if index == nominated[0] and not params:
                    self._remember(path, rule)
                delegate = self._delegate(rule, request, params)
                if delegate is not None:
                    return delegate
            if request.path is not path:
                return self._scan(index + 1, request)  # a matcher of the user's rewrote it
        return None

    def _remember(self, path: str, rule: Rule) -> None:
        """Note that a path always leads to a rule, where nothing but the path decides that."""
        target = rule.target
        if (
            type(self) is CompiledRouter
            and type(rule.matcher) is RouteMatches
            and not rule.target_kwargs
            and isinstance(target, type)
            and issubclass(target, RequestHandler)
        ):
            self._plain[path] = (rule.route, target)  # type: ignore[attr-defined] # of its Route

    def _scan(self, start: int, request: HTTPServerRequest) -> HTTPMessageDelegate | None:
        for index in range(start, len(self._compiled)):
            rule = self._compiled[index]
            params = rule.matcher.match(request)
            if params is not None:
                delegate = self._delegate(rule, request, params)
                if delegate is not None:
                    return delegate
        return None

    def _delegate(
        self, rule: Rule, request: HTTPServerRequest, params: dict[str, Any]
    ) -> HTTPMessageDelegate | None:
        if rule.target_kwargs:
            params["target_kwargs"] = rule.target_kwargs
        route = getattr(rule, "route", None)
        if route is None:
            return self.get_target_delegate(rule.target, request, **params)
        before = getattr(request, "tornkit_route", None)
        request.tornkit_route = route  # type: ignore[attr-defined] # read with route_of()
        delegate = self.get_target_delegate(rule.target, request, **params)
        if delegate is None:
            request.tornkit_route = before  # type: ignore[attr-defined] # see above
        return delegate

    def reverse_url(  # type: ignore[override] # a parameter may be called name
        self, name: str, /, *args: Any, **kwargs: Any
    ) -> str | None:
        """Return the path of the route of that name, or None where there is none.

        Raises:
            RouteError: the arguments are not those of the route.
        """
        return _reverse(self, name, args, kwargs)


def _key(matcher: Matcher) -> Key:
    # A subclass, or an instance, with a match() of its own knows things that we do not.
    if "match" in vars(matcher):
        return ANY_PATH
    if isinstance(matcher, RouteMatches) and type(matcher).match is RouteMatches.match:
        return _pattern_key(matcher)
    if isinstance(matcher, PrefixedMatches) and type(matcher).match is PrefixedMatches.match:
        below = key_of(matcher.regex)
        prefix = KeyBuilder()
        prefix.literal(matcher.prefix)
        return Key((*prefix.key(exact=True).segments, *below.segments[1:]), below.exact)
    if isinstance(matcher, PathMatches) and type(matcher).match is PathMatches.match:
        return key_of(matcher.regex)
    return ANY_PATH


def _pattern_key(matcher: RouteMatches) -> Key:
    builder = KeyBuilder()
    for piece in matcher.pattern.pieces:
        if isinstance(piece, str):
            builder.literal(piece)
        elif piece.converter.crosses:
            return builder.key(exact=False)
        else:
            builder.within_segment()
    return builder.key(exact=True)


def _reverse(
    router: ReversibleRouter, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> str | None:
    if not isinstance(router, ReversibleRuleRouter):
        return router.reverse_url(name, *args)
    rule = router.named_rules.get(name)
    if rule is not None:
        try:
            return _reverse_rule(rule, args, kwargs)
        except PatternError as error:
            raise RouteError(
                f"route {name!r}: {error.problem}",
                hint=error.hint,
                check_id="routes.arguments",
            ) from None
    for inner in router.rules:
        if isinstance(inner.target, ReversibleRouter):
            url = _reverse(inner.target, name, args, kwargs)
            if url is not None:
                return url
    return None


def _reverse_rule(rule: Rule, args: tuple[Any, ...], kwargs: dict[str, Any]) -> str | None:
    if not kwargs:
        return rule.matcher.reverse(*args)
    names = _parameter_names(rule.matcher)
    if args:
        raise PatternError("positional and named parameters are mixed", "name all of them")
    if set(names) != set(kwargs):
        given, wanted = ", ".join(sorted(kwargs)), ", ".join(names) or "none"
        raise PatternError(f"the parameters given are {given}", f"its parameters are: {wanted}")
    return rule.matcher.reverse(*(kwargs[name] for name in names))


def _parameter_names(matcher: Matcher) -> list[str]:
    if isinstance(matcher, RouteMatches):
        return [parameter.name for parameter in matcher.pattern.parameters]
    groups = matcher.regex.groupindex if isinstance(matcher, PathMatches) else {}
    return sorted(groups, key=groups.__getitem__)


def route_names(router: object) -> list[str]:
    """Return every name that `reverse_url` of this router finds."""
    names = list(router.named_rules) if isinstance(router, ReversibleRuleRouter) else []
    if isinstance(router, RuleRouter):
        for rule in router.rules:
            names += route_names(rule.target)
    return names
