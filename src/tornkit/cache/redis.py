"""A cache in Redis, which all processes share: a string for each key."""

from __future__ import annotations

import math
import re
from typing import ClassVar, Final

from tornkit._redis import RedisLink
from tornkit.cache.base import CacheStore
from tornkit.errors import CacheError, SessionError

__all__ = ["RedisCacheStore"]

PREFIX: Final = "tornkit:cache:"
CLEAR_BATCH: Final = 500  # keys; Redis does nothing else meanwhile


class RedisCacheStore(RedisLink, CacheStore):
    """Keep texts in Redis 6 or later.

    Args:
        url: as for `tornkit.sessions.redis.RedisStore`.
        prefix: what every key begins with; no other prefix may begin with it.

    Raises:
        CacheError: the URL is not one of Redis; the message does not quote it.
    """

    purpose: ClassVar[str] = "cache"

    def __init__(self, url: str, *, prefix: str = PREFIX) -> None:
        try:
            super().__init__(url, prefix=prefix)
        except SessionError as refused:
            raise CacheError(refused.message, hint=refused.hint) from None

    async def load(self, key: str) -> str | None:
        """Return the text of a key, or None."""
        text: str | None = await self._ask("GET", self._prefix + key)
        return text

    async def save(self, key: str, text: bytes, life: float) -> None:
        """Keep a text for at most ``life`` seconds."""
        milliseconds = max(1, math.floor(life * 1000))
        await self._ask("SET", self._prefix + key, text.decode(), "PX", milliseconds)

    async def delete(self, key: str) -> bool:
        """Delete a key; False if there is none."""
        return bool(await self._ask("UNLINK", self._prefix + key))

    async def clear(self) -> None:
        """Delete every key with the prefix."""
        pattern = re.sub(r"([*?\[\]\\^])", r"\\\1", self._prefix) + "*"
        cursor = "0"
        while True:
            scanned = await self._ask("SCAN", cursor, "MATCH", pattern, "COUNT", CLEAR_BATCH)
            cursor, keys = str(scanned[0]), scanned[1]
            if keys:
                await self._ask("UNLINK", *keys)
            if cursor == "0":
                return
