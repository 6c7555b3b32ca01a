"""The contract of a session store.

A store receives changes, never whole sessions, so that two requests that change different
keys at once both win. It knows ids only as hashes, values only as JSON text, and time only
as the seconds since the epoch that it is given; lifetimes are the manager's business.

A new store subclasses `SessionStore` and passes `tornkit.testing.SessionStoreContract`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

__all__ = ["SessionStore", "StoredSession"]


@dataclass(frozen=True, slots=True)
class StoredSession:
    """A session as stores keep it; times are seconds since the epoch, texts are JSON.

    ``values`` is empty in lists of sessions.
    """

    id_hash: str
    user_id: str | None
    created_at: float
    seen_at: float
    expires_at: float
    meta: str = "{}"
    values: Mapping[str, str] = field(default_factory=dict)


_NOBODY: Final = "0" * 64  # looks like the hash of an id, and is that of none


class SessionStore(ABC):
    """Keep sessions somewhere.

    Every method is atomic, also against the same call from another process, and either
    happens as a whole or not at all when its task is cancelled. A store that cannot answer
    raises `tornkit.errors.StoreUnavailable`.
    """

    async def open(self) -> None:  # noqa: B027 - most stores have nothing to open
        """Get ready; called once in each worker, after it has started."""

    async def close(self) -> None:  # noqa: B027 - or to close
        """Let go of what `open` took; safe to call twice."""

    async def ping(self) -> None:
        """Return if the store answers; raise `StoreUnavailable` if it does not."""
        await self.load(_NOBODY)

    @abstractmethod
    async def load(self, id_hash: str) -> StoredSession | None:
        """Return the session with all its values, or None; expired ones too."""

    @abstractmethod
    async def create(self, stored: StoredSession) -> None:
        """Keep a session under an id that is new."""

    @abstractmethod
    async def apply(
        self,
        id_hash: str,
        *,
        put: Mapping[str, str],
        drop: Collection[str],
        seen_at: float,
        expires_at: float,
    ) -> bool:
        """Set and delete keys and renew the times; False if the session is gone."""

    @abstractmethod
    async def increment(
        self, id_hash: str, name: str, by: int, *, seen_at: float, expires_at: float
    ) -> int | None:
        """Add to an integer, from 0 if missing, and return it; None if the session is gone.

        Raises:
            SessionError: the key holds something else; nothing is changed.
        """

    @abstractmethod
    async def rotate(
        self, id_hash: str, successor: StoredSession, *, drop: Collection[str]
    ) -> bool:
        """Move a session to a new id in one step; False, and no successor, if it is gone.

        The successor has the old values as they are now, without ``drop``, overlaid by its
        own.
        """

    @abstractmethod
    async def delete(self, id_hash: str) -> bool:
        """Delete a session; False if there is none."""

    @abstractmethod
    async def delete_user(self, user_id: str) -> int:
        """Delete every session of a user, also one that is being rotated; return how many."""

    @abstractmethod
    async def list_user(self, user_id: str) -> list[StoredSession]:
        """Return a user's sessions without their values, the last seen first."""

    @abstractmethod
    async def clear_expired(self, now: float) -> int:
        """Delete the sessions with ``expires_at <= now``; return how many."""
