"""What the server remembers of one visitor.

`Sessions` loads, saves and revokes; a handler works with the `Session` it gets from it; a
`SessionStore` keeps the data.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tornkit.sessions.base import SessionStore, StoredSession
from tornkit.sessions.manager import SessionInfo, Sessions, Signer
from tornkit.sessions.memory import MemoryStore
from tornkit.sessions.session import JSON, Found, Session

if TYPE_CHECKING:
    from tornkit.sessions.redis import RedisStore
    from tornkit.sessions.sql import SQLStore

__all__ = [
    "JSON",
    "Found",
    "MemoryStore",
    "RedisStore",
    "SQLStore",
    "Session",
    "SessionInfo",
    "SessionStore",
    "Sessions",
    "Signer",
    "StoredSession",
]


def __getattr__(name: str) -> type[SessionStore]:
    # A site that keeps its sessions elsewhere need not load SQLAlchemy.
    if name == "SQLStore":
        from tornkit.sessions.sql import SQLStore  # noqa: PLC0415

        return SQLStore
    if name == "RedisStore":
        from tornkit.sessions.redis import RedisStore  # noqa: PLC0415

        return RedisStore
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
