"""Cross-origin resource sharing: which other origins may read a site's answers.

The rules follow the Fetch standard. Here they are only decided; `tornkit.handlers.cors`
puts them into answers.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from ipaddress import IPv6Address
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from tornkit._text import printable

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Cors"]

_ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://(?:[a-z0-9_.-]+|\[[0-9a-f:.]+\])(?::[1-9][0-9]{0,4})?")
_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'+.^_`|~-]+")
_DEFAULT_PORTS = {"http": 80, "https": 443}
# A request that sends JSON asks for this one.
_ALWAYS_ALLOWED = "Content-Type"


@dataclass(frozen=True, kw_only=True)
class Cors:
    """Say which other origins may ask, for a module or a handler.

    Args:
        origins: exact origins such as ``https://app.example``, or ``["*"]`` for everybody.
        credentials: whether browsers may send cookies along; never for everybody.
        methods: the methods that may be asked for; by default those that the handler has.
        headers: request headers that may be sent, beside the simple ones and Content-Type.
        expose: response headers that scripts may read, beside the simple ones.
        max_age: for how many seconds browsers may remember a preflight.

    Example:
        >>> Cors(origins=["https://app.example"], headers=["X-Token"]).admits("https://app.example")
        True

    Raises:
        ValueError: an argument that could not work as it is written.
    """

    origins: Collection[str]
    credentials: bool = False
    methods: Collection[str] = ()
    headers: Collection[str] = ()
    expose: Collection[str] = ()
    max_age: int = 600

    def __post_init__(self) -> None:
        for name in ("origins", "methods", "headers", "expose"):
            object.__setattr__(self, name, _texts(name, getattr(self, name)))
        if not isinstance(self.credentials, bool):
            raise _bad("credentials", self.credentials, "give True or False")
        if type(self.max_age) is not int or self.max_age < 0:
            raise _bad("max_age", self.max_age, "give a number of seconds, 0 or more")
        if not self.origins:
            raise _bad("origins", [], 'name at least one, such as "https://app.example"')
        for origin in self.origins:
            self._check_origin(origin)
        for name in ("methods", "headers", "expose"):
            for value in getattr(self, name):
                if not _TOKEN.fullmatch(value):
                    raise _bad(name, value, "name each one; there is no wildcard")
        for method in self.methods:
            if method != method.upper():
                raise _bad("methods", method, f"write {method.upper()!r}")

    def _check_origin(self, origin: str) -> None:
        if origin == "*":
            if self.credentials:
                raise _bad("origins", "*", "with credentials, name each origin")
            if len(self.origins) > 1:
                raise _bad("origins", "*", "it stands alone, or leave it out")
            return
        if not _is_origin(origin):
            raise _bad("origins", origin, _advice(origin))

    @property
    def for_everybody(self) -> bool:
        """Whether every origin may ask."""
        return "*" in self.origins

    def admits(self, origin: str | None) -> bool:
        """Tell whether an origin, as a browser writes it, may read answers."""
        return self.for_everybody or origin in self.origins

    def trusts(self, origin: str, method: str, *, cookies: bool) -> bool:
        """Tell whether a request that changes something may come from an origin.

        Without ``credentials`` one that carries cookies may not: they would act for a
        visitor whom nobody asked.
        """
        if not self.admits(origin) or (self.methods and method not in self.methods):
            return False
        return self.credentials or not cookies

    def answer(self, origin: str | None) -> dict[str, str]:
        """Return the headers of every answer to a request from an origin, without Vary."""
        if not self.admits(origin):
            return {}
        headers = {"Access-Control-Allow-Origin": "*" if self.for_everybody else origin or ""}
        if self.credentials:
            headers["Access-Control-Allow-Credentials"] = "true"
        if self.expose:
            headers["Access-Control-Expose-Headers"] = ", ".join(self.expose)
        return headers

    def preflight(self, origin: str | None, methods: Iterable[str]) -> dict[str, str]:
        """Return the headers of the answer to a preflight, for a handler's own methods."""
        headers = self.answer(origin)
        if not headers:
            return {}
        headers.pop("Access-Control-Expose-Headers", None)
        named = {name.lower(): name for name in (_ALWAYS_ALLOWED, *self.headers)}
        headers["Access-Control-Allow-Methods"] = ", ".join(self.methods or methods)
        headers["Access-Control-Allow-Headers"] = ", ".join(named.values())
        headers["Access-Control-Max-Age"] = str(self.max_age)
        return headers


def _texts(name: str, values: object) -> tuple[str, ...]:
    if isinstance(values, str) or not isinstance(values, Collection):
        raise _bad(name, values, "give a list")
    for value in values:
        if not isinstance(value, str):
            raise _bad(name, value, "give a list of texts")
    return tuple(dict.fromkeys(values))


def _is_origin(text: str) -> bool:
    if not _ORIGIN.fullmatch(text):
        return False
    try:
        parts = urlsplit(text)
        if "[" in text and f"[{IPv6Address(parts.hostname or '').compressed}]" not in text:
            return False
        return parts.port is None or parts.port != _DEFAULT_PORTS.get(parts.scheme)
    except ValueError:
        return False


def _advice(text: str) -> str:
    if text == "null":
        return "any page can have that origin: a sandboxed frame is enough"
    if "*" in text:
        return "a wildcard cannot be part of an origin; name each one"
    parts = text.split("/")
    if len(parts) > 3 and _is_origin("/".join(parts[:3])):
        return f"an origin has no path: {'/'.join(parts[:3])!r}"
    if _is_origin(text.lower()):
        return f"browsers write it {text.lower()!r}"
    for scheme, port in _DEFAULT_PORTS.items():
        bare = text.removesuffix(f":{port}")
        if bare != text and text.startswith(f"{scheme}://") and _is_origin(bare):
            return f"browsers leave the usual port out: {bare!r}"
    return 'write scheme, host and port as browsers do, such as "https://app.example"'


def _bad(name: str, found: object, advice: str) -> ValueError:
    return ValueError(f"Cors(): {name}: {printable(repr(found))}; {advice}")
