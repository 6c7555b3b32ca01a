"""The compiled router gives Tornado's answer, whatever the rules and the path."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from tornado.routing import AnyMatches, Matcher, PathMatches, Rule, URLSpec
from tornado.web import Application, RequestHandler

from tests.routing.requests import Typed, answer, request
from tornkit.routing import Route, RoutedApplication
from tornkit.routing._patterns import PatternError, parse
from tornkit.routing.route import PrefixedMatches

HANDLERS = [type(f"Plain{number}", (RequestHandler,), {}) for number in range(8)]
TYPED = [type(f"Typed{number}", (Typed,), {}) for number in range(8)]

WORDS = [
    "a",
    "b",
    "ab",
    "abc",
    "A",
    "x_1",
    "x_2",
    "1",
    "42",
    "a.b",
    "%2F",
    "%41",
    "é",
    "~",
    "a-b",
    "",
]
PATH_WORDS = [
    *WORDS,
    "a\n",
    "%C3%A9",
    "%FF",
    "B",
    "2026-11-30",
    "2026-13-30",
    "10",
    "ABC",
    "x_12",
    "a%2fb",
    "\u017f",
    "K",
    "k",
    "123e4567-e89b-12d3-a456-426614174000",
    ".",
]
GROUPS = [
    r"(\d+)", r"(\w+)", r"([^/]+)", r"([^/]*)", r"(.*)", r"(.+)", r"(.*?)", r"(a|b)",
    r"(a|/b)", r"(?:a|b)", r"(x_\d)", r"(a)?", r"(/a)?", r"(?:/b)?", r"/?", r"/+", r"\d{2}",
    r"[a-c]+", r"[^a]", r"[+-9]", r"(\S+)", r"(\W)", r"\D*", r"(?=a)", r"(?!b)", r"(?<=/)",
    r"\b", r"$", r"^", r"\Z", r"(?i:ab)", r"(?-i:a)", r"(?s:.)", r"a*", r"b+?", r"(?>a+)",
    r"a++", r"(?:a/b|a)", r"[/a]", r"\n?", r"(?#note)", r"(?:)", r"a{0}", r"(?:a|)",
    r"[^\W/]+", r"(?!)", r"[--0]", r"(?:/[^/]+)+",
]  # fmt: skip

literals = st.sampled_from(WORDS).map(re.escape)
parts = st.lists(st.one_of(literals, literals, st.sampled_from(GROUPS)), max_size=3).map("".join)


@st.composite
def expressions(draw: Any) -> Any:
    text = draw(st.sampled_from(["", "^", "/", "/", "/"]))
    text += draw(st.sampled_from(["/", "/", "/", "/?", ""])).join(
        draw(st.lists(parts, min_size=1, max_size=3))
    )
    if draw(st.integers(0, 9)) == 0:
        text += "|" + draw(parts)
    text += draw(st.sampled_from(["", "", "/", "$", r"\Z", r"\$", ".*"]))
    how = draw(st.integers(0, 9))
    flags = [0, re.IGNORECASE, re.VERBOSE, re.MULTILINE, re.DOTALL, re.ASCII, re.I | re.X | re.M]
    if how == 0:
        return "(?i)" + text
    if how < 4:
        return _compiled(text, draw(st.sampled_from(flags)))
    return text


def _compiled(text: str, flags: int) -> Any:
    try:
        return re.compile(text, flags)
    except re.error:
        return text


patterns = st.lists(
    st.lists(
        st.sampled_from(
            [
                "a",
                "ab",
                "b",
                "x_1",
                "é",
                "1",
                "-",
                ".",
                "{p}",
                "{n:int}",
                "{d:date}",
                "{u:uuid}",
                "{s:slug}",
                "{r:path}",
                "{q}",
            ]
        ),
        max_size=2,
    ).map("".join),
    max_size=3,
).map(lambda segments: "/" + "/".join(segments))


class Odd(Matcher):
    """A matcher of the user's: it looks at the length, and may move the request elsewhere."""

    def __init__(self, moves: bool) -> None:
        self.moves = moves

    def match(self, asked: Any) -> dict[str, Any] | None:
        if len(asked.path) % 3 == 0:
            if self.moves:
                asked.path = "/a"
            else:
                return {}
        return None


