"""E-mail addresses by a simple rule, for only a message proves one."""

from __future__ import annotations

import unicodedata

from tornkit._text import printable
from tornkit.errors import AccountError

__all__ = ["EMAIL_LIMIT", "normal_email"]

EMAIL_LIMIT = 254
"""Characters of the longest address."""


def normal_email(text: str) -> str:
    """Return the one form in which an address is stored and looked up.

    That is without blanks around it, composed (NFC) and in lower case.

    Raises:
        AccountError: not exactly one @ between two parts, a blank or an unprintable
            character in it, or more than 254 characters.
    """
    email = unicodedata.normalize("NFC", text.strip()).lower()
    local, at, domain = email.partition("@")
    parts_right = bool(local and at and domain) and "@" not in domain
    if not parts_right or " " in email or not email.isprintable() or len(email) > EMAIL_LIMIT:
        raise AccountError(
            f"{printable(text)!r} is not an e-mail address",
            hint=f"write it like name@example.org, in at most {EMAIL_LIMIT} characters",
        )
    return email
