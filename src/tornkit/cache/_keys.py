"""Keys: which are accepted, and what a store sees of them."""

from __future__ import annotations

import hashlib
from typing import Final

from tornkit._text import printable
from tornkit.errors import CacheError

__all__ = ["MAX_KEPT", "stored_key"]

MAX_KEPT: Final = 256
"""How many characters a store sees of a key at most."""

# A hashed key is as long as can be, and so longer than any that is kept as it is: a visitor
# who types one does not find what is kept under it.
_WHOLE: Final = 180
_BEGINNING: Final = MAX_KEPT - 65


def stored_key(key: object) -> str:
    """Return what a store knows a key by; keys that differ stay different.

    A long key, or one that is not printable, is known by its beginning and its hash: part
    of it may be what a visitor has typed.

    Raises:
        CacheError: it is no text, or empty.
    """
    if not isinstance(key, str):
        raise CacheError(f"a cache key is text, not {type(key).__name__}")
    if not key:
        raise CacheError("a cache key is empty", hint="say in it what is kept")
    if len(key) <= _WHOLE and key.isprintable():
        return key
    shown = printable(key[:_BEGINNING], limit=_BEGINNING)[:_BEGINNING].ljust(_BEGINNING, ".")
    return f"{shown}#{hashlib.sha256(key.encode('utf-8', 'surrogatepass')).hexdigest()}"
