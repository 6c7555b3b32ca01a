"""What is sent to an HTTP service: its URL, parameters, headers and body, checked.

A path often holds what a visitor wrote. Whatever would lead to another host, out of the base
URL, or into another header is refused; nothing that is refused is sent.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time
from decimal import Decimal
from enum import Enum
from typing import TYPE_CHECKING, Any, Final, TypedDict
from urllib.parse import quote, unquote, urlencode, urlsplit
from uuid import UUID

from tornkit import encoding
from tornkit._text import did_you_mean, listing, printable

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = [
    "HINT",
    "METHODS",
    "SAFE_METHODS",
    "Arguments",
    "BaseURL",
    "Refused",
    "RefusedText",
    "body_of",
    "check_mapping",
    "check_names",
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
_LONGEST_PATH: Final = 8000  # characters; servers take heads of 8 KB or little more
_DECODINGS: Final = 3
_PORTS: Final = {"http": 80, "https": 443}


class Refused(ValueError):
    """What cannot be sent; the message quotes no value."""


class RefusedText(Refused):
    """Text that cannot be sent, be it a visitor's."""


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
            RefusedText: it leads elsewhere, or is not only a path.
        """
        if len(path) > _LONGEST_PATH:
            raise RefusedText(f"the path is longer than {_LONGEST_PATH} characters")
        if _WHOLE_URL.match(path):
            raise RefusedText("the path is a URL of its own; give what comes after the base URL")
        if "?" in path or "#" in path:
            raise RefusedText("the path holds a ? or a #; give a query as params=, or encode it")
        relative = _encoded(path)
        slash = "" if not relative or relative.startswith("/") else "/"
        return f"{self.shown}{slash}{relative}"


def _encoded(path: str) -> str:
    decoded = path
    for _ in range(_DECODINGS + 1):  # %252e%252e is .. to who decodes twice
        once, decoded = decoded, unquote(decoded, errors="surrogateescape")
        if _CONTROL.search(once):
            raise RefusedText("the path holds a control character")
        if "\\" in once or any(part in {".", ".."} for part in once.split("/")):
            raise RefusedText("the path holds . or .. or a backslash, which lead elsewhere")
    if decoded != once:
        raise RefusedText(f"the path is percent-encoded more than {_DECODINGS} times")
    return quote(_STRAY_PERCENT.sub("%25", path), safe=_PATH_SAFE)


def _basic(user: str | None, password: str | None) -> str:
    if user is None:
        return ""
    pair = f"{unquote(user)}:{unquote(password or '')}"
    if ":" in unquote(user) or _CONTROL.search(pair):
        raise Refused("its user or its password holds what no sign-in can")
    return "Basic " + base64.b64encode(pair.encode()).decode("ascii")


# --- what is given -----------------------------------------------------------------------


def check_names(given: Mapping[str, Any]) -> None:
    """Refuse arguments that a request does not have.

    Raises:
        TypeError: as a function does.
    """
    known = Arguments.__optional_keys__
    for name in given:
        if name not in known:
            hint = did_you_mean(name, known) or f"there are {listing(known)}"
            raise TypeError(f"a request has no argument {printable(name)!r}; {hint}")


def check_mapping(given: object, what: str) -> None:
    """Refuse what is no mapping.

    Raises:
        Refused: with what messages call it.
    """
    if not isinstance(given, Mapping):
        raise Refused(f"{what}: a {type(given).__name__} is no mapping of names to values")


# --- parameters and headers --------------------------------------------------------------


def query(params: Mapping[str, Any] | None) -> str:
    """Return ``params`` as a query, such as ``?city=Oslo&day=1``, or "".

    Raises:
        Refused: a value is no text, number or date.
    """
    pairs = _pairs(params or {}, "params")
    return "?" + urlencode(pairs, errors="replace", quote_via=quote) if pairs else ""


def _pairs(given: Mapping[str, Any], what: str) -> list[tuple[str, str]]:
    """Return names and values as text: None is left out, a list repeats its name."""
    pairs: list[tuple[str, str]] = []
    check_mapping(given, what)
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


def header(name: Any, value: Any) -> tuple[str, str]:
    """Return a header that can be sent; a secret, as of pydantic, gives its value.

    Raises:
        RefusedText: it could end the header and begin another.
        Refused: it is no text, or not for a caller to set.
    """
    secret = getattr(value, "get_secret_value", None)
    text = secret() if secret is not None else value
    if not isinstance(name, str) or not _TOKEN.fullmatch(name):
        raise Refused(f"headers: {printable(name)!r} is no name of a header")
    if name.lower() in _NOT_YOURS:
        raise Refused(f"headers: {name} is set by the connection itself")
    if not isinstance(text, str):
        raise Refused(f"headers: the value of {name} is a {type(text).__name__}, no text")
    if _BAD_VALUE.search(text) or text != text.strip():
        raise RefusedText(
            f"headers: the value of {name} holds control characters, characters beyond Latin-1 "
            "or spaces around it"
        )
    return name, text


def body_of(given: Arguments) -> tuple[bytes | None, str]:
    """Return the body to send and its type, or None and "".

    Raises:
        Refused: more than one is given, or none of the kind that its name says.
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
    if not isinstance(body, bytes | None):
        raise Refused(f"body: a {type(body).__name__} is neither bytes nor text; is it json=?")
    return (body, "application/octet-stream") if body is not None else (None, "")
