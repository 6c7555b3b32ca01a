"""Content-Security-Policy: the default, what is laid over it, and the header that it makes.

A policy is a mapping of directives to their sources. Layers are laid over each other by
name; an empty text takes a directive out. The nonce of a page joins by itself.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from tornkit._policies import ON, check_name, check_value
from tornkit._text import printable

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["DEFAULT", "JSON", "SITE_SCRIPTS", "Policy", "check_directives", "frame_options"]

DEFAULT: Mapping[str, str] = MappingProxyType(
    {
        "default-src": "'self'",
        "script-src": "'none'",
        "style-src": "'self'",
        "img-src": "'self' data:",
        "worker-src": "'self'",
        "object-src": "'none'",
        "base-uri": "'none'",
        "form-action": "'self'",
        "frame-ancestors": "'none'",
    }
)
"""What pages may do: scripts are those that carry the page's nonce, and no others."""

SITE_SCRIPTS: Mapping[str, str] = MappingProxyType({"script-src": "'self'"})
"""What is laid over the default for files and plain handlers, which know of no nonce."""

JSON = "default-src 'none'; frame-ancestors 'none'"
"""The policy of answers that no browser should show as a page."""

_PLACE = "\0"
_NONCE = f"'nonce-{_PLACE}'"
_HASH = re.compile(r"'sha(?:256|384|512)-")
_ANCESTORS = re.compile(r"(?:^|[;,])\s*frame-ancestors\s+([^;,]*)", re.IGNORECASE)


def check_directives(directives: Mapping[Any, Any]) -> None:
    """Refuse directives that browsers would ignore or misread.

    Raises:
        ValueError: with the name of the first bad one.
    """
    for name, value in directives.items():
        shown = printable(repr(name))
        if not isinstance(name, str) or not isinstance(value, str):
            raise ValueError(f"content_security_policy: {shown}: expected text for text")
        try:
            check_name(name)
            check_value(value)
        except ValueError as problem:
            raise ValueError(f"content_security_policy: {shown}: {problem}") from None


@dataclass(frozen=True, slots=True)
class Policy:
    """One policy, as the header's text with and without a nonce; make it with `of`."""

    text: str
    frame_options: str | None
    _with_nonce: str

    @classmethod
    def of(cls, *layers: Mapping[str, str]) -> Policy:
        """Lay directives over each other, the last on top.

        Example:
            >>> Policy.of({"img-src": "*", "object-src": "'none'"}, {"img-src": ""}).text
            "object-src 'none'"

        Raises:
            ValueError: a directive that `check_directives` refuses.
        """
        merged: dict[str, str] = {}
        for layer in layers:
            check_directives(layer)
            merged.update(layer)
        directives = {name: value.strip() for name, value in merged.items() if value.strip()}
        return cls(
            _header(directives),
            frame_options(directives.get("frame-ancestors", "*")),
            _header(_open_to_nonce(directives)),
        )

    def with_nonce(self, nonce: str) -> str:
        """Return the header's text for a page that has used this nonce."""
        return self._with_nonce.replace(_PLACE, nonce)


def frame_options(ancestors: str) -> str | None:
    """Return the X-Frame-Options that say the same as ``frame-ancestors``, where any do."""
    return {"'none'": "DENY", "'self'": "SAMEORIGIN"}.get(ancestors.strip().lower())


def ancestors_of(header: str) -> str | None:
    """Return the sources of ``frame-ancestors`` in a header that somebody else wrote."""
    found = _ANCESTORS.search(header)
    return found[1] if found else None


def _open_to_nonce(directives: Mapping[str, str]) -> dict[str, str]:
    opened = dict(directives)
    for kind in ("script-src", "style-src"):
        fallback = directives.get(kind, directives.get("default-src"))
        if fallback is not None:
            opened[kind] = _add_nonce(fallback)
        if f"{kind}-elem" in directives:
            opened[f"{kind}-elem"] = _add_nonce(directives[f"{kind}-elem"])
    return opened


def _add_nonce(value: str) -> str:
    sources = value.split()
    words = {source.lower() for source in sources}
    strict = "'strict-dynamic'" in words or any(map(_HASH.match, words))
    if "'unsafe-inline'" in words and not strict:
        return value  # beside a nonce, browsers would ignore it
    return " ".join([*(source for source in sources if source.lower() != "'none'"), _NONCE])


def _header(directives: Mapping[str, str]) -> str:
    return "; ".join(
        name if value == ON else f"{name} {value}" for name, value in directives.items()
    )
