"""What an e-mail address is: one rule, for accounts and for mail."""

from __future__ import annotations

import re
import unicodedata

__all__ = ["LONGEST", "ascii_domain", "is_address"]

LONGEST = 254
"""Characters of the longest address (RFC 5321)."""

_PART = r"[^\s@<>()\[\],;:\\\"]+"
_ADDRESS = re.compile(f"{_PART}@{_PART}")


def is_address(text: str) -> bool:
    """Tell whether text is one address that mail can be sent to, and nothing around it."""
    if len(text) > LONGEST or not _ADDRESS.fullmatch(text):
        return False
    local, _, domain = text.partition("@")
    try:
        return len(f"{local}@{ascii_domain(domain)}") <= LONGEST
    except ValueError:
        return False


def ascii_domain(domain: str) -> str:
    """Return the name that a domain has in the DNS (IDNA).

    Raises:
        ValueError: it is no domain, or its name would be another one's: ``ß`` stands for
            ``ss`` there, and a wide letter for the usual one.
    """
    if domain.endswith("."):
        raise ValueError("a domain ends in a letter")
    name = domain.encode("idna").decode("ascii")
    plain = unicodedata.normalize("NFC", domain).lower()
    if not domain.isascii() and name.encode("ascii").decode("idna").lower() != plain:
        raise ValueError("a domain has one name")
    return name
