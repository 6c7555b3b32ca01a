"""The quick way to read a head says what Tornado's says, and keeps no secrets."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tornado.httputil import (
    HTTPHeaders,
    HTTPInputError,
    RequestStartLine,
    parse_request_start_line,
)
from tornado.iostream import UnsatisfiableReadError

from tornkit.server.http1 import heads
from tornkit.server.http1.heads import HeadReader

LINE = b"GET /a?b=c HTTP/1.1\r\n"
BROWSER = (
    LINE + b"Host: example.org\r\nUser-Agent: Someone/1.0 (like anyone)\r\nAccept: */*\r\n"
    b"accept-LANGUAGE:de \t\r\nCookie: a=1\r\nX-Empty:\r\nCOOKIE: b=\xe9\r\n\r\n"
)


def read_head(
    data: bytes, limit: int, scanned: int = 0
) -> tuple[int, RequestStartLine, HTTPHeaders] | None:
    return HeadReader().read(data, limit, scanned)


names = st.sampled_from([b"Host", b"host", b"X", b"x-a", b"X-A", b"Accept", b"a_b", b"1", b"~"])
values = st.binary(max_size=12).filter(lambda value: b"\n" not in value) | st.sampled_from(
    [b"", b" a ", b"a,b", b"\t\xa0\x85 a\t", b"a: b"]
)
heads_of_any_kind = st.lists(st.tuples(names, values)).map(
    lambda lines: LINE + b"".join(name + b":" + value + b"\r\n" for name, value in lines) + b"\r\n"
)


@given(heads_of_any_kind)
def test_it_says_what_tornado_says(data: bytes) -> None:
    first, _, rest = data.partition(b"\r\n")
    try:
        theirs = HTTPHeaders.parse(rest.decode("latin1"))
    except HTTPInputError:
        with pytest.raises(HTTPInputError):
            read_head(data, 65536)
        return
    found = read_head(data, 65536)
    assert found is not None
    end, start_line, ours = found
    assert start_line == parse_request_start_line(first.decode("latin1"))
    assert end == len(data)
    assert list(ours.get_all()) == list(theirs.get_all())
    assert dict(ours) == dict(theirs)


def test_headers_are_gathered_trimmed_and_can_be_changed() -> None:
    found = read_head(BROWSER + b"more", 65536)
    assert found is not None
    end, _, headers = found
    assert end == len(BROWSER)
    assert headers.get_list("cookie") == ["a=1", "b=\xe9"]
    assert headers["Cookie"] == "a=1,b=\xe9"
    assert headers["Accept-Language"] == "de"
    assert headers["X-Empty"] == ""
    headers.add("Cookie", "c=3")
    headers["Host"] = "b"
    del headers["Accept"]
    assert headers["Cookie"] == "a=1,b=\xe9,c=3"
    again = read_head(BROWSER, 65536)
    assert again is not None  # one request cannot change what the next one is told
    assert again[2]["Host"] == "example.org"
    assert again[2]["Accept"] == "*/*"
    assert again[2].get_list("Cookie") == ["a=1", "b=\xe9"]


def test_the_headers_of_the_last_request_are_remembered_not_shared() -> None:
    reader = HeadReader()
    heads_read = [reader.read(BROWSER, 65536) for _ in range(2)]
    other = BROWSER.replace(b"Cookie: a=1", b"Cookie: a=2")
    for data, cookie in [(BROWSER, "a=1"), (other, "a=2"), (BROWSER, "a=1")]:
        found = reader.read(data, 65536)
        assert found is not None
        assert found[2].get_list("Cookie") == [cookie, "b=\xe9"]
        found[2].add("Cookie", "mine")
        found[2]["Host"] = "mine"
        found[2].get_list("X-Empty").append("mine")
        assert found[2].get_list("Cookie") == [cookie, "b=\xe9", "mine"]
        assert found[2].get_list("X-Empty") == [""]
    assert all(each is not None and each[2]["Host"] == "example.org" for each in heads_read)
    with pytest.raises(HTTPInputError):
        reader.read(BROWSER.replace(b"X-Empty:", b"X-Empty"), 65536)
    again = reader.read(BROWSER, 65536)
    assert again is not None
    assert dict(again[2]) == dict(read_head(BROWSER, 65536)[2])  # type: ignore[index]


def test_headers_longer_than_most_are_not_kept_for_the_next_request() -> None:
    reader = HeadReader()
    reader.read(LINE + b"Cookie: a=" + b"x" * heads._LONGEST_REMEMBERED + b"\r\n\r\n", 65536)
    assert reader._lines == b""


def test_lines_that_are_remembered_are_few_and_not_secret() -> None:
    for number in range(5000):
        read_head(LINE + b"User-Agent: %d\r\nHost: %d.example\r\n\r\n" % (number, number), 65536)
    assert len(heads._known) <= heads._MOST_KNOWN
    read_head(LINE + b"Authorization: Basic eA==\r\nX-Api-Key: 1\r\n" + BROWSER[21:], 65536)
    known = {name for name, _ in heads._known.values()}
    assert "User-Agent" in known
    assert not known & {"Cookie", "Authorization", "X-Api-Key", "X-Empty"}
    read_head(LINE + b"User-Agent: %s\r\n\r\n" % (b"x" * 1000), 65536)
    assert max(map(len, heads._known)) <= heads._LONGEST_KNOWN


@pytest.mark.parametrize("end", [b"\r\n\r\n", b"\n\n", b"\r\n\n", b"\n\r\n"])
def test_it_may_come_byte_by_byte_up_to_its_limit(end: bytes) -> None:
    data = LINE + b"Host: a" + end
    for size in range(len(data)):
        assert read_head(data[:size], len(data), max(0, size - 1)) is None
    found = read_head(data, len(data), len(data) - 1)
    assert found is not None
    assert found[0] == len(data)
    with pytest.raises(UnsatisfiableReadError):
        read_head(data, len(data) - 1)
    with pytest.raises(UnsatisfiableReadError):
        read_head(LINE + b"X: no end", 20)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"\r\n\r\n", "Malformed HTTP request line"),
        (b"GET / HTTP/2.0\r\nHost: a\r\n\r\n", "Unexpected HTTP version"),
        (LINE + b"Host a\r\n\r\n", "no colon in header line"),
        (LINE + b"Host: a\r\n b\r\n\r\n", "header line cannot start with whitespace"),
        (LINE + b"Ho st: a\r\n\r\n", "Invalid header name"),
        (LINE + b"Host: a\x00\r\n\r\n", "Invalid header value"),
    ],
    ids=["nothing", "version", "colon", "folded", "name", "value"],
)
def test_what_is_malformed_is_named(data: bytes, words: str) -> None:
    with pytest.raises(HTTPInputError, match=words):
        read_head(data, 65536)
