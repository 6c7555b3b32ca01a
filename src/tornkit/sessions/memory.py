"""Sessions in the memory of one process: for tests, and sites that may forget."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from tornkit.sessions import _values
from tornkit.sessions.base import SessionStore, StoredSession

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

__all__ = ["MemoryStore"]


class MemoryStore(SessionStore):
    """Keep sessions in a dict; a restart forgets them, other processes never see them.

    No method awaits anything, so each is atomic within its event loop.
    """

    def __init__(self) -> None:
        self._sessions: dict[str, StoredSession] = {}

    async def load(self, id_hash: str) -> StoredSession | None:
        """Return the session with all its values, or None."""
        return self._sessions.get(id_hash)

    async def create(self, stored: StoredSession) -> None:
        """Keep a session under an id that is new."""
        self._sessions[stored.id_hash] = replace(stored, values=dict(stored.values))

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
        stored = self._sessions.get(id_hash)
        if stored is None:
            return False
        values = _merged(stored.values, put, drop) if put or drop else stored.values
        self._sessions[id_hash] = replace(
            stored, values=values, seen_at=seen_at, expires_at=expires_at
        )
        return True

    async def increment(
        self, id_hash: str, name: str, by: int, *, seen_at: float, expires_at: float
    ) -> int | None:
        """Add to an integer and return it; None if the session is gone."""
        stored = self._sessions.get(id_hash)
        if stored is None:
            return None
        number = _values.add_to_text(stored.values.get(name), by, name)
        await self.apply(
            id_hash, put={name: str(number)}, drop=(), seen_at=seen_at, expires_at=expires_at
        )
        return number

    async def rotate(
        self, id_hash: str, successor: StoredSession, *, drop: Collection[str]
    ) -> bool:
        """Move a session to a new id; False, and no successor, if it is gone."""
        old = self._sessions.pop(id_hash, None)
        if old is None:
            return False
        values = _merged(old.values, successor.values, drop)
        self._sessions[successor.id_hash] = replace(successor, values=values)
        return True

    async def delete(self, id_hash: str) -> bool:
        """Delete a session; False if there is none."""
        return self._sessions.pop(id_hash, None) is not None

    async def delete_user(self, user_id: str) -> int:
        """Delete every session of a user; return how many."""
        return self._delete([s.id_hash for s in self._sessions.values() if s.user_id == user_id])

    async def list_user(self, user_id: str) -> list[StoredSession]:
        """Return a user's sessions without their values, the last seen first."""
        found = [replace(s, values={}) for s in self._sessions.values() if s.user_id == user_id]
        return sorted(found, key=lambda stored: stored.seen_at, reverse=True)

    async def clear_expired(self, now: float) -> int:
        """Delete the sessions with ``expires_at <= now``; return how many."""
        return self._delete([s.id_hash for s in self._sessions.values() if s.expires_at <= now])

    def _delete(self, hashes: list[str]) -> int:
        for id_hash in hashes:
            del self._sessions[id_hash]
        return len(hashes)


def _merged(
    values: Mapping[str, str], put: Mapping[str, str], drop: Collection[str]
) -> dict[str, str]:
    return {name: text for name, text in values.items() if name not in drop} | dict(put)
