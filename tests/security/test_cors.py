"""Which origins may ask: exact names, and nothing that could not work."""

from __future__ import annotations

from typing import Any

import pytest

import tornkit
from tornkit import Cors

APP = "https://app.example"


@pytest.mark.parametrize(
    "origin",
    [
        "https://app.example",
        "http://localhost:5173",
        "http://127.0.0.1:8000",
        "https://[::1]:8443",
        "https://xn--bcher-kva.example",
        "capacitor://localhost",
        "chrome-extension://abcdefghijklmnop",
    ],
)
def test_an_origin_as_browsers_write_it_is_taken(origin: str) -> None:
    cors = Cors(origins=[origin])
    assert cors.admits(origin)
    assert not cors.admits(origin + ".evil.example")
    assert not cors.admits(None)


@pytest.mark.parametrize(
    ("origin", "advice"),
    [
        ("null", "any page can have that origin"),
        ("https://app.example/", "no path: 'https://app.example'"),
        ("https://app.example/path", "no path: 'https://app.example'"),
        ("https://*.example", "a wildcard cannot be part"),
        ("app.example", "write scheme, host and port"),
        ("//app.example", "write scheme, host and port"),
        ("https://App.Example", "browsers write it 'https://app.example'"),
        ("https://app.example:443", "leave the usual port out: 'https://app.example'"),
        ("http://app.example:80", "leave the usual port out: 'http://app.example'"),
        ("https://app.example:0", "write scheme"),
        ("https://app.example:99999", "write scheme"),
        ("https://[::0001]", "write scheme"),
        ("https://[:::1]", "write scheme"),
        ("https://user@app.example", "write scheme"),
        ("https://app.example\r\nX: y", "write scheme"),
        ("https://bücher.example", "write scheme"),
        ("", "write scheme"),
        (" https://app.example", "write scheme"),
    ],
)
def test_an_origin_that_could_never_match_is_refused(origin: str, advice: str) -> None:
    with pytest.raises(ValueError, match=r"^Cors\(\): origins: ") as refused:
        Cors(origins=[origin])
    assert advice in str(refused.value)
    assert "\r" not in str(refused.value)


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ({"origins": []}, "origins: []; name at least one"),
        ({"origins": APP}, "give a list"),
        ({"origins": None}, "give a list"),
        ({"origins": [1]}, "give a list of texts"),
        ({"origins": ["*"], "credentials": True}, "with credentials, name each origin"),
        ({"origins": ["*", APP]}, "it stands alone"),
        ({"origins": [APP], "credentials": "yes"}, "give True or False"),
        ({"origins": [APP], "methods": "GET"}, "methods: "),
        ({"origins": [APP], "methods": ["*"]}, "there is no wildcard"),
        ({"origins": [APP], "methods": ["get"]}, "write 'GET'"),
        ({"origins": [APP], "headers": ["*"]}, "there is no wildcard"),
        ({"origins": [APP], "headers": ["X Token"]}, "headers: 'X Token'"),
        ({"origins": [APP], "expose": ["a\r\nb"]}, "expose: "),
        ({"origins": [APP], "max_age": -1}, "max_age: -1; give"),
        ({"origins": [APP], "max_age": True}, "number of seconds"),
        ({"origins": [APP], "max_age": 1.5}, "number of seconds"),
    ],
    ids=str,
)
def test_arguments_that_could_not_work_are_refused_where_they_are_written(
    arguments: dict[str, Any], problem: str
) -> None:
    with pytest.raises(ValueError, match=r"^Cors\(\): ") as refused:
        Cors(**arguments)
    assert problem in str(refused.value)


def test_it_is_frozen_and_keeps_no_list_of_the_caller() -> None:
    origins = [APP]
    cors = Cors(origins=origins)
    origins.append("https://other.example")
    assert cors.origins == (APP,)
    assert cors == Cors(origins=(APP,))
    assert hash(cors) == hash(Cors(origins=(APP,)))
    with pytest.raises(AttributeError):
        cors.max_age = 1  # type: ignore[misc]


def test_an_answer_names_the_origin_credentials_and_exposed_headers() -> None:
    cors = Cors(origins=[APP], credentials=True, expose=["X-Total", "Link"])
    assert cors.answer(APP) == {
        "Access-Control-Allow-Origin": APP,
        "Access-Control-Allow-Credentials": "true",
        "Access-Control-Expose-Headers": "X-Total, Link",
    }
    assert cors.answer("https://evil.example") == {}
    assert cors.answer(None) == {}


def test_everybody_is_a_star() -> None:
    assert Cors(origins=["*"]).answer(APP) == {"Access-Control-Allow-Origin": "*"}
    assert Cors(origins=["*"]).answer(None) == {"Access-Control-Allow-Origin": "*"}


def test_a_preflight_lists_methods_and_headers() -> None:
    cors = Cors(origins=[APP], headers=["X-Token", "content-type"], expose=["Link"], max_age=5)
    assert cors.preflight(APP, ["GET", "POST"]) == {
        "Access-Control-Allow-Origin": APP,
        "Access-Control-Allow-Methods": "GET, POST",
        "Access-Control-Allow-Headers": "content-type, X-Token",
        "Access-Control-Max-Age": "5",
    }
    assert cors.preflight("https://evil.example", ["GET"]) == {}
    listed = Cors(origins=[APP], methods=["PUT"]).preflight(APP, ["GET"])
    assert listed["Access-Control-Allow-Methods"] == "PUT"


@pytest.mark.parametrize(
    ("cors", "origin", "method", "cookies", "trusted"),
    [
        (Cors(origins=[APP]), APP, "POST", False, True),
        (Cors(origins=[APP]), APP, "POST", True, False),
        (Cors(origins=[APP], credentials=True), APP, "POST", True, True),
        (Cors(origins=[APP], credentials=True), "https://evil.example", "POST", True, False),
        (Cors(origins=[APP], credentials=True), "null", "POST", True, False),
        (Cors(origins=[APP], methods=["GET"]), APP, "POST", False, False),
        (Cors(origins=["*"]), "https://evil.example", "POST", False, True),
        (Cors(origins=["*"]), "https://evil.example", "POST", True, False),
    ],
    ids=str,
)
def test_a_change_is_trusted_only_with_the_cookies_that_were_agreed_on(
    cors: Cors, origin: str, method: str, cookies: bool, trusted: bool
) -> None:
    assert cors.trusts(origin, method, cookies=cookies) is trusted


def test_it_is_a_name_of_the_package() -> None:
    assert tornkit.Cors is Cors
    assert "Cors" in tornkit.__all__
