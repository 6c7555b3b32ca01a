"""What a directive of a Content-Security-Policy may be called and hold (CSP level 3)."""

from __future__ import annotations

import re

from tornkit._text import did_you_mean

__all__ = ["ON", "check_name", "check_value"]

ON = "on"
"""What is written for a directive that takes no value."""

_NAMES = frozenset(
    {
        *("default-src", "script-src", "script-src-elem", "script-src-attr", "style-src"),
        *("style-src-elem", "style-src-attr", "img-src", "font-src", "connect-src", "media-src"),
        *("object-src", "frame-src", "fenced-frame-src", "child-src", "worker-src"),
        *("manifest-src", "base-uri", "form-action", "frame-ancestors", "sandbox"),
        *("report-uri", "report-to", "upgrade-insecure-requests"),
        *("require-trusted-types-for", "trusted-types"),
    }
)
# A semicolon ends a directive and a comma the whole policy.
_VALUE = re.compile(r"[!-+\--:<-~ ]*")
_KEYWORD = re.compile(r"self|none|unsafe-[a-z-]+|strict-dynamic|report-sample", re.IGNORECASE)


def check_name(name: str) -> str:
    """Return the name of a directive.

    Raises:
        ValueError: there is no such directive.
    """
    if name not in _NAMES:
        hint = did_you_mean(name, sorted(_NAMES))
        raise ValueError(f"expected the name of a directive{f'; {hint}' if hint else ''}")
    return name


def check_value(value: str) -> str:
    """Return the value of a directive.

    Raises:
        ValueError: it would end the directive, or cannot mean what it seems to.
    """
    if not _VALUE.fullmatch(value):
        raise ValueError(
            "expected sources separated by spaces, in printable ASCII without ; and ,"
        )
    for source in value.split():
        if _KEYWORD.fullmatch(source):
            raise ValueError(f"expected quotes around a keyword: '{source}'")
        if source.lower().startswith("'nonce-"):
            raise ValueError("expected no nonce: every page adds its own")
    return value
