"""`path()`: what it takes, what it matches, what its mistakes say."""

from __future__ import annotations

import datetime
import time
import uuid
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tornado.web import Application, RequestHandler

from tests.routing.requests import Typed, answer, request
from tornkit.access import SIGNED_IN
from tornkit.errors import RouteError, RouteNotFound
from tornkit.routing import RoutedApplication, path, route_of

UUID = uuid.UUID("123e4567-e89b-12d3-a456-426614174000")


def values(pattern: str, asked: str) -> Any:
    """Return the values that a typed handler gets, or None where the path is another."""
    handler, _, args, kwargs = answer(RoutedApplication([path(pattern, Typed)]), request(asked))
    assert args == []
    return kwargs if handler is Typed else None


@pytest.mark.parametrize(
    ("pattern", "asked", "expected"),
    [
        ("/", "/", {}),
        ("/{x}", "/ann%20lee", {"x": "ann lee"}),
        ("/{x}", "/%C3%BC", {"x": "ü"}),
        ("/{x}", "/a/b", None),
        ("/{x}", "/", None),
        ("/{x}", "/a%2Fb", None),
        ("/{x}", "/%FF", None),
        ("/{x:int}", "/007", {"x": 7}),
        ("/{x:int}", "/-1", None),
        ("/{x:int}", "/1.0", None),
        ("/{x:int}", "/٣", None),
        ("/{x:int}", "/" + "9" * 5000, None),
        ("/{x:uuid}", f"/{UUID}", {"x": UUID}),
        ("/{x:uuid}", f"/{str(UUID).upper()}", {"x": UUID}),
        ("/{x:uuid}", f"/{UUID.hex}", None),
        ("/{x:slug}", "/a-B_3", {"x": "a-B_3"}),
        ("/{x:slug}", "/a.b", None),
        ("/{x:date}", "/2026-11-30", {"x": datetime.date(2026, 11, 30)}),
        ("/{x:date}", "/2026-11-31", None),
        ("/{x:path}", "/a/b%2Fc/", {"x": "a/b/c/"}),
        ("/{x:path}", "/", None),
        ("/{y:int}-{m:int}", "/2026-11", {"y": 2026, "m": 11}),
        ("/{s:slug}-{n:int}.html", "/my-post-3.html", {"s": "my-post", "n": 3}),
        ("/{p:path}/edit", "/a/b/edit", {"p": "a/b"}),
        ("/über uns", "/%C3%BCber%20uns", {}),
        ("/a", "/a\n", None),
        ("/a/", "/a", None),
    ],
)
def test_values_arrive_converted_or_the_route_does_not_match(
    pattern: str, asked: str, expected: Any
) -> None:
    assert values(pattern, asked) == expected


def test_a_value_that_does_not_convert_leaves_the_path_to_later_routes() -> None:
    class Other(Typed):
        pass

    app = RoutedApplication([path("/{day:date}", Typed), path("/{word}", Other)])
    assert answer(app, request("/2026-13-01")) == (Other, {}, [], {"word": "2026-13-01"})


def test_a_plain_tornado_handler_gets_bytes_as_from_tornado() -> None:
    app = RoutedApplication([path("/{x}/{rest:path}", RequestHandler, kwargs={"k": 1})])
    assert answer(app, request("/a%20b/c/d")) == (
        *(RequestHandler, {"k": 1}, []),
        {"x": b"a b", "rest": b"c/d"},
    )


@pytest.mark.parametrize("kind", ["int", "uuid", "slug", "date"])
def test_a_typed_converter_needs_a_handler_that_takes_it(kind: str) -> None:
    with pytest.raises(RouteError) as caught:
        path(f"/{{x:{kind}}}", RequestHandler)
    assert f"{{x:{kind}}}" in str(caught.value)
    assert "BaseHandler" in caught.value.hint


@pytest.mark.parametrize(
    ("pattern", "part"),
    [
        ("a", "does not start with /"),
        (3, "the pattern is 3"),
        ("//evil.example", "empty segment"),
        ("/a//b", "empty segment"),
        ("/{x", "stands alone"),
        ("/x}", "stands alone"),
        ("/{}", "parameter's name"),
        ("/{class}", "parameter's name"),
        ("/{a b}", "parameter's name"),
        ("/{x:nit}", "did you mean 'int'?"),
        ("/{x:}", "no converter"),
        ("/{x}/{x}", "two parameters are called 'x'"),
        ("/{x}{y}", "touch"),
        ("/{x}-{y}-{z}", "share one segment"),
        ("/{x:path}-{y}", "share one segment"),
        ("/{x:path}/{y:path}", "two path parameters"),
        ("/a?b", "never part of a path"),
        ("/a\x00", "never part of a path"),
    ],
)
def test_a_bad_pattern_is_refused_where_it_is_written(pattern: Any, part: str) -> None:
    with pytest.raises(RouteError) as caught:
        path(pattern, Typed)
    assert part in str(caught.value)
    assert caught.value.file == __file__
    assert caught.value.line
    assert caught.value.check_id == "routes.invalid"
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    "wrong",
    [
        {"handler": None},
        {"handler": "app.Handler"},
        {"handler": int},
        {"name": ""},
        {"name": 3},
        {"kwargs": []},
        {"access": "teacher"},
    ],
)
def test_a_wrong_option_is_refused_where_it_is_written(wrong: dict[str, Any]) -> None:
    with pytest.raises(RouteError) as caught:
        path("/", **{"handler": Typed, **wrong})
    assert caught.value.file == __file__


