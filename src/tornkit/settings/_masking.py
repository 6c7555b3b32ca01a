"""What counts as secret, and how URLs are shown without their passwords."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pydantic import SecretBytes, SecretStr
from pydantic.types import Secret

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["SECRET_TYPES", "is_secret_name", "mask_urls", "reveal", "scrub"]

SECRET_TYPES: tuple[type, ...] = (SecretStr, SecretBytes, Secret)

_SECRET_NAME = re.compile(
    r"(?:^|_)(?:password|passwd|pwd|passphrase|secret|token|api_?key|private_key|secret_key"
    r"|access_key|signing_key|credentials?|authorization|cookie_secret)$"
)
_USERINFO = re.compile(r"(?<=://)([^\s:@/?#]*):(\S*)@")
_TOKEN = re.compile(r"(?<=://)([^\s:@/?#]+)@")
_QUERY = re.compile(r"([?&;](?:[a-z_]*(?:password|passwd|pwd|secret|token|key))=)[^&;#\s]*", re.I)


def is_secret_name(name: str) -> bool:
    """Tell whether a setting of this name holds a secret, whatever its type says."""
    return bool(_SECRET_NAME.search(name.lower().replace("-", "_")))


def mask_urls(text: str) -> str:
    """Return ``text`` with the passwords of URLs in it replaced by ``***``.

    A password may hold an unescaped ``/`` or ``@``: all up to the last ``@`` is hidden.
    """
    if "://" not in text:
        return text
    masked = _USERINFO.sub(r"\1:***@", text)
    if masked.lower().startswith("http"):
        masked = _TOKEN.sub("***@", masked)
    return _QUERY.sub(r"\1***", masked)


def reveal(value: object) -> object:
    """Return what a secret holds, or the value itself."""
    if isinstance(value, SECRET_TYPES):
        return value.get_secret_value()  # type: ignore[attr-defined,no-any-return,unused-ignore]
    return value


def scrub(message: str, secrets: Iterable[object]) -> str:
    """Return a message that somebody else worded without any of these secrets in it."""
    texts = {str(reveal(secret)) for secret in secrets}
    for text in sorted((text for text in texts if len(text) >= 3), key=len, reverse=True):
        message = message.replace(text, "***").replace(repr(text)[1:-1], "***")
    return mask_urls(message)
