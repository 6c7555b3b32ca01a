"""Which hosts a site answers for."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tornkit.security import HostRule, allowed, host_name


@pytest.mark.parametrize(
    ("header", "name"),
    [
        ("school.example", "school.example"),
        ("School.EXAMPLE", "school.example"),
        ("school.example:8888", "school.example"),
        ("school.example:", "school.example"),
        ("school.example.", "school.example"),
        ("school.example.:80", "school.example"),
        ("localhost", "localhost"),
        ("my_host-1", "my_host-1"),
        ("127.0.0.1:65535", "127.0.0.1"),
        ("[::1]", "[::1]"),
        ("[0:0:0:0:0:0:0:1]:80", "[::1]"),
        ("[2001:DB8::A]", "[2001:db8::a]"),
        ("xn--bcher-kva.example", "xn--bcher-kva.example"),
    ],
)
def test_reads_well_formed_headers(header: str, name: str) -> None:
    assert host_name(header) == name


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        ".",
        "..",
        ":80",
        ".school.example",
        "school..example",
        "school.example..",
        "school.example:65536",
        "school.example:-1",
        "school.example:80:80",
        "school.example:\uff18",
        "school.example:8a",
        "school.example/",
        "school.example\\x",
        "school.example?x",
        "user@school.example",
        "school.example,evil.example",
        "school.example evil.example",
        " school.example",
        "school.example\n",
        "school.example\x00",
        "bücher.example",
        "-school.example",
        "school-.example",
        "a" * 64 + ".example",
        ".".join(["a" * 60] * 5),
        "x" * 10_240,
        "::1",
        "[::1",
        "[::1]x",
        "[::1]:x",
        "[]",
        "[fe80::1%eth0]",
        "[127.0.0.1]",
        "[1:2]",
        "*",
    ],
)
def test_a_malformed_header_is_never_allowed(header: str | None) -> None:
    assert host_name(header) is None
    assert not allowed(header, ["*"])


@pytest.mark.parametrize(
    ("host", "patterns", "expected"),
    [
        ("school.example", ["school.example"], True),
        ("SCHOOL.example.:80", ["School.Example."], True),
        ("www.school.example", ["school.example"], False),
        ("www.school.example", [".school.example"], True),
        ("a.b.school.example", [".school.example"], True),
        ("school.example", [".school.example"], True),
        ("evilschool.example", [".school.example"], False),
        ("school.example.evil.example", [".school.example"], False),
        ("school.example", ["other.example", "school.example"], True),
        ("anything.example", ["*"], True),
        ("[::1]:1", ["*"], True),
        ("[::1]:8888", ["[::1]"], True),
        ("[::1]:8888", ["::1"], True),
        ("[0::1]", ["[::1]"], True),
        ("[::2]", ["[::1]"], False),
        ("127.0.0.1:1", ["127.0.0.1"], True),
        ("1.127.0.0.1", ["127.0.0.1"], False),
        ("xn--bcher-kva.example", ["bücher.example"], True),
        ("school.example", [], False),
    ],
)
def test_matching(host: str, patterns: list[str], expected: bool) -> None:
    assert allowed(host, patterns) is expected


@pytest.mark.parametrize(
    "pattern",
    [
        "",
        ".",
        "..x",
        "*.school.example",
        "school.example:80",
        "http://school.example",
        "a b",
        ".[::1]",
        "[::1]:80",
        "[::1",
        "[fe80::1%eth0]",
        "school..example",
        "ü" * 80,
        "a\x00",
    ],
)
def test_a_malformed_pattern_is_an_error_that_shows_it(pattern: str) -> None:
    with pytest.raises(ValueError, match="is not a host pattern"):
        HostRule.parse(pattern)
    with pytest.raises(ValueError, match="is not a host pattern"):
        allowed("school.example", [pattern])


_LABELS = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,8}[a-z0-9])?", fullmatch=True)
_NAMES = st.lists(_LABELS, min_size=1, max_size=4).map(".".join)


@given(_NAMES, st.integers(0, 65535), st.booleans())
def test_case_port_and_trailing_dot_make_no_difference(name: str, port: int, dot: bool) -> None:
    header = f"{name.upper()}{'.' if dot else ''}:{port}"
    assert host_name(header) == name
    assert allowed(header, [name])


@given(_NAMES, _NAMES)
def test_subdomains_and_only_those(name: str, other: str) -> None:
    assert allowed(f"{other}.{name}", [f".{name}"])
    assert allowed(other, [f".{name}"]) == (other == name or other.endswith(f".{name}"))


@given(st.text())
def test_no_header_raises(header: str) -> None:
    name = host_name(header)
    assert name is None or host_name(name) == name
