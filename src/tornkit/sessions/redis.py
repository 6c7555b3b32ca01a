"""Sessions in Redis: each is a hash, and each change one script, which Redis runs as a whole.

Behind the prefix, the hash of an id names the hash of its session, ``user:ID`` the set of a
user's sessions, and ``ends`` all sessions by their end. Scripts find the keys of a user's
sessions by themselves, so this is for one Redis server with replicas, not for Redis Cluster.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final

from tornkit._redis import RedisLink
from tornkit.sessions import _values
from tornkit.sessions._redis_scripts import (
    APPLY,
    BEYOND,
    CLEAR,
    CREATE,
    DELETE,
    DELETE_USER,
    DONE,
    INCREMENT,
    LIST_USER,
    ROTATE,
    SWAP,
)
from tornkit.sessions.base import SessionStore, StoredSession

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

__all__ = ["RedisStore"]

PREFIX: Final = "tornkit:session:"
# Redis forgets a session by itself this long after its end, should nobody clear it before.
MARGIN: Final = 60.0  # seconds
LONGEST_LIFE: Final = 1e10  # seconds; Redis refuses ends beyond 64 bits of milliseconds
CLEAR_BATCH: Final = 500  # sessions; Redis does nothing else meanwhile


class RedisStore(RedisLink, SessionStore):
    """Keep sessions in Redis 6 or later.

    Args:
        url: ``redis://[[user]:password@]host[:port][/db]``, the same with ``rediss`` for TLS,
            or ``unix:///path/of/socket[?db=0]``.
        prefix: what every key begins with.

    Raises:
        SessionError: the URL is none of these; the message does not quote it.
    """

    purpose: ClassVar[str] = "session store"

    def __init__(self, url: str, *, prefix: str = PREFIX) -> None:
        super().__init__(url, prefix=prefix)

    async def load(self, id_hash: str) -> StoredSession | None:
        """Return the session with all its values, or None."""
        fields = await self._ask("HGETALL", self._prefix + id_hash)
        values = {name[1:]: text for name, text in fields.items() if name.startswith("=")}
        return _stored(id_hash, fields, values) if fields else None

    async def create(self, stored: StoredSession) -> None:
        """Keep a session under an id that is new."""
        await self._run(CREATE, *_written(stored), *_changed(stored.values, ()))

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
        times = _times(seen_at, expires_at)
        return bool(await self._run(APPLY, id_hash, *times, *_changed(put, drop)))

    async def increment(
        self, id_hash: str, name: str, by: int, *, seen_at: float, expires_at: float
    ) -> int | None:
        """Add to an integer and return it; None if the session is gone."""
        times = _times(seen_at, expires_at)
        while True:
            state, text = await self._run(INCREMENT, id_hash, *times, name, by)
            if state != BEYOND:
                return int(text) if state == DONE else None
            # Redis counts in 64 bits. Whenever another request is faster, that one is served,
            # so all of them are in the end.
            number = _values.add_to_text(text, by, name)
            swap = (id_hash, *times, name, "" if text is None else text, number)
            state = await self._run(SWAP, *swap)
            if state != BEYOND:
                return number if state == DONE else None

    async def rotate(
        self, id_hash: str, successor: StoredSession, *, drop: Collection[str]
    ) -> bool:
        """Move a session to a new id in one step; False, and no successor, if it is gone."""
        changes = _changed(successor.values, drop)
        return bool(await self._run(ROTATE, *_written(successor), id_hash, *changes))

    async def delete(self, id_hash: str) -> bool:
        """Delete a session; False if there is none."""
        return bool(await self._run(DELETE, id_hash))

    async def delete_user(self, user_id: str) -> int:
        """Delete every session of a user, also one that is being rotated; return how many."""
        return int(await self._run(DELETE_USER, user_id))

    async def list_user(self, user_id: str) -> list[StoredSession]:
        """Return a user's sessions without their values, the last seen first."""
        rows = await self._run(LIST_USER, user_id)
        fields = [(row[0], dict(zip(_FIELDS, row[1:], strict=True))) for row in rows]
        found = [_stored(id_hash, known, {}) for id_hash, known in fields]
        listed = [stored for stored in found if stored is not None]
        return sorted(listed, key=lambda stored: stored.seen_at, reverse=True)

    async def clear_expired(self, now: float) -> int:
        """Delete the sessions with ``expires_at <= now``; return how many.

        Those that Redis forgot by itself do not count.
        """
        cleared, looked_at = 0, CLEAR_BATCH
        while looked_at == CLEAR_BATCH:
            looked_at, deleted = await self._run(CLEAR, repr(float(now)), CLEAR_BATCH)
            cleared += deleted
        return cleared


# --- what is stored ----------------------------------------------------------------------

_FIELDS: Final = ("user", "created", "seen", "expires", "meta")


def _stored(
    id_hash: str, fields: Mapping[str, str | None], values: Mapping[str, str]
) -> StoredSession | None:
    user_id, created, seen, expires, meta = (fields.get(name) for name in _FIELDS)
    if created is None or seen is None or expires is None:
        return None  # not of our making
    times = (float(created), float(seen), float(expires))
    return StoredSession(id_hash, user_id, *times, meta or "{}", values)


def _times(seen_at: float, expires_at: float) -> tuple[str, str, int]:
    """Return the times as they are stored, and after how many milliseconds Redis may forget.

    Redis is told a duration, for its clock need not be the site's.
    """
    life = min(max(expires_at - seen_at, 0.0) + MARGIN, LONGEST_LIFE)
    return repr(float(seen_at)), repr(float(expires_at)), int(life * 1000)


def _written(stored: StoredSession) -> tuple[str | int, ...]:
    times = _times(stored.seen_at, stored.expires_at)
    user_id = stored.user_id or ""
    return (stored.id_hash, *times, user_id, repr(float(stored.created_at)), stored.meta)


def _changed(put: Mapping[str, str], drop: Collection[str]) -> list[str | int]:
    pairs = [part for pair in put.items() for part in pair]
    return [len(drop), *drop, *pairs]
