"""`Sessions`: loading, saving and revoking, with lifetimes kept by one clock."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from tornkit._text import printable
from tornkit.sessions import _values
from tornkit.sessions._browsers import browser_of
from tornkit.sessions.base import SessionStore, StoredSession
from tornkit.sessions.session import Found, Session, nobody

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping

__all__ = ["SessionInfo", "Sessions", "Signer"]

META_LENGTH = 200
_REMEMBERED = '"remembered": true'  # as json.dumps writes it; no text of a visitor can hold it
T = TypeVar("T")

_log = logging.getLogger("tornkit.sessions")


class Signer(Protocol):
    """Vouch for ids, so that made-up ones are refused without asking the store."""

    def sign(self, text: str) -> str:
        """Return the text with its signature."""

    def unsign(self, signed: str) -> tuple[str, bool] | None:
        """Return the text, and whether today's key signed it; None if none of ours did."""


@dataclass(frozen=True, slots=True)
class SessionInfo:
    """One session of a user, for a page that lists them; times are seconds since the epoch.

    ``handle`` names it to `Sessions.revoke_handle`. It is the hash that the store knows,
    and no credential: what a visitor sends is hashed before it is looked up.
    ``created_at`` is when the user signed in.
    """

    handle: str
    created_at: float
    seen_at: float
    user_agent: str
    ip: str
    remembered: bool = False

    @property
    def browser(self) -> str:
        """The browser and the system in words, such as ``Firefox on Linux``."""
        return browser_of(self.user_agent)


