"""What is sent to an HTTP service: its URL, parameters, headers and body, checked.

A path often holds what a visitor wrote. Whatever would lead to another host, out of the base
URL, or into another header is refused; nothing that is refused is sent.
"""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass, field
from datetime import date, datetime, time
from decimal import Decimal
from enum import Enum
from typing import TYPE_CHECKING, Any, Final, TypedDict
from urllib.parse import quote, unquote, urlencode, urlsplit
from uuid import UUID

from tornkit import encoding
from tornkit._text import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = [
    "HINT",
    "METHODS",
    "SAFE_METHODS",
    "Arguments",
    "BaseURL",
    "Refused",
    "body_of",
    "header",
    "query",
]

METHODS: Final = ("GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE")
SAFE_METHODS: Final = ("GET", "HEAD", "OPTIONS")
HINT: Final = (
    "write it like https://host/base or https://user:password@host/base, special characters in "
    "the user and the password percent-encoded"
)
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_HOST: Final = re.compile(r"[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\]")
_STRAY_PERCENT: Final = re.compile(r"%(?![0-9A-Fa-f]{2})")
_WHOLE_URL: Final = re.compile(r"//|[A-Za-z][A-Za-z0-9+.-]*:")
_TOKEN: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_BAD_VALUE: Final = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]|[^\x00-\xff]")
_NOT_YOURS: Final = frozenset({"connection", "content-length", "host", "transfer-encoding"})
_PATH_SAFE: Final = "/%:@!$&'()*+,;=~"
_PORTS: Final = {"http": 80, "https": 443}


class Refused(ValueError):
    """What cannot be sent; the message quotes no value."""


class Arguments(TypedDict, total=False):
    """What a request may say besides its method and its path."""

    params: Mapping[str, Any]
    """The query: text, numbers, dates; a list repeats its name, None is left out."""
    headers: Mapping[str, Any]
    """Besides those of the options; a pydantic ``SecretStr`` gives its value."""
    json: Any
    """A body that `tornkit.encoding` encodes."""
    form: Mapping[str, Any]
    """A body of form fields, written as ``params`` are."""
    body: bytes | str
    """A body as it is."""
    timeout: float
    """Seconds in all, instead of those of the option."""
    raise_error: bool
    """Whether a status of 300 or more raises, but for 304; it does unless told otherwise."""


@dataclass(frozen=True, slots=True)
class BaseURL:
    """Where a service is; ``authorization`` is the header that its user makes, or ""."""

    scheme: str
    host: str
    port: int
    path: str
    authorization: str = field(repr=False)

    @classmethod
    def read(cls, url: str) -> BaseURL:
        """Read ``http[s]://[user:password@]host[:port][/path]``.

        Raises:
            Refused: it is none; the URL is not quoted.
        """
        try:
            parsed = urlsplit(url)
            port = parsed.port
        except ValueError:
            raise Refused("its host or its port cannot be read") from None
        if parsed.scheme not in _PORTS:
            raise Refused("its scheme is neither https nor http")
        if parsed.query or parsed.fragment or url.endswith(("?", "#")):
            raise Refused("it has a query or a fragment; give params with each call")
        host = parsed.netloc.rpartition("@")[2].removesuffix(f":{port}")
        if not _HOST.fullmatch(host) or port == 0 or _CONTROL.search(url) or " " in url:
            raise Refused("it names no host" if not host else "its host cannot be read")
        # A scheme, a user and a host are lost on what joins a path.
        path = _encoded(parsed.path.rstrip("/"))
        sign_in = _basic(parsed.username, parsed.password)
        return cls(parsed.scheme, host.lower(), port or _PORTS[parsed.scheme], path, sign_in)

    @property
    def shown(self) -> str:
        """The URL without its user."""
        port = "" if self.port == _PORTS[self.scheme] else f":{self.port}"
        return f"{self.scheme}://{self.host}{port}{self.path}"

    def join(self, path: str) -> str:
        """Return the URL of ``path`` below this one.

        Raises:
            Refused: it leads elsewhere, or is not only a path.
        """
        if _WHOLE_URL.match(path):
            raise Refused("the path is a URL of its own; give what comes after the base URL")
        if "?" in path or "#" in path:
            raise Refused("the path holds a ? or a #; give a query as params=, or encode it")
        relative = _encoded(path)
        slash = "" if not relative or relative.startswith("/") else "/"
        return f"{self.shown}{slash}{relative}"


