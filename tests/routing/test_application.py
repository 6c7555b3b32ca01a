"""`RoutedApplication`: hosts, nesting, other targets, editing, Tornado's constructor."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from tornado.routing import AnyMatches, HostMatches, Matcher, PathMatches, Rule, RuleRouter
from tornado.web import Application, ErrorHandler, RequestHandler, StaticFileHandler

from tests.routing.requests import Typed, answer, request
from tornkit.errors import RouteError
from tornkit.routing import Route, RoutedApplication, path, route_of

if TYPE_CHECKING:
    from pathlib import Path

A, B, C = (type(name, (RequestHandler,), {}) for name in "ABC")


def winner(app: Application, asked: str, host: str = "localhost", **headers: str) -> Any:
    return answer(app, request(asked, host, **headers))[0]


def test_host_rules_come_first_in_the_order_they_were_added() -> None:
    for kind in (Application, RoutedApplication):
        app = kind([("/a", A), ("/b", A)])
        app.add_handlers(r".*\.example", [("/a", B)])
        app.add_handlers(r"x\.example", [("/a", C), ("/b", C)])
        assert winner(app, "/a", "x.example") is B
        assert winner(app, "/b", "x.example") is C
        assert winner(app, "/b", "y.example") is A
        assert winner(app, "/a") is A


def test_the_default_host_has_its_rules_everywhere_but_behind_a_proxy() -> None:
    for kind in (Application, RoutedApplication):
        app = kind([("/a", A)], default_host="x.example")
        app.add_handlers(r"x\.example", [("/b", B)])
        assert winner(app, "/b", "other") is B
        assert winner(app, "/b", "other", **{"X-Real-Ip": "1.2.3.4"}) not in {A, B}


def test_two_hosts_may_have_routes_of_one_pattern() -> None:
    app = RoutedApplication()
    app.add_handlers(r"x\.example", [path("/", A)])
    app.add_handlers(r"y\.example", [path("/", B)])
    assert winner(app, "/", "x.example") is A
    assert winner(app, "/", "y.example") is B


def test_an_inner_router_without_an_answer_leaves_the_path_to_later_rules() -> None:
    inner = RoutedApplication([path("/in/{x}", B)])
    app = RoutedApplication(
        [
            (r"/in/.*", [path("/in/a", A)]),
            Rule(PathMatches(r"/in/.*"), RuleRouter([(r"/none", A)])),
            Rule(PathMatches(r"/in/b"), inner),
            path("/in/{x}", C),
        ]
    )
    assert winner(app, "/in/a") is A
    assert winner(app, "/in/b") is B
    assert winner(app, "/in/c") is C


def test_a_route_whose_router_has_no_answer_leaves_no_trace() -> None:
    app = RoutedApplication([path("/{x}", RuleRouter([])), ("/a", A)])
    made = request("/a")
    assert answer(app, made)[0] is A
    assert route_of(made) is None


def test_an_inner_plain_rule_keeps_the_route_that_led_to_it() -> None:
    outer = path("/{x:path}", [(r"/a", A)])
    made = request("/a")
    assert answer(RoutedApplication([outer]), made)[0] is A
    assert route_of(made) is outer


def test_callables_and_custom_matchers_are_asked_in_order() -> None:
    asked: list[str] = []

    class Watching(Matcher):
        def match(self, request: Any) -> dict[str, Any] | None:
            asked.append(request.path)
            return None

    def target(request: Any) -> None:
        pass

    app = RoutedApplication(
        [("/a", A), Rule(Watching(), B), ("/call", target), Rule(AnyMatches(), C)]
    )
    assert winner(app, "/a") is A
    assert asked == []
    assert winner(app, "/other") is C
    assert asked == ["/other"]
    made = request("/call")
    made.connection = object()  # type: ignore[assignment] # only handed on
    assert type(app.find_handler(made)).__name__ == "_CallableAdapter"


def test_a_matcher_that_rewrites_the_path_is_obeyed() -> None:
    class Moving(Matcher):
        def match(self, request: Any) -> dict[str, Any] | None:
            request.path = "/new"
            return None

    for kind in (Application, RoutedApplication):
        app = kind([("/new", A), Rule(Moving(), B), ("/old", C), ("/new", B)])
        assert winner(app, "/old") is B
        assert winner(app, "/new") is A


def test_rules_edited_in_place_are_noticed() -> None:
    app = RoutedApplication([("/a", A)])
    router: Any = app.wildcard_router
    rules: Any = router.rules

    def rule(pattern: str, handler: Any) -> Rule:
        return Rule(PathMatches(pattern), handler)

    edits: list[tuple[Any, str, Any]] = [
        (lambda: rules.append(rule("/b", B)), "/b", B),
        (lambda: rules.insert(0, rule("/a", C)), "/a", C),
        (lambda: rules.pop(0), "/a", A),
        (lambda: rules.extend([rule("/c", C)]), "/c", C),
        (lambda: rules.__setitem__(0, rule("/a", B)), "/a", B),
        (lambda: rules.__delitem__(slice(0, 1)), "/a", None),
        (lambda: rules.__iadd__([rule("/a", A), rule("/a", B)]), "/a", A),
        (rules.reverse, "/a", B),
        (lambda: rules.sort(key=lambda item: item.target.__name__), "/a", A),
        (lambda: rules.remove(rules[0]), "/a", B),
        (lambda: rules.__imul__(2), "/a", B),
        (rules.clear, "/a", None),
        (lambda: setattr(app.wildcard_router, "rules", [rule("/a", C)]), "/a", C),
        (lambda: router.add_rules([path("/d", A)]), "/d", A),
    ]
    for edit, asked, expected in edits:
        edit()
        found = winner(app, asked)
        assert (found if found in {A, B, C} else None) is expected


def test_the_constructor_is_tornados(tmp_path: Path) -> None:
    app = RoutedApplication(
        iter([("/a", A)]), static_path=str(tmp_path), default_handler_class=B, cookie_secret="x"
    )
    assert winner(app, "/static/x.css") is StaticFileHandler
    assert winner(app, "/favicon.ico") is StaticFileHandler
    assert winner(app, "/a") is A
    assert winner(app, "/missing") is B
    assert app.settings["cookie_secret"] == "x"


def test_rules_for_hosts_among_the_handlers_are_lists_of_rules() -> None:
    app = RoutedApplication([(HostMatches("x"), [path("/a", A)]), ("/a", B)])
    assert winner(app, "/a", "x") is A
    assert winner(app, "/a", "y") is B


def test_a_hand_made_route_of_no_pattern_is_refused() -> None:
    with pytest.raises(RouteError, match="does not start with /"):
        RoutedApplication([Route("a", Typed)])


def counted(app: RoutedApplication, asked: str) -> int:
    """Count the rules that are asked for a path."""
    router: Any = app.wildcard_router
    return len(router.compile().nominate(asked))


@pytest.mark.parametrize("size", [10, 1000])
def test_as_many_rules_are_asked_of_a_thousand_as_of_ten(size: int) -> None:
    shapes: list[Any] = [
        (lambda i: path(f"/api/name_{i}", A), "/api/name_{}"),
        (lambda i: path(f"/api/{{x}}/name_{i}", A), "/api/q/name_{}"),
        (lambda i: path(f"/{{a}}/x_{i}", A), "/q/x_{}"),
        (lambda i: path(f"/item_{i}_{{x}}", A), "/item_{}_q"),
        (lambda i: (rf"/api/(\d+)/name_{i}", A), "/api/7/name_{}"),
        (lambda i: (rf"/(?P<x>\w+)/x_{i}/?", A), "/q/x_{}"),
        (lambda i: (rf"/item_{i}_(.*)", A), "/item_{}_q/r"),
        (lambda i: (rf"(?x)/ v_{i} (/.*)?", A), "/v_{}/q"),
    ]
    for make, asked in shapes:
        app = RoutedApplication([make(i) for i in range(size)])
        assert counted(app, asked.format(size - 1)) <= 3
        assert counted(app, "/nothing/of/the/kind") <= 1


def test_a_path_that_was_asked_for_before_follows_edits_of_the_rules() -> None:
    application = RoutedApplication([path("/a", A), path("/{rest:path}", B)])
    for _ in range(3):
        assert winner(application, "/a") is A
    application.wildcard_router.rules.insert(0, Rule(PathMatches("/a"), B))
    assert winner(application, "/a") is B
    del application.wildcard_router.rules[0]
    assert winner(application, "/a") is A
    application.add_handlers("other", [("/a", B)])
    assert winner(application, "/a", "other") is B
    assert winner(application, "/a") is A


def test_a_rule_that_looks_at_more_than_the_path_is_asked_each_time() -> None:
    class Secret(Matcher):
        def match(self, request: Any) -> dict[str, Any] | None:
            return {} if "X-Secret" in request.headers else None

    application = RoutedApplication([Rule(Secret(), A), path("/a", B), Rule(Secret(), A)])
    for _ in range(2):
        assert winner(application, "/a") is B
        assert winner(application, "/a", **{"X-Secret": "1"}) is A
    found = application.find_handler(request("/a"))
    assert route_of(found.request) is not None


def test_rules_are_asked_once_also_where_none_matches() -> None:
    class Moves(Matcher):
        def match(self, asked: Any) -> dict[str, Any] | None:
            asked.path = "/a"
            return None

    for kind in (Application, RoutedApplication):
        assert winner(kind([("/a", A), Rule(Moves(), B)]), "/b") is ErrorHandler
        own = kind([("/a", A), Rule(Moves(), B)], default_handler_class=C)
        assert winner(own, "/b") is C
