"""A redirect target is a path of this site, or the default."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote, urljoin, urlsplit

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tornkit.security import local_path

REFUSED = "refused"


@pytest.mark.parametrize(
    "target",
    [
        "/",
        "/courses/3",
        "/teacher/?tab=grades&x=%2F%2Fevil.example#top",
        "/search?q=a%20b%0Ac",
        "/a//b",
        "/a%20b",
        "/@user",
        "/http://evil.example",
        "/x?next=//evil.example",
        "/~me/;v=1",
        "/100%25",
        "/...",
    ],
)
def test_keeps_paths_of_this_site(target: str) -> None:
    assert local_path(target) == target


@pytest.mark.parametrize(
    "target",
    [
        None,
        "",
        " ",
        "courses",
        "?x=1",
        "#top",
        "//evil.example",
        "///evil.example",
        "/\\evil.example",
        "\\/evil.example",
        "\\\\evil.example",
        "/\t/evil.example",
        "/\n/evil.example",
        "\t//evil.example",
        " //evil.example",
        " /x",
        "\u3000/x",
        "\x00/x",
        "/x\x00",
        "/x\r\nSet-Cookie: a=b",
        "/x\x7f",
        "/x\x85",
        "/a b",
        "/a\u2028b",
        "/a\\b",
        "/?a\\b",
        "http://evil.example",
        "HTTPS://evil.example",
        "http:/evil.example",
        "http:evil.example",
        "javascript:alert(1)",
        "data:text/html,x",
        "/%2Fevil.example",
        "/%2fevil.example",
        "/%5Cevil.example",
        "/x%0d%0aSet-Cookie: a=b",
        "/x%00",
        "/.//evil.example",
        "/./x",
        "/..//evil.example",
        "/a/..//evil.example",
        "/%2e//evil.example",
        "/a/%2E%2e//evil.example",
        "/a/..",
        "/" + "x" * 2000,
        "/\ud800",
        b"/x",
        7,
    ],
)
def test_refuses_everything_else(target: Any) -> None:
    assert local_path(target, REFUSED) == REFUSED


def test_other_alphabets_are_percent_encoded_once() -> None:
    assert local_path("/žáci/漢?q=é") == "/%C5%BE%C3%A1ci/%E6%BC%A2?q=%C3%A9"
    assert local_path(local_path("/žáci")) == local_path("/žáci")


def test_the_default_is_the_front_page() -> None:
    assert local_path(None) == "/"


_PIECES = st.sampled_from(
    [
        "/",
        "//",
        "\\",
        ".",
        "..",
        "%2f",
        "%2e",
        "%5c",
        "%0a",
        "\t",
        "\n",
        " ",
        ":",
        "@",
        "http:",
        "evil.example",
        "a",
        "?",
        "#",
        "é",
        "\u2028",
        "%",
        "%25",
        ";",
        "\x00",
    ]
)


@given(st.one_of(st.text(), st.lists(_PIECES, max_size=8).map("".join)))
@example("/%252Fevil.example")
def test_no_target_leads_off_this_site(target: str) -> None:
    path = local_path(target, REFUSED)
    if path == REFUSED:
        return
    assert path.isascii()
    assert path.isprintable()
    assert " " not in path
    for base in ("https://school.example/account/login", "https://school.example"):
        assert urlsplit(urljoin(base, path)).netloc == "school.example"
        once_decoded = unquote(path.partition("?")[0].partition("#")[0])
        assert urlsplit(urljoin(base, once_decoded)).netloc == "school.example"
    assert local_path(path, REFUSED) == path
