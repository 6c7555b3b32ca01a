from __future__ import annotations

import logging

import hypothesis.strategies as st
import pytest
from hypothesis import given

from tornkit.logs import (
    configure,
    log_access,
    log_arguments,
    log_request,
    mask,
    mask_query,
    request_id,
)


def access(target: str, status: int = 200, **more: str) -> None:
    log_access(
        method=more.get("method", "GET"),
        target=target,
        status=status,
        seconds=0.01234,
        remote_ip=more.get("remote_ip", "192.0.2.1"),
        request_id=more.get("request_id"),
    )


def test_one_line_says_what_was_asked_and_answered(capsys: pytest.CaptureFixture[str]) -> None:
    configure({}, debug=True)
    request_id.set("r1")
    access("/teacher/?page=2&password=hunter2")
    request_id.set("-")
    (line,) = capsys.readouterr().err.splitlines()
    assert line.endswith(
        "tornkit.access [r1] GET /teacher/?page=2&password=*** 200 12.3 ms 192.0.2.1"
    )


def test_only_5xx_are_errors(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    for status in (200, 302, 401, 404, 500):
        access("/", status)
    levels = [record.levelno for record in caplog.records]
    assert levels == [logging.INFO] * 4 + [logging.ERROR]


def test_what_a_visitor_sends_stays_in_its_line(capsys: pytest.CaptureFixture[str]) -> None:
    configure({}, debug=True)
    access("/a\n\x1b?x=\r" + "y" * 5000, method="GET\nX", remote_ip="1\n2", request_id="r\n1")
    (line,) = capsys.readouterr().err.splitlines()
    assert line.isprintable()
    assert len(line) < 2300


def test_a_request_of_tornado_is_logged(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tornado.httputil import HTTPHeaders, HTTPServerRequest, RequestStartLine

    caplog.set_level(logging.INFO)
    start_line = RequestStartLine("POST", "/x?token=t", "HTTP/1.1")
    request = HTTPServerRequest(start_line=start_line, headers=HTTPHeaders({"Host": "x"}))
    monkeypatch.setattr(request, "request_time", lambda: 0.5)
    log_request(request, 503)
    assert caplog.messages == ["POST /x?token=*** 503 500.0 ms -"]


def test_arguments_are_logged_at_debug_only_and_masked(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    log_arguments({"a": [b"1"]})
    assert caplog.messages == []
    caplog.set_level(logging.DEBUG)
    log_arguments({"a": [b"1"], "b": [b"x\n", b"\xff"], "password": [b"hunter2"]})
    assert caplog.messages == [r"arguments {'a': '1', 'b': ['x\n', '\\xff'], 'password': '***'}"]


@pytest.mark.parametrize(
    "name",
    [
        "password", "PASSWORD", "new_password", "passwd", "pwd", "pass", "user[password]",
        "secret", "client-secret", "token", "accessToken", "csrf_token", "_xsrf", "Authorization",
        "Cookie",
        "Set-Cookie", "api_key", "apikey", "X-Api-Key", "card", "card_number", "cardNumber",
        "creditCard", "cvv", "otp", "pin", "session", "session_id", "jwt", "private_key",
    ],
)  # fmt: skip
def test_names_like_passwords_are_masked(name: str) -> None:
    assert mask({name: "hunter2"}) == {name: "***"}
    assert "hunter2" not in mask_query(f"/x?a=1&{name}=hunter2;b=2")


@pytest.mark.parametrize(
    "name", ["email", "page", "shipping", "discard", "passenger", "key", "author", "compass"]
)
def test_other_names_are_not(name: str) -> None:
    assert mask({name: "x"}) == {name: "x"}


def test_nested_values_are_masked_and_the_original_is_left() -> None:
    values = {"user": {"password": "x", "tags": [{"token": 1}, 2]}, "n": 1}
    assert mask(values) == {"user": {"password": "***", "tags": [{"token": "***"}, 2]}, "n": 1}
    assert values["user"] == {"password": "x", "tags": [{"token": 1}, 2]}


@pytest.mark.parametrize(
    ("target", "shown"),
    [
        ("/plain", "/plain"),
        ("/?", "/?"),
        ("/?a&b=&c=1", "/?a&b=&c=1"),
        ("/?pass%77ord=hunter2", "/?pass%77ord=***"),
        ("/?next=%2Freset%3Ftoken%3Dhunter2", "/?next=***"),
        ("/?next=%252Freset%253Ftoken%253Dhunter2", "/?next=***"),
        ("/?next=%2Fa%3Fb%3D1", "/?next=%2Fa%3Fb%3D1"),
        ("/?token=a?token=b", "/?token=***"),
    ],
)
def test_private_values_in_queries_are_hidden(target: str, shown: str) -> None:
    assert mask_query(target) == shown


@given(st.text(max_size=60))
def test_any_target_is_masked_without_an_error(target: str) -> None:
    assert mask_query(target).partition("?")[0] == target.partition("?")[0]


def test_a_link_in_a_value_is_masked_too() -> None:
    given = {"next": "/account/reset?token=abc", "raw": b"/a%3Ftoken%3Dabc", "note": "a = b"}
    assert mask(given) == {"next": "***", "raw": "***", "note": "a = b"}


def test_a_request_that_cannot_be_read_brings_no_header_into_the_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    log = logging.getLogger("tornado.general")
    errors = [
        "Invalid header value 'site_session=living; other=\\x7f'",
        "Multiple host headers not allowed: 'living'",
        "Malformed HTTP request line",
    ]
    with caplog.at_level("INFO", "tornado.general"):
        for error in errors:
            log.info("Malformed HTTP message from %s: %s", "127.0.0.1", ValueError(error))
        log.info("another line with %s", "'quotes'")
    assert [record.getMessage() for record in caplog.records] == [
        "Malformed HTTP message from 127.0.0.1: Invalid header value",
        "Malformed HTTP message from 127.0.0.1: Multiple host headers not allowed",
        "Malformed HTTP message from 127.0.0.1: Malformed HTTP request line",
        "another line with 'quotes'",
    ]
