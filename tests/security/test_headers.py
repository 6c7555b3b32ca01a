"""The headers of a site, made from its settings."""

from __future__ import annotations

from tornkit.security.headers import SecurityHeaders


class Page: ...


class Other: ...


def lines(headers: SecurityHeaders, kind: type = Page, **own: str) -> dict[str, str]:
    above = {name.replace("_", "-"): value for name, value in own.items()}
    return dict(headers.of(kind, {}, above).lines)


def test_the_default_headers() -> None:
    found = lines(SecurityHeaders())
    assert found.pop("Content-Security-Policy").startswith("default-src 'self'; script-src 'none'")
    assert found == {
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "same-origin",
        "Cross-Origin-Opener-Policy": "same-origin",
        "X-Frame-Options": "DENY",
    }


def test_hsts_is_sent_for_as_long_as_the_settings_say() -> None:
    assert lines(SecurityHeaders(hsts=60))["Strict-Transport-Security"] == "max-age=60"
    whole = SecurityHeaders(hsts=60, hsts_subdomains=True)
    assert lines(whole)["Strict-Transport-Security"] == "max-age=60; includeSubDomains"
    assert "Strict-Transport-Security" not in lines(SecurityHeaders(hsts_subdomains=True))


def test_an_empty_referrer_policy_sends_none() -> None:
    assert "Referrer-Policy" not in lines(SecurityHeaders(referrer_policy=""))


def test_a_class_lies_above_the_site_and_its_kind_beneath() -> None:
    headers = SecurityHeaders(content_security_policy={"img-src": "https://site.example"})
    beneath = {"img-src": "https://kind.example", "media-src": "https://kind.example"}
    policy = headers.of(Page, beneath, {"font-src": "https://page.example"}).policy.text
    assert "img-src https://site.example" in policy
    assert "media-src https://kind.example" in policy
    assert "font-src https://page.example" in policy


def test_each_class_is_made_once() -> None:
    headers = SecurityHeaders()
    first = headers.of(Page, {}, {})
    assert headers.of(Page, {}, {}) is first
    assert headers.of(Other, {}, {"frame-ancestors": "'self'"}) is not first
    assert lines(headers, Other)["X-Frame-Options"] == "SAMEORIGIN"


def test_a_class_may_use_the_name_for_a_thing_of_its_own() -> None:
    assert (
        SecurityHeaders().of(Page, {}, "a text").policy
        == SecurityHeaders().of(Page, {}, {}).policy
    )
