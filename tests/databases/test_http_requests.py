"""What is sent to an HTTP service stays below its base URL, and in its place."""

from __future__ import annotations

import time
from datetime import UTC, date, datetime
from enum import Enum
from typing import Any
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from tornkit.databases._http_requests import BaseURL, Refused, body_of, header, query
from tornkit.databases.http import HTTPService
from tornkit.errors import DatabaseError

SECRET = "hun%40ter2"
BASE = BaseURL.read("https://api.example/v1")


@pytest.mark.parametrize(
    ("url", "match"),
    [
        (f"https://u:{SECRET}@", "names no host"),
        (f"https://u:{SECRET}@host:port", "cannot be read"),
        (f"https://u:{SECRET}@host:0/", "cannot be read"),
        (f"https://u:{SECRET}@ho st/", "cannot be read"),
        (f"https://u:{SECRET}@hö.st/", "cannot be read"),
        (f"https://u:{SECRET}@host/a?key=1", "has a query or a fragment"),
        (f"https://u:{SECRET}@host/a#b", "has a query or a fragment"),
        (f"https://u:{SECRET}@host/a/../b", "lead elsewhere"),
        (f"https://u:{SECRET}%0d@host/", "what no sign-in can"),
        (f"ftp://u:{SECRET}@host/", "neither https nor http"),
    ],
)
def test_a_wrong_url_is_refused_without_being_quoted(url: str, match: str) -> None:
    with pytest.raises(DatabaseError, match=match) as caught:
        HTTPService("weather", url)
    error = caught.value
    assert error.check_id == "databases.url"
    assert "hun" not in f"{error!r} {error} {error.__cause__!r} {error.__context__!r}"


def test_neither_user_nor_password_nor_header_is_shown() -> None:
    headers = {"X-Key": SecretStr("hunter3"), "X-Plain": "hunter4"}
    service = HTTPService("weather", f"https://me:{SECRET}@Host:443/b/", {"headers": headers})
    assert repr(service) == "<HTTPService 'weather' https://host/b>"
    assert "hun" not in f"{service.options!r} {service._base!r}"
    assert service._headers["Authorization"] == "Basic bWU6aHVuQHRlcjI="
    assert service._headers["X-Key"] == "hunter3"


def test_a_header_of_the_options_that_cannot_be_sent_is_told() -> None:
    with pytest.raises(
        DatabaseError, match=r"database_options\.weather\.headers: the value of X-K"
    ):
        HTTPService("weather", "https://host", {"headers": {"X-K": "hunter\r\nX: y"}})


def test_headers_of_the_options_that_are_no_mapping_are_told() -> None:
    with pytest.raises(DatabaseError, match=r"weather\.headers: a list is no mapping"):
        HTTPService("weather", "https://host", {"headers": [("X-K", "v")]})


@pytest.mark.parametrize("path", ["/health?deep=1", "http://other/", "/../x", 5], ids=repr)
def test_a_ping_path_that_cannot_be_asked_is_told_at_once(path: Any) -> None:
    with pytest.raises(
        DatabaseError, match=r"database_options\.weather\.ping_path: the path"
    ) as caught:
        HTTPService("weather", "https://host", {"ping_path": path})
    assert caught.value.check_id == "databases.option"


# --- paths -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "joined"),
    [
        ("", "/v1"),
        ("/", "/v1/"),
        ("/forecast", "/v1/forecast"),
        ("forecast/Oslo", "/v1/forecast/Oslo"),
        ("/a b/é/100%/50%25", "/v1/a%20b/%C3%A9/100%25/50%25"),
        ("/a%2Fb/c;d=1,2:3@4", "/v1/a%2Fb/c;d=1,2:3@4"),
        ("/...//.hidden/..x", "/v1/...//.hidden/..x"),
        ('/{}|<>"`^', "/v1/%7B%7D%7C%3C%3E%22%60%5E"),
    ],
)
def test_a_path_is_joined_below_the_base(path: str, joined: str) -> None:
    assert BASE.join(path) == "https://api.example" + joined


@pytest.mark.parametrize(
    "path",
    [
        *("http://evil.example/", "//evil.example/", "HTTPS:evil", "javascript:x", "a:b"),
        *("../secret", "/a/../b", "/a/..", "/./a", "/%2e%2e/a", "/a/%2E.", "/..%2fadmin"),
        *("/%252e%252e/a", "/..%255cadmin", "/a\\..\\b", "\\\\evil.example", "/a%5cb"),
        *(
            "/a?b=c",
            "/a#b",
            "/a\r\nHost: evil",
            "/a\x00",
            "/a%0d%0ab",
            "/a%00",
            "/a\x85",
            "/\ud800",
        ),
        "/a\u2028b",
    ],
    ids=ascii,
)
def test_a_path_that_leads_elsewhere_is_refused(path: str) -> None:
    with pytest.raises(Refused) as caught:
        BASE.join(path)
    assert "evil" not in str(caught.value)