def test_long_paths_cost_nothing_special() -> None:
    start = time.monotonic()
    assert values("/{a}-{b}.html", "/" + "-" * 60_000) is None
    assert values("/{p:path}/{a}-{b}.html", "/" + "-/" * 30_000) is None
    assert values("/{p:path}/x", "/" + "x/" * 30_000) is None
    assert time.monotonic() - start < 2


def test_the_winner_is_noted_on_the_request() -> None:
    route = path("/a", Typed, access=SIGNED_IN)
    app = RoutedApplication([route, ("/b", RequestHandler)])
    for asked, expected in [("/a", route), ("/b", None), ("/c", None)]:
        made = request(asked)
        app.find_handler(made)
        assert route_of(made) is expected


@given(st.text(min_size=1), st.integers(min_value=0), st.uuids(), st.dates())
def test_reversed_urls_lead_back_with_the_same_values(
    text: str, number: int, key: uuid.UUID, day: datetime.date
) -> None:
    app = RoutedApplication([path("/{n:int}/{u:uuid}/{d:date}/{t:path}", Typed, name="it")])
    try:
        url = app.reverse_url("it", n=number, u=key, d=day, t=text)
    except RouteError:
        assert {".", ".."} & set(text.split("/")) or not text.isprintable()
        return
    assert answer(app, request(url))[3] == {"n": number, "u": key, "d": day, "t": text}


def test_urls_are_built_from_named_or_positional_values() -> None:
    app = RoutedApplication(
        [
            path("/c/{course_id:int}", Typed, name="course"),
            path("/p/{name}", Typed, name="person"),
            path("/{page:path}", Typed, name="page"),
            (r"/t/(?P<b>\w+)/(?P<a>\w+)", RequestHandler, {}, "tuple"),
            (r"/n/.*", [(r"/n/(\w+)", RequestHandler, {}, "nested")]),
        ]
    )
    assert app.reverse_url("course", course_id=3) == app.reverse_url("course", 3) == "/c/3"
    assert app.reverse_url("course", "3") == "/c/3"
    assert app.reverse_url("tuple", a="1", b="2") == "/t/2/1"
    assert app.reverse_url("nested", "x") == "/n/x"
    assert app.reverse_url("person", name="Ann Lee") == "/p/Ann%20Lee"
    assert app.reverse_url("page", page="/evil.example") == "/%2Fevil.example"


@pytest.mark.parametrize(
    ("args", "kwargs", "part"),
    [
        ((), {"course_id": "abc"}, "course_id is 'abc'; give a whole number"),
        ((), {"course_id": True}, "course_id is True"),
        ((), {"course_id": -1}, "course_id is -1"),
        ((), {"course": 3}, "its parameters are: course_id"),
        ((), {}, "takes 1 parameters (course_id), not 0"),
        ((1, 2), {}, "not 2"),
        ((1,), {"course_id": 1}, "mixed"),
    ],
)
def test_wrong_values_for_a_url_say_what_is_expected(args: Any, kwargs: Any, part: str) -> None:
    app = RoutedApplication([path("/c/{course_id:int}", Typed, name="course")])
    with pytest.raises(RouteError) as caught:
        app.reverse_url("course", *args, **kwargs)
    assert part in str(caught.value)
    assert "'course'" in str(caught.value)


def test_an_unknown_name_suggests_the_nearest() -> None:
    app = RoutedApplication([path("/", Typed, name="teacher:course")])
    with pytest.raises(RouteNotFound, match=r"did you mean 'teacher:course'\?") as caught:
        app.reverse_url("teacher:curse")
    assert isinstance(caught.value, KeyError)


@pytest.mark.parametrize(
    ("first", "second", "check_id"),
    [
        (("/a/{x}", "one"), ("/b", "one"), "routes.duplicate-name"),
        (("/a/{x:int}", None), ("/a/{y:int}", None), "routes.duplicate-pattern"),
    ],
)
def test_routes_that_collide_are_refused_with_both_places(
    first: Any, second: Any, check_id: str
) -> None:
    one = path(first[0], Typed, name=first[1])
    two = path(second[0], Typed, name=second[1])
    with pytest.raises(RouteError) as caught:
        RoutedApplication([one, two])
    assert one.place in str(caught.value)
    assert two.place in str(caught.value)
    assert caught.value.check_id == check_id


def test_the_same_pattern_with_another_converter_is_no_collision() -> None:
    RoutedApplication([path("/{x:int}", Typed), path("/{x}", Typed)])


def test_equal_tuples_stay_as_in_tornado() -> None:
    RoutedApplication([("/a", RequestHandler), ("/a", RequestHandler)])


def test_any_tornado_application_takes_the_rule_of_a_route() -> None:
    app = Application([path("/{n:int}", Typed).rule()])
    assert answer(app, request("/3"))[3] == {"n": 3}