class Picky(PathMatches):
    """A path matcher with a match() of its own."""

    def match(self, asked: Any) -> dict[str, Any] | None:
        return {} if asked.path.endswith("b") else super().match(asked)


def _route(pattern: str, number: int) -> Rule:
    rule = Route(pattern, TYPED[number], kwargs={"n": number}).rule()
    rule.shape = None  # tables of chance repeat themselves, which a site's may not
    return rule


@st.composite
def rules(draw: Any, depth: int = 0) -> Any:
    """Return a function that makes one rule afresh, for each application its own."""
    number = draw(st.integers(0, 7))
    handler: Any = HANDLERS[number]
    kind = draw(st.integers(0, 19))
    if kind < 8:
        pattern = draw(patterns)
        try:
            parse(pattern)
        except PatternError:
            pattern = "/a/{p}"
        return lambda: _route(pattern, number)
    if kind == 8:
        moves = draw(st.booleans())
        return lambda: Rule(Odd(moves), handler)
    if kind == 9 and depth < 2:
        inner = draw(st.lists(rules(depth + 1), max_size=4))
        pattern = draw(st.sampled_from(["/a.*", ".*", "/[^/]+", "/ab/(.*)"]))
        if draw(st.booleans()):
            return lambda: (pattern, [make() for make in inner])
        return lambda: Rule(PathMatches(pattern), Application([make() for make in inner]))
    expression = draw(expressions())
    try:
        PathMatches(expression)
    except (re.error, AssertionError, OverflowError):
        expression = "/a"
    if kind == 10:
        return lambda: Rule(Picky(expression), handler)
    if kind == 11:
        prefix = draw(st.sampled_from(["/a", "/ab", "/x_1/a", ""]))
        return lambda: Rule(PrefixedMatches(prefix, expression), handler)
    if kind == 12:
        return lambda: Rule(AnyMatches(), handler)
    if kind == 13:
        return lambda: URLSpec(expression, handler, {"n": number})
    return lambda: Rule(PathMatches(expression), handler)


paths = st.one_of(
    st.lists(st.sampled_from(PATH_WORDS), max_size=4).map(lambda words: "/" + "/".join(words)),
    st.lists(st.sampled_from(PATH_WORDS), max_size=3).map("/".join),
    st.lists(st.sampled_from([*PATH_WORDS, "/"]), max_size=6).map(
        lambda some: "/" + "".join(some)
    ),
)


def pair(makers: list[Any]) -> tuple[Application, RoutedApplication]:
    # Both get rules of their own, for lists of rules become routers of one application.
    return Application([make() for make in makers]), RoutedApplication([make() for make in makers])


def compare(plain: Application, routed: RoutedApplication, asked: list[str]) -> None:
    for path in asked:
        assert answer(routed, request(path)) == answer(plain, request(path)), path


many = settings(max_examples=5000, suppress_health_check=[HealthCheck.too_slow])


@settings(max_examples=120)
@given(st.lists(rules(), max_size=12), st.lists(paths, min_size=1, max_size=25))
def test_every_path_is_answered_as_by_tornado(makers: list[Any], asked: list[str]) -> None:
    compare(*pair(makers), asked)


@pytest.mark.slow
@many
@given(st.lists(rules(), max_size=30), st.lists(paths, min_size=1, max_size=25))
def test_every_path_is_answered_as_by_tornado_in_thousands_of_tables(
    makers: list[Any], asked: list[str]
) -> None:
    compare(*pair(makers), asked)


@settings(max_examples=300)
@given(expressions(), st.lists(paths, min_size=10, max_size=40))
@example(r"/a$|/b", ["/a", "/b", "/a\n", "/bc"])
@example(r"/a", ["/a\n", "/a\n\n", "/\n"])
@example(re.compile("/a$", re.MULTILINE), ["/a\n/b", "/a\n", "/a/b"])
@example(re.compile("(?x) /a # one\n /b"), ["/a/b", "/a /b"])
@example(re.compile("/a"), ["/a", "/ab", "/a/b"])
@example(r"/[--0]b", ["//b", "/.b"])
@pytest.mark.slow
def test_one_expression_among_others_is_asked_whenever_it_could_match(
    expression: Any, asked: list[str]
) -> None:
    try:
        PathMatches(expression)
    except (re.error, AssertionError, OverflowError):
        return
    compare(*pair([lambda: Rule(PathMatches(expression), HANDLERS[0])]), asked)