class Sessions:
    """Load, save and revoke the sessions in a store.

    Args:
        store: where they are kept.
        idle_timeout: seconds without a request after which a session ends.
        absolute_timeout: seconds after its start, or sign-in, at which it ends anyway.
        remember_timeout: seconds after its sign-in at which a remembered one ends, however
            often it is used; by default ``absolute_timeout``.
        touch_interval: seconds between two notes of a session's use; at most half of
            ``idle_timeout`` counts, so that who stays active stays signed in.
        signer: signs what the cookie holds; without one it is the bare id.
        clock: returns seconds since the epoch.

    Every method raises `StoreUnavailable` when the store does not answer.
    """

    def __init__(
        self,
        store: SessionStore,
        *,
        idle_timeout: float,
        absolute_timeout: float,
        touch_interval: float,
        remember_timeout: float | None = None,
        signer: Signer | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        remember_timeout = absolute_timeout if remember_timeout is None else remember_timeout
        if min(idle_timeout, absolute_timeout, remember_timeout) <= 0 or touch_interval < 0:
            raise ValueError("session lifetimes are positive numbers of seconds")
        self.store = store
        self._idle_timeout = idle_timeout
        self._absolute_timeout = absolute_timeout
        self._remember_timeout = remember_timeout
        self._touch_interval = min(touch_interval, idle_timeout / 2)
        self._signer = signer
        self._unsign = _bare_id if signer is None else signer.unsign
        self._clock = clock
        self._revocations: set[asyncio.Future[Any]] = set()

    def now(self) -> float:
        """Return the clock's time in seconds since the epoch."""
        return self._clock()

    # --- loading -------------------------------------------------------------------------

    def begin(
        self, *, presented: bool = False, describe: Callable[[], Mapping[str, str]] = nobody
    ) -> Session:
        """Return an empty session, of a visitor who has none.

        Args:
            presented: whether the visitor sent a cookie all the same.
            describe: returns what is kept of the visitor with a session that is created:
                ``user_agent`` and ``ip``, each cut to 200 characters.
        """
        return Session(self, presented=presented, describe=describe)

    async def load(
        self, cookie: str | None, *, describe: Callable[[], Mapping[str, str]] = nobody
    ) -> Session:
        """Return the visitor's session, an empty one for any cookie that is not alive.

        Args:
            cookie: what the visitor sent; what is malformed or not signed by us never
                reaches the store.
            describe: see `begin`.
        """
        found = None if cookie is None else await self.find(cookie)
        if found is None:
            return self.begin(presented=cookie is not None, describe=describe)
        return self.open(found, describe=describe)

    async def find(self, cookie: str) -> Found | None:
        """Return what the store has of the session that a cookie opens, None if none is alive."""
        verified = self._unsign(cookie) if len(cookie) <= _values.MAX_COOKIE else None
        if verified is None:
            return None
        raw_id, is_current = verified
        stored = await self.store.load(_values.hash_id(raw_id))
        if stored is None:
            return None
        now, remembered = self._clock(), _REMEMBERED in stored.meta
        if not self._is_alive(stored, now, remembered=remembered):
            return None
        just_seen = now - stored.seen_at < self._touch_interval
        can_wait = is_current and just_seen and stored.user_id is None
        return Found(raw_id, stored, remembered, is_current, can_wait)

    def open(self, found: Found, *, describe: Callable[[], Mapping[str, str]] = nobody) -> Session:
        """Return the session of what `find` found, an empty one if it cannot be decoded."""
        try:
            # By place: names cost a dict, for a class that has a metaclass.
            return Session(self, True, describe, found)
        except ValueError:
            id_hash = found.stored.id_hash
            _log.warning("session %s… cannot be decoded; treated as empty", id_hash[:8])
            return self.begin(presented=True, describe=describe)

    def cookie_value(self, session: Session) -> str:
        """Return what the visitor's cookie has to hold, "" where there is no session."""
        if session.id is None:
            return ""
        return session.id if self._signer is None else self._signer.sign(session.id)

    def cookie_age(self, session: Session) -> float | None:
        """Return the seconds that the cookie lives; None: until the browser is closed."""
        if not session.remembered:
            return None
        return session._created_at + self._remember_timeout - self.now()

    def _is_alive(self, stored: StoredSession, now: float, *, remembered: bool) -> bool:
        # The stored end was computed with the settings of its day; a shorter lifetime since
        # then acts at once, and so does the clean-up that goes by the stored end.
        end = self._end(stored.created_at, stored.seen_at, remembered=remembered)
        return now < end and now < stored.expires_at

    def _end(self, created_at: float, seen_at: float, *, remembered: bool) -> float:
        if remembered:
            return created_at + self._remember_timeout
        return min(seen_at + self._idle_timeout, created_at + self._absolute_timeout)

    def is_touch_due(self, seen_at: float, now: float) -> bool:
        """Tell whether the store should hear that a session is in use."""
        return now - seen_at >= self._touch_interval

    # --- saving --------------------------------------------------------------------------

    async def save(self, session: Session) -> None:
        """Carry out what the session noted; afterwards `Session.cookie` is right.

        A session that somebody else ended meanwhile stays ended: its changes are dropped,
        except those of a sign-in, which go into a session of their own.
        """
        await self.revoke(session)
        now = self.now()
        put, dropped = session._changes()
        if session._gone:
            return
        if session._id is None:
            if put or session._rotation:
                await self._create(session, put, now)
        elif session._rotation:
            await self._rotate(session, put, dropped, now)
        elif put or dropped or self.is_touch_due(session._seen_at, now):
            kept = await self.store.apply(
                session._hash,
                put=put,
                drop=dropped,
                seen_at=now,
                expires_at=self._end_of(session, now),
            )
            if kept:
                session._settle(put, dropped, now)
            else:
                session._vanish()

    async def _create(self, session: Session, put: dict[str, str], now: float) -> None:
        raw_id = _values.make_id()
        successor = self._successor(session, raw_id, put, created_at=now, now=now)
        await self.store.create(successor)
        session._issue(raw_id, successor.id_hash, now)
        session._settle(put, (), now)

    async def _rotate(
        self, session: Session, put: dict[str, str], dropped: set[str], now: float
    ) -> None:
        is_sign_in = session._rotation == "sign-in"
        created_at = now if is_sign_in else session._created_at
        raw_id = _values.make_id()
        successor = self._successor(session, raw_id, put, created_at=created_at, now=now)
        if await self.store.rotate(session._hash, successor, drop=dropped):
            session._issue(raw_id, successor.id_hash, created_at)
            session._settle(put, dropped, now)
        elif is_sign_in:
            # What the old session held was ended on purpose; only this request's own is new.
            values = {name: session._values[name] for name in put}
            user_id, remembered = session._user_id, session._remembered
            session._forget()
            session._values, session._user_id = values, user_id
            session._remembered = remembered
            session._changed = set(values)
            session._rotation = "sign-in"
            await self._create(session, put, now)
        else:
            session._vanish()

    def _successor(
        self, session: Session, raw_id: str, put: dict[str, str], *, created_at: float, now: float
    ) -> StoredSession:
        visitor = session._describe()
        meta: dict[str, object] = {name: visitor[name][:META_LENGTH] for name in visitor}
        if session._remembered:
            meta["remembered"] = True
        return StoredSession(
            id_hash=_values.hash_id(raw_id),
            user_id=session._user_id,
            created_at=created_at,
            seen_at=now,
            expires_at=self._end(created_at, now, remembered=session._remembered),
            meta=json.dumps(meta),
            values=put,
        )

    def _end_of(self, session: Session, seen_at: float) -> float:
        return self._end(session._created_at, seen_at, remembered=session._remembered)

    async def increment(self, session: Session, name: str, by: int) -> int:
        """Add to a counter of the session at once; use `Session.increment`."""
        if session._gone or session._id is None:
            number = _values.add(session._values.get(name), by, name)
            session._put(name, number)
            await self.save(session)
            return number
        now = self.now()
        expires_at = self._end_of(session, now)
        if name in session._changed or name in session._dropped:
            await self._flush_key(session, name, now, expires_at)
        found = await self.store.increment(
            session._hash, name, by, seen_at=now, expires_at=expires_at
        )
        if found is None:
            if session._rotation != "sign-in":
                session._vanish()
            number = _values.add(session._values.get(name), by, name)
            session._put(name, number)
            return number
        session._settle_number(name, found)
        session._seen_at = now
        return found

    async def _flush_key(self, session: Session, name: str, now: float, expires_at: float) -> None:
        """Bring a pending change of the counter itself to the store, so that it counts on."""
        put, dropped = session._changes()
        await self.store.apply(
            session._hash,
            put={name: put[name]} if name in put else {},
            drop=dropped & {name},
            seen_at=now,
            expires_at=expires_at,
        )

    # --- ending --------------------------------------------------------------------------

    async def revoke(self, session: Session) -> None:
        """Delete what a sign-out left, at once; it completes even if the caller is cancelled."""
        while session._revoked:
            id_hash = session._revoked[-1]
            await self._finish(self.store.delete(id_hash))
            if id_hash in session._revoked:
                session._revoked.remove(id_hash)

    async def revoke_user(self, user_id: str | int, spare: str | None = None) -> int:
        """End every session of a user at once; return how many there were.

        Args:
            user_id: whose they are.
            spare: the handle of one that stays.
        """
        user = _values.check_user_id(user_id)
        if spare is None:
            return await self._finish(self.store.delete_user(user))
        ended = 0
        # One that is getting a new id meanwhile is in the next list.
        while others := [s for s in await self.store.list_user(user) if s.id_hash != spare]:
            for each in others:
                ended += await self._finish(self.store.delete(each.id_hash))
        return ended

    async def revoke_handle(self, user_id: str | int, handle: str) -> bool:
        """End the session of a user that `list_user` gave this handle; False if none."""
        user = _values.check_user_id(user_id)
        if all(stored.id_hash != handle for stored in await self.store.list_user(user)):
            return False
        return await self._finish(self.store.delete(handle))

    async def _finish(self, deletion: Coroutine[Any, Any, T]) -> T:
        task = asyncio.ensure_future(deletion)
        self._revocations.add(task)
        task.add_done_callback(self._revocations.discard)
        return await asyncio.shield(task)

    async def list_user(self, user_id: str | int) -> list[SessionInfo]:
        """Return the living sessions of a user, the last seen first."""
        found = await self.store.list_user(_values.check_user_id(user_id))
        now = self.now()
        living = (
            stored
            for stored in found
            if self._is_alive(stored, now, remembered=_REMEMBERED in stored.meta)
        )
        return [_info(stored) for stored in living]

    async def clear_expired(self) -> int:
        """Delete the sessions whose time is over from the store; return how many."""
        return await self.store.clear_expired(self.now())


def _bare_id(cookie: str) -> tuple[str, bool] | None:
    """Return the id in a cookie that nobody signs, as `Signer.unsign` would."""
    return (cookie, True) if _values.is_id(cookie) else None


def _info(stored: StoredSession) -> SessionInfo:
    try:
        meta = _values.parse(stored.meta)
    except ValueError:
        meta = {}
    given = meta if isinstance(meta, dict) else {}
    return SessionInfo(
        handle=stored.id_hash,
        created_at=stored.created_at,
        seen_at=stored.seen_at,
        user_agent=printable(given.get("user_agent", ""), limit=META_LENGTH),
        ip=printable(given.get("ip", ""), limit=META_LENGTH),
        remembered=given.get("remembered") is True,
    )
