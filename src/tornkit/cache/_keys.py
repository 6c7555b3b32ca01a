"""Keys: which are accepted, and what a store sees of them."""

from __future__ import annotations

import hashlib
from typing import Final

from tornkit._text import printable
from tornkit.errors import CacheError

__all__ = ["MAX_GIVEN", "MAX_KEPT", "stored_key"]

MAX_GIVEN: Final = 10_000
"""How many characters a key may have."""

MAX_KEPT: Final = 256
"""How many characters a store sees of a key at most."""

# A longer key ends in its hash, and so is longer than any that is kept as it is.
_WHOLE: Final = 180
_BEGINNING: Final = MAX_KEPT - 65


def stored_key(key: object) -> str:
    """Return what a store knows a key by; keys that differ stay different.

    Raises:
        CacheError: it is no text, empty, too long or not printable.
    """
    if not isinstance(key, str):
        raise CacheError(f"a cache key is text, not {type(key).__name__}")
    if not 0 < len(key) <= MAX_GIVEN:
        raise CacheError(
            f"cache key {printable(key)!r} has {len(key)} characters",
            hint=f"use 1 to {MAX_GIVEN}",
        )
    if not key.isprintable():
        raise CacheError(
            f"cache key {printable(repr(key))} cannot be used", hint="use printable characters"
        )
    if len(key) <= _WHOLE:
        return key
    return f"{key[:_BEGINNING]}#{hashlib.sha256(key.encode()).hexdigest()}"
