"""From the setting ``cache.store`` to a store."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tornkit._redis import SCHEMES
from tornkit._text import printable
from tornkit.cache.memory import MAX_BYTES, MAX_ENTRIES, MemoryCacheStore
from tornkit.cache.redis import PREFIX, RedisCacheStore
from tornkit.errors import CacheError

if TYPE_CHECKING:
    from tornkit.cache.base import CacheStore

__all__ = ["store_of"]

# Without a colon, no site's prefix can be the beginning of another's.
_SITE = re.compile(r"[A-Za-z0-9_.-]{0,100}", re.ASCII)


def store_of(
    url: str, *, site: str = "", max_entries: int = MAX_ENTRIES, max_bytes: int = MAX_BYTES
) -> CacheStore:
    """Return the store of ``memory://`` or ``redis://…``; nothing is opened yet.

    Args:
        url: where values are kept.
        site: whose they are, where several sites share a Redis: the name of the package.
        max_entries: as for `MemoryCacheStore`; Redis has a limit of its own.
        max_bytes: as for `MemoryCacheStore`.

    Raises:
        CacheError: the URL names no store, or the site has no plain name; the message does
            not quote the URL, which may hold a password.
    """
    if not _SITE.fullmatch(site):
        raise CacheError(
            f"{printable(repr(site))} cannot name a site's cache",
            hint="use up to 100 letters, digits, and _ . -",
        )
    if url == "memory://":
        return MemoryCacheStore(max_entries=max_entries, max_bytes=max_bytes)
    if url.partition("://")[0] in SCHEMES:
        return RedisCacheStore(url, prefix=f"{PREFIX}{site}:")
    raise CacheError("expected memory:// or redis://host:6379/0")
