"""Policies: layers by name, where nonces join, what is refused."""

from __future__ import annotations

import pytest

from tornkit.security.csp import DEFAULT, JSON, SITE_SCRIPTS, Policy, ancestors_of, frame_options


def test_the_default_lets_only_what_carries_the_nonce_run() -> None:
    policy = Policy.of(DEFAULT)
    assert policy.text == (
        "default-src 'self'; script-src 'none'; style-src 'self'; img-src 'self' data:; "
        "worker-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; "
        "frame-ancestors 'none'"
    )
    with_nonce = policy.with_nonce("abc")
    assert "script-src 'nonce-abc'; style-src 'self' 'nonce-abc'; img-src" in with_nonce
    assert "none' 'nonce" not in with_nonce  # browsers would ignore the 'none', and scanners frown


def test_later_layers_replace_directives_and_an_empty_text_takes_one_out() -> None:
    policy = Policy.of(
        DEFAULT, SITE_SCRIPTS, {"img-src": "*", "form-action": " "}, {"img-src": ""}
    )
    assert "script-src 'self'" in policy.text
    assert "img-src" not in policy.text
    assert "form-action" not in policy.text


@pytest.mark.parametrize(
    ("directives", "expected"),
    [
        ({"script-src": "https://cdn.example"}, "script-src https://cdn.example 'nonce-n'"),
        ({"script-src": "'strict-dynamic'"}, "script-src 'strict-dynamic' 'nonce-n'"),
        ({"script-src": "'NONE'"}, "script-src 'nonce-n'"),
        ({"default-src": "'self'"}, "default-src 'self'; script-src 'self' 'nonce-n'; style-src"),
        ({"script-src-elem": "'self'"}, "script-src-elem 'self' 'nonce-n'"),
        # Beside a nonce, browsers ignore 'unsafe-inline'.
        ({"style-src": "'self' 'unsafe-inline'"}, "style-src 'self' 'unsafe-inline'"),
        (
            {"script-src": "'unsafe-inline' 'strict-dynamic'"},
            "script-src 'unsafe-inline' 'strict-dynamic' 'nonce-n'",
        ),
        (
            {"script-src": "'unsafe-inline' 'sha256-abc='"},
            "script-src 'unsafe-inline' 'sha256-abc=' 'nonce-n'",
        ),
        ({"img-src": "'self'"}, "img-src 'self'"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_nonce_joins_scripts_and_styles_where_it_means_something(
    directives: dict[str, str], expected: str
) -> None:
    found = Policy.of(directives).with_nonce("n")
    assert found.startswith(expected)
    assert expected.count("nonce") == found.count("nonce") - ("default-src" in directives)


def test_a_directive_without_a_value_is_written_with_on() -> None:
    policy = Policy.of({"upgrade-insecure-requests": "on", "sandbox": "on"})
    assert policy.text == "upgrade-insecure-requests; sandbox"


@pytest.mark.parametrize(
    ("directives", "problem"),
    [
        ({"imgsrc": "*"}, "'imgsrc': expected the name of a directive; did you mean 'img-src'?"),
        ({"Img-Src": "*"}, "'Img-Src': expected the name of a directive"),
        ({"img-src\r\nX": "*"}, r"'img-src\r\nX': expected the name"),
        ({"img-src": "*; script-src *"}, "'img-src': expected sources"),
        ({"img-src": "a, b"}, "without ; and ,"),
        ({"img-src": "a\r\nX: y"}, "expected sources"),
        ({"img-src": "a\0"}, "expected sources"),
        ({"img-src": "https://bücher.example"}, "printable ASCII"),
        ({"script-src": "self"}, "quotes around a keyword: 'self'"),
        ({"script-src": "'nonce-abc'"}, "every page adds its own"),
        ({"img-src": None}, "'img-src': expected text for text"),
        ({1: "*"}, "1: expected text for text"),
    ],
    ids=str,
)
def test_what_browsers_would_misread_is_refused(directives: dict[str, str], problem: str) -> None:
    with pytest.raises(ValueError, match=r"^content_security_policy: ") as refused:
        Policy.of(directives)
    assert problem in str(refused.value)


@pytest.mark.parametrize(
    ("ancestors", "options"),
    [("'none'", "DENY"), ("'self'", "SAMEORIGIN"), ("'SELF' ", "SAMEORIGIN"), ("a.example", None)],
)
def test_frame_options_follow_the_policy(ancestors: str, options: str | None) -> None:
    assert frame_options(ancestors) == options
    assert Policy.of({"frame-ancestors": ancestors}).frame_options == options


def test_a_policy_without_frame_ancestors_has_no_frame_options() -> None:
    assert Policy.of({"img-src": "*"}).frame_options is None


def test_frame_ancestors_are_found_in_a_header_of_somebody_else() -> None:
    assert ancestors_of("img-src *;Frame-Ancestors 'self' ; x y") == "'self' "
    assert ancestors_of("report-uri /frame-ancestors 'self'") is None
    assert Policy.of({"frame-ancestors": (ancestors_of(JSON) or "")}).frame_options == "DENY"
