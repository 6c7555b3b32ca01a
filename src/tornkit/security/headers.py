"""The headers that every answer of a site begins with, made once for each kind of handler."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from tornkit.security.csp import DEFAULT, Policy

__all__ = ["POLICY", "FirstHeaders", "SecurityHeaders"]

POLICY = "Content-Security-Policy"
_HTML = "text/html; charset=UTF-8"


@dataclass(frozen=True)
class FirstHeaders:
    """The headers of one kind of handler, with the policy as it is without a nonce."""

    lines: tuple[tuple[str, str], ...]
    policy: Policy

    @cached_property
    def begun(self) -> dict[str, tuple[str]]:
        """The values of each header, with the type of a page."""
        return {"Content-Type": (_HTML,)} | {name: (value,) for name, value in self.lines}


class SecurityHeaders:
    """Know the headers of a site.

    Args:
        content_security_policy: directives that are laid over the default.
        referrer_policy: the header of that name; "" sends none.
        hsts: for how many seconds browsers shall come by HTTPS only; 0 sends no header.
        hsts_subdomains: whether that holds for all subdomains.
    """

    def __init__(
        self,
        *,
        content_security_policy: Mapping[str, str] | None = None,
        referrer_policy: str = "same-origin",
        hsts: int = 0,
        hsts_subdomains: bool = False,
    ) -> None:
        self._directives = dict(content_security_policy or {})
        self._referrer_policy = referrer_policy
        self._hsts = f"max-age={hsts}" + ("; includeSubDomains" if hsts_subdomains else "")
        if not hsts:
            self._hsts = ""
        self._known: dict[type, FirstHeaders] = {}

    def of(self, handler: type, beneath: Mapping[str, str], above: Any) -> FirstHeaders:
        """Return the headers of a class of handlers; they are made once for each class.

        Args:
            handler: the class.
            beneath: its directives that give way to those of the site.
            above: its directives that replace those of the site; anything but a mapping is
                none of ours.
        """
        known = self._known.get(handler)
        if known is None:
            own = above if isinstance(above, Mapping) else {}
            policy = Policy.of(DEFAULT, beneath, self._directives, own)
            known = self._known[handler] = self._first(policy)
        return known

    def _first(self, policy: Policy) -> FirstHeaders:
        lines = {
            "X-Content-Type-Options": "nosniff",
            "Referrer-Policy": self._referrer_policy,
            "Cross-Origin-Opener-Policy": "same-origin",
            "X-Frame-Options": policy.frame_options,
            POLICY: policy.text,
            "Strict-Transport-Security": self._hsts,
        }
        sent = tuple((name, value) for name, value in lines.items() if value)
        return FirstHeaders(sent, policy)
