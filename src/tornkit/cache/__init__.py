"""What was computed once and may be shown again for a while.

A `Cache` keeps values as JSON in a `CacheStore`, in memory or in Redis; `cached` keeps what
a function returns. Which store, and whose cache, is for the caller to say; nothing here
reads settings.
"""

from __future__ import annotations

from tornkit.cache._lifetimes import TTL
from tornkit.cache.base import CacheStore
from tornkit.cache.cache import Cache
from tornkit.cache.decorator import Cached, cached, use_cache
from tornkit.cache.memory import MemoryCacheStore
from tornkit.cache.redis import RedisCacheStore
from tornkit.cache.urls import store_of

__all__ = [
    "TTL",
    "Cache",
    "CacheStore",
    "Cached",
    "MemoryCacheStore",
    "RedisCacheStore",
    "cached",
    "store_of",
    "use_cache",
]
