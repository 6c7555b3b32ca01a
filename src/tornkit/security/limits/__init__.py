"""How often somebody may do something: rates, counted in a store that workers may share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tornkit._rates import Rate
from tornkit.security.limits.addresses import client_network
from tornkit.security.limits.base import LimitStore
from tornkit.security.limits.limiter import Limiter
from tornkit.security.limits.memory import MemoryLimitStore

if TYPE_CHECKING:
    from tornkit.security.limits.redis import RedisLimitStore
    from tornkit.security.limits.sql import SQLLimitStore

__all__ = [
    "LimitStore",
    "Limiter",
    "MemoryLimitStore",
    "Rate",
    "RedisLimitStore",
    "SQLLimitStore",
    "client_network",
]


def __getattr__(name: str) -> type[LimitStore]:
    # A site that counts elsewhere need not load SQLAlchemy.
    if name == "SQLLimitStore":
        from tornkit.security.limits.sql import SQLLimitStore  # noqa: PLC0415

        return SQLLimitStore
    if name == "RedisLimitStore":
        from tornkit.security.limits.redis import RedisLimitStore  # noqa: PLC0415

        return RedisLimitStore
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
