"""The headers that every answer begins with, and the nonce of a page.

They are put in place before the handler runs, so that what it sets itself wins; only the
policy is completed at the end, when it is known whether the page has used its nonce.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from tornado.httputil import format_timestamp
from tornado.web import RequestHandler

from tornkit._headers import SharedHeaders
from tornkit.errors import AnswerError
from tornkit.handlers.negotiation import is_json
from tornkit.security.csp import JSON, Policy, ancestors_of, check_directives, frame_options
from tornkit.security.headers import POLICY, FirstHeaders

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tornkit.handlers.site import Site

__all__ = ["HeadersHandler"]

_BARE = FirstHeaders((("X-Content-Type-Options", "nosniff"),), Policy.of())
_FRAMES = "X-Frame-Options"
_NONCE_BYTES = 18  # 144 bits, which base64 writes without padding


@lru_cache(maxsize=1)
def _date(second: int) -> str:
    return format_timestamp(second)


class _LateNonce:
    """The nonce of a page for Tornado's templates; it is made where it is written."""

    def __init__(self, handler: HeadersHandler) -> None:
        self._handler = handler

    def __str__(self) -> str:
        return self._handler.csp_nonce


class HeadersHandler(RequestHandler):
    """Begin every answer with the site's headers, and complete its policy at the end."""

    content_security_policy: Mapping[str, str] = {}
    """Directives that replace the site's on this handler's pages; "" takes one out."""

    _default_policy: Mapping[str, str] = {}  # laid over the default, beneath the settings
    _headers: SharedHeaders
    _first = _BARE
    _csp_nonce: str | None = None
    _left_out = False
    site: Site
    """The parts of the application, as `tornkit.application` handed them over."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Refuse directives that browsers would ignore or misread.

        Raises:
            ValueError: with the class and the directive.
        """
        super().__init_subclass__(**kwargs)
        own = cls.content_security_policy
        try:
            if isinstance(own, Mapping):
                check_directives(own)
            # A plain Tornado handler may use the name for a thing of its own.
            elif "content_security_policy" in vars(cls):
                raise ValueError("content_security_policy: expected a dict of directives")
        except ValueError as problem:
            raise ValueError(f"class {cls.__name__}: {problem}") from None

    @property
    def csp_nonce(self) -> str:
        """The nonce of this answer's scripts and styles, made when first asked for.

        Templates write it by themselves; other pages put it into their tags as ``nonce``.

        Raises:
            AnswerError: the headers, and with them the policy, have left without one.
        """
        if self._csp_nonce is None:
            if self._headers_written:
                raise AnswerError(
                    "csp_nonce after the headers have left",
                    hint="ask for it before the first flush()",
                )
            self._csp_nonce = secrets.token_urlsafe(_NONCE_BYTES)
        return self._csp_nonce

    # --- the headers ---------------------------------------------------------------------

    def clear(self) -> None:
        """Reset headers and content to those that every response starts with."""
        # Tornado's own, but without the server's name and version, which are of use only to
        # an attacker, and with ours before those of set_default_headers(), which so win.
        known = self.site.headers
        if known is not None:
            self._first = known.of(type(self), self._default_policy, self.content_security_policy)
        self._headers = SharedHeaders(self._first.begun)
        self._headers.put("Date", _date(int(time.time())))
        self.set_default_headers()
        self._write_buffer = []
        self._status_code, self._reason = 200, "OK"

    def set_header(self, name: str, value: Any) -> None:
        """Set a header as Tornado does; "" leaves out one that answers begin with."""
        super().set_header(name, value)
        if value == "":
            self._left_out = True

    def compute_etag(self) -> str | None:
        """Return a hash of the body, or None for a page whose nonce makes every one differ."""
        return super().compute_etag() if self._csp_nonce is None else None

    compute_etag._is_ours = True  # type: ignore[attr-defined]

    def _before_headers(self) -> None:
        """Complete the headers, just before they leave."""
        headers, first = self._headers, self._first
        if self._csp_nonce is not None:
            # A nonce that a cache gives to many is known to many.
            headers.begin("Cache-Control", "private, no-cache")
        if self._left_out:
            for name, _ in first.lines:
                if headers.get(name) == "":
                    del headers[name]
        fields = headers._as_list
        if POLICY not in fields:
            return
        policy = fields[POLICY][0]
        if policy != first.policy.text or len(fields[POLICY]) > 1:
            self._follow_own_policy(headers[POLICY], first)
        elif self._status_code == 304:
            # The page that the browser has kept goes with the policy that it came with.
            del headers[POLICY]
        elif "json" in (kind := fields.get("Content-Type", ("",))[0]) and is_json(kind):
            headers.put(POLICY, JSON)
            self._frame_as("DENY", first)
        elif self._csp_nonce is not None:
            headers[POLICY] = first.policy.with_nonce(self._csp_nonce)

    def _follow_own_policy(self, policy: str, first: FirstHeaders) -> None:
        """Let X-Frame-Options say the same as the policy that a handler has set."""
        ancestors = ancestors_of(policy)
        if ancestors is not None:
            self._frame_as(frame_options(ancestors), first)

    def _frame_as(self, options: str | None, first: FirstHeaders) -> None:
        headers, ours = self._headers, first.policy.frame_options
        if options == ours or headers.get(_FRAMES) != ours:
            return  # the same, or the handler's own
        if options is None:
            del headers[_FRAMES]
        else:
            headers.put(_FRAMES, options)

    def _add_vary(self, name: str) -> None:
        if self._headers.begin("Vary", name):
            return
        known = self._headers["Vary"]
        present = [part.strip() for part in known.split(",") if part.strip()]
        if name.lower() not in (part.lower() for part in present) and "*" not in present:
            self._headers["Vary"] = ", ".join([*present, name])

    # --- Tornado's templates -------------------------------------------------------------

    def get_template_namespace(self) -> dict[str, Any]:
        """Return the names of Tornado's own templates, ``csp_nonce`` among them."""
        return {**super().get_template_namespace(), "csp_nonce": _LateNonce(self)}

    def render_linked_js(self, js_files: Iterable[str]) -> str:
        """Return the scripts that UI modules link to, with the page's nonce."""
        return super().render_linked_js(js_files).replace("<script", self._start("script"))

    def render_embed_js(self, js_embed: Iterable[bytes]) -> bytes:
        """Return the scripts that UI modules embed, with the page's nonce."""
        html = super().render_embed_js(js_embed)
        return html.replace(b"<script", self._start("script").encode(), 1)

    def render_embed_css(self, css_embed: Iterable[bytes]) -> bytes:
        """Return the styles that UI modules embed, with the page's nonce."""
        html = super().render_embed_css(css_embed)
        return html.replace(b"<style", self._start("style").encode(), 1)

    def _start(self, tag: str) -> str:
        # Where no policy asks for a nonce, pages stay Tornado's to the letter.
        return f"<{tag}" if self._first is _BARE else f"<{tag} nonce={self.csp_nonce}"