@pytest.mark.parametrize("path", ["/%2525252541", "/%" + "25" * 30_000 + "41", "/" + "a" * 9000])
def test_a_path_without_end_is_refused_at_once(path: str) -> None:
    began = time.perf_counter()
    with pytest.raises(Refused):
        BASE.join(path)
    assert time.perf_counter() - began < 0.1


@given(st.text(max_size=20) | st.text("./\\%2eE5cCfF:?#@ \r\n", max_size=20))
def test_whatever_the_path_the_host_and_the_base_stay(path: str) -> None:
    try:
        joined = BASE.join(path)
    except Refused:
        return
    assert joined.isascii()
    assert joined.isprintable()
    parsed = urlsplit(joined)
    assert (parsed.scheme, parsed.netloc, parsed.query) == ("https", "api.example", "")
    assert parsed.path == "/v1" or parsed.path.startswith("/v1/")
    assert ".." not in parsed.path.split("/")


# --- parameters, headers, bodies ---------------------------------------------------------------


class Unit(Enum):
    CELSIUS = "c"


def test_parameters_are_encoded() -> None:
    params = {
        "city": "São Paulo & co/=?",
        "day": date(2030, 1, 2),
        "at": datetime(2030, 1, 2, 3, tzinfo=UTC),
        "n": [1, 2.5, None],
        "no": None,
        "yes": True,
        "unit": Unit.CELSIUS,
    }
    assert query(params) == (
        "?city=S%C3%A3o%20Paulo%20%26%20co%2F%3D%3F&day=2030-01-02"
        "&at=2030-01-02T03%3A00%3A00%2B00%3A00&n=1&n=2.5&yes=true&unit=c"
    )
    assert query({"q\x00": "a\r\nb\x7f\ud800"}) == "?q%00=a%0D%0Ab%7F%3F"
    assert query(None) == query({}) == query({"a": None}) == ""


@pytest.mark.parametrize(
    ("params", "match"),
    [
        ({"a": {"b": 1}}, "'a' is a dict, no text or number"),
        ({"a": b"x"}, "'a' is a bytes"),
        ([("a", "b")], "params: a list is no mapping of names to values"),
        ("a=b", "params: a str is no mapping"),
    ],
)
def test_parameters_that_are_none_are_refused(params: Any, match: str) -> None:
    with pytest.raises(Refused, match=match):
        query(params)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *[("X-A", value) for value in ("a\r\nb", "a\nb", "a\x00", "日本", " a", "a ", 5, None)],
        *[(name, "a") for name in (5, "", "X A", "X:A", "X-A\r\n", "X\u00c4")],
        *[(name, "a") for name in ("Host", "content-length", "Transfer-Encoding", "Connection")],
    ],
    ids=ascii,
)
def test_a_header_that_could_become_another_is_refused(name: Any, value: Any) -> None:
    with pytest.raises(Refused) as caught:
        header(name, value)
    assert "\n" not in str(caught.value)


def test_a_body_is_given_in_one_way() -> None:
    assert body_of({"json": None}) == (b"null", "application/json")
    assert body_of({"json": {"day": date(2030, 1, 2)}})[0] == b'{"day":"2030-01-02"}'
    assert body_of({"form": {"a": "x y\n", "b": [1, 2]}})[0] == b"a=x+y%0A&b=1&b=2"
    assert body_of({"body": "é"}) == ("é".encode(), "text/plain; charset=utf-8")
    assert body_of({"body": b""}) == (b"", "application/octet-stream")
    assert body_of({}) == (None, "")
    with pytest.raises(Refused, match="more than one of json, form and body"):
        body_of({"json": 1, "body": b"1"})


@pytest.mark.parametrize(
    ("given", "match"),
    [
        ({"body": {"book": 5}}, "body: a dict is neither bytes nor text"),
        ({"body": 5}, "body: a int is neither"),
        ({"form": [("a", "b")]}, "form: a list is no mapping"),
    ],
)
def test_a_body_of_another_kind_is_refused(given: Any, match: str) -> None:
    with pytest.raises(Refused, match=match):
        body_of(given)
