"""E-mail addresses: the form in which they are kept; only a message proves one."""

from __future__ import annotations

import unicodedata

from tornkit._addresses import LONGEST, is_address
from tornkit._text import printable
from tornkit.errors import AccountError

__all__ = ["known_email", "normal_email"]


def normal_email(text: str) -> str:
    """Return the one form in which an address is stored and looked up.

    That is without blanks around it, composed (NFC) and in lower case.

    Raises:
        AccountError: no mail can be sent to it: not exactly one @ between two parts, a blank,
            bracket, quotation mark or other sign of mail's own in it, a domain that is none, or
            more than 254 characters.
    """
    email = known_email(text)
    if not is_address(email):
        raise _refused(text)
    return email


def known_email(text: str) -> str:
    """Return the form in which an address is looked up, also one of before mail was asked.

    Raises:
        AccountError: no account ever had it.
    """
    email = unicodedata.normalize("NFC", text.strip()).lower()
    local, at, domain = email.partition("@")
    parts_right = bool(local and at and domain) and "@" not in domain
    if not parts_right or " " in email or not email.isprintable() or len(email) > LONGEST:
        raise _refused(text)
    return email


def _refused(text: str) -> AccountError:
    return AccountError(
        f"{printable(text)!r} is not an e-mail address",
        hint=f"write it like name@example.org, in at most {LONGEST} characters",
    )