def _encoded(path: str) -> str:
    decoded, once = path, ""
    while decoded != once:  # %252e%252e is .. to who decodes twice
        once, decoded = decoded, unquote(decoded, errors="surrogateescape")
        if _CONTROL.search(once):
            raise Refused("the path holds a control character")
        if "\\" in once or any(part in {".", ".."} for part in once.split("/")):
            raise Refused("the path holds . or .. or a backslash, which lead elsewhere")
    return quote(_STRAY_PERCENT.sub("%25", path), safe=_PATH_SAFE)


def _basic(user: str | None, password: str | None) -> str:
    if user is None:
        return ""
    pair = f"{unquote(user)}:{unquote(password or '')}"
    if ":" in unquote(user) or _CONTROL.search(pair):
        raise Refused("its user or its password holds what no sign-in can")
    return "Basic " + base64.b64encode(pair.encode()).decode("ascii")


# --- parameters and headers --------------------------------------------------------------


def query(params: Mapping[str, Any] | None) -> str:
    """Return ``params`` as a query, such as ``?city=Oslo&day=1``, or "".

    Raises:
        Refused: a name or value holds a control character, or is no text, number or date.
    """
    pairs = _pairs(params or {}, "params")
    for name, value in pairs:
        if _CONTROL.search(name) or _CONTROL.search(value):
            raise Refused(f"params: {printable(name)!r} holds a control character")
    return "?" + urlencode(pairs, quote_via=quote) if pairs else ""


def _pairs(given: Mapping[str, Any], what: str) -> list[tuple[str, str]]:
    """Return names and values as text: None is left out, a list repeats its name."""
    pairs: list[tuple[str, str]] = []
    for name, value in given.items():
        several = isinstance(value, list | tuple | set | frozenset)
        items: Iterable[Any] = value if several else [value]
        pairs += [(str(name), _text(item, name, what)) for item in items if item is not None]
    return pairs


def _text(value: Any, name: str, what: str) -> str:
    if isinstance(value, Enum):
        value = value.value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, str | int | float | Decimal | UUID):
        return str(value)
    raise Refused(f"{what}: {printable(name)!r} is a {type(value).__name__}, no text or number")


def header(name: str, value: Any) -> tuple[str, str]:
    """Return a header that can be sent; a secret, as of pydantic, gives its value.

    Raises:
        Refused: it could end the header and begin another, or is not for a caller to set.
    """
    secret = getattr(value, "get_secret_value", None)
    text = secret() if secret is not None else value
    if not _TOKEN.fullmatch(name):
        raise Refused(f"headers: {printable(name)!r} is no name of a header")
    if name.lower() in _NOT_YOURS:
        raise Refused(f"headers: {name} is set by the connection itself")
    if not isinstance(text, str) or _BAD_VALUE.search(text) or text != text.strip():
        raise Refused(
            f"headers: the value of {name} is no text, or holds control characters, characters "
            "beyond Latin-1 or spaces around it"
        )
    return name, text


def body_of(given: Arguments) -> tuple[bytes | None, str]:
    """Return the body to send and its type, or None and "".

    Raises:
        Refused: more than one is given.
        EncodingError: JSON does not carry it.
    """
    if len({"json", "form", "body"} & given.keys()) > 1:
        raise Refused("more than one of json, form and body is given")
    if "json" in given:
        return encoding.encode(given["json"]), "application/json"
    if "form" in given:
        pairs = _pairs(given["form"], "form")
        return urlencode(pairs, errors="replace").encode(), "application/x-www-form-urlencoded"
    body = given.get("body")
    if isinstance(body, str):
        return body.encode("utf-8", "replace"), "text/plain; charset=utf-8"
    return (body, "application/octet-stream") if body is not None else (None, "")
