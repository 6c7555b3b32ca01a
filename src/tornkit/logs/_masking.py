"""Hide what is named like a password, a token or a card before it is logged."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_plus

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["HIDDEN", "MalformedFilter", "is_private", "mask", "mask_query"]

HIDDEN = "***"

# Anywhere in a name without its - and _; rather one value too many than one too few.
_PARTS = re.compile(
    r"passw|passphrase|secret|token|authorization|cookie|apikey|privatekey|accesskey|signingkey"
    r"|credential|creditcard|cardn|cvv|cvc|csrf|xsrf|sessionid|signature|iban"
)
_WORDS = frozenset(
    {"auth", "card", "code_verifier", "jwt", "otp", "pass", "pin", "pwd", "session", "sid", "ssn"}
)
_SEPARATORS = re.compile(r"[^a-z0-9]+")
_QUOTED = re.compile(r""":? b?['"]""")
_INNER_NAME = re.compile(r"([^?&;=\s]+)=")


class MalformedFilter(logging.Filter):
    """Keep what was sent out of Tornado's line about a request that cannot be read.

    One bad byte in a header would otherwise bring all of its cookies into the log.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Cut the line where it begins to quote; let every record pass."""
        given = record.args
        if str(record.msg).startswith("Malformed HTTP message") and isinstance(given, tuple):
            record.args = tuple(_QUOTED.split(str(each), maxsplit=1)[0] for each in given)
        return True


def is_private(name: str) -> bool:
    """Tell whether a value of this name must not be logged."""
    words = _SEPARATORS.split(re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower())
    return bool(_PARTS.search("".join(words))) or not _WORDS.isdisjoint(words)


def mask(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return a copy with private values replaced by ``***``, nested ones too.

    Example:
        >>> mask({"email": "a@b.example", "password": "hunter2"})
        {'email': 'a@b.example', 'password': '***'}
    """
    return {
        key: HIDDEN if is_private(str(key)) else _mask_value(value)
        for key, value in values.items()
    }


def _mask_value(value: Any) -> Any:
    if isinstance(value, Mapping):
        return mask(value)
    if isinstance(value, list | tuple):
        return [_mask_value(item) for item in value]
    text = value.decode("latin-1") if isinstance(value, bytes) else value
    return HIDDEN if isinstance(text, str) and _hides("", text) else value


def mask_query(target: str) -> str:
    """Return a path with the private values in its query replaced by ``***``.

    Example:
        >>> mask_query("/reset?token=abc&page=2")
        '/reset?token=***&page=2'
    """
    path, mark, query = target.partition("?")
    if not mark:
        return target
    return path + mark + "".join(_mask_pairs(re.split(r"([&;])", query)))


def _mask_pairs(parts: Iterable[str]) -> Iterable[str]:
    for part in parts:
        name, sign, value = part.partition("=")
        yield f"{name}={HIDDEN}" if sign and _hides(name, value) else part


def _hides(name: str, value: str) -> bool:
    if is_private(unquote_plus(name)):
        return True
    if "%" not in value and "=" not in value:
        return False
    # A link inside the link: ?next=%2Freset%3Ftoken%3Dabc
    inner = unquote_plus(unquote_plus(value))
    return any(is_private(found) for found in _INNER_NAME.findall(inner))
