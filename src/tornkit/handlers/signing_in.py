"""Signing in and out, and the sessions that a user has elsewhere."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from tornkit.access import PUBLIC
from tornkit.errors import AnswerError, SessionError
from tornkit.handlers.blocks import OpenBlock, surrounding_block
from tornkit.handlers.visitor import SessionUser, VisitorHandler, is_same_user, mark_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tornkit.accounts import Accounts
    from tornkit.sessions import SessionInfo

__all__ = ["SigningInHandler"]

_log = logging.getLogger("tornkit.accounts")


class SigningInHandler(VisitorHandler):
    """Let visitors in and out: ``sign_in``, ``sign_out``, and what they have elsewhere."""

    _entering: Any = None  # who is signed in once the block around it has committed
    _entering_in: OpenBlock | None = None

    @property
    def accounts(self) -> Accounts[Any]:
        """The operations on the site's users.

        Raises:
            SessionError: the application has no ``user_model``.
        """
        if self.site.accounts is None:
            raise SessionError(
                "this application has no accounts",
                hint="give Application(..., user_model=User)",
            )
        return self.site.accounts

    async def authenticate(self, email: str, password: str) -> Any:
        """Return the active user whom this password belongs to, or None.

        Tries are counted by account and by the visitor's address.

        Raises:
            TooManyRequests: too many tries; uncaught, a 429 with ``Retry-After``.
            StoreUnavailable: they cannot be counted; uncaught, a 503.
            SessionError: the application has no ``user_model``.
        """
        if self._session_failure is not None:
            raise self._session_failure  # whoever is right could not be signed in
        return await self.accounts.authenticate(email, password, address=self.request.remote_ip)

    async def sign_in(
        self, user: Any, *, roles: Iterable[str] = (), remember: bool = False
    ) -> None:
        """Sign a user in for this and the following requests, under a new session id.

        Inside a ``self.db()`` block this happens when the block has committed: a user whose
        row is rolled back is never signed in.

        Args:
            user: an object of the ``user_model``; without one, the user's id.
            roles: what the user may enter, only where there is no ``user_model``.
            remember: keep the user signed in for ``session.remember_timeout``, also when the
                browser is closed.

        Raises:
            AnswerError: the headers, and with them the cookie, have left already.
            SessionError: the user has not been stored yet, and so has no id.
        """
        self._refuse_after_headers("sign_in()")
        if self.site.accounts is None:
            user = SessionUser(str(user), frozenset(roles))
        block = surrounding_block(self)
        if block is None:
            self._enter_as(user, remember=remember)
        else:
            self._entering, self._entering_in = (user, remember), block

    def _enter_as(self, user: Any, *, remember: bool) -> None:
        if user.id is None:
            raise SessionError(
                "sign_in() of a user who has no id", hint="add the user to the database first"
            )
        known_by_session = self.site.accounts is None
        self.session.sign_in(
            str(user.id),
            sorted(user.roles) if known_by_session else None,
            mark="" if known_by_session else mark_of(user),
            remember=remember,
        )
        self.current_user = user

    async def confirm_password(self, password: str) -> bool:
        """Tell whether this is the password of who is signed in; if so, sign them in anew.

        What `tornkit.require_recent_sign_in` guards is open again after it. Its tries are
        counted apart from those to sign in, which anybody could use up.

        Raises:
            TooManyRequests: too many tries; uncaught, a 429 with ``Retry-After``.
        """
        user = self.current_user
        if user is None:
            return False
        if not await self.accounts.confirm(user, password, address=self.request.remote_ip):
            return False
        await self.sign_in(user, remember=self.session.remembered)
        return True

    def _block_left(self, block: OpenBlock, *, failed: bool) -> None:
        waits_for = self._entering_in
        if waits_for is None:
            return
        if failed and waits_for.is_within(block):
            self._entering = self._entering_in = None
        elif not failed and waits_for.is_over:
            (user, remember), self._entering, self._entering_in = self._entering, None, None
            self._enter_as(user, remember=remember)

    async def sign_out(self) -> None:
        """End the session; at once, even if this request then fails.

        Inside a ``self.db()`` block it ends with the answer, whether the block commits or not.
        """
        self._refuse_after_headers("sign_out()")
        if self.session.user_id is not None:
            _log.info("signed out: user %s from %s", self.session.user_id, self.request.remote_ip)
        self._entering = self._entering_in = None
        self.session.sign_out()
        self.current_user = None
        if surrounding_block(self) is None:
            await self._sessions.revoke(self.session)

    async def sign_out_everywhere(self, user: Any, *, others_only: bool = False) -> None:
        """End every session of a user, this one included if it is theirs.

        Args:
            user: an object of the ``user_model``, or a user's id.
            others_only: keep this session, under a new id.

        Raises:
            AnswerError: inside a ``self.db()`` block; call it after the block.
        """
        if surrounding_block(self) is not None:
            raise AnswerError(
                "sign_out_everywhere() inside a self.db() block", hint="call it after the block"
            )
        user_id, accounts = str(getattr(user, "id", user)), self.site.accounts
        if accounts is not None:
            user = await accounts.load(user) if isinstance(user, str | int) else user
            if user is not None:  # a new stamp ends them even where the store forgets to
                await accounts.renew_stamp(user)
        is_own = self.session.user_id == user_id
        if not (is_own and others_only):
            await self._sessions.revoke_user(user_id)
            if is_own:
                await self.sign_out()
            return
        await self._sessions.revoke_user(user_id, self.session.handle)
        self.session.renew("" if accounts is None else mark_of(user))

    def signed_in_within(self, seconds: float) -> bool:
        """Tell whether the visitor proved who they are within the last ``seconds``."""
        at = self.session.signed_in_at
        return at is not None and self._sessions.now() - at <= seconds

    async def is_still_admitted(self) -> bool:
        """Tell whether the door would let this visitor in now; for WebSockets and long streams.

        An open connection is one request, however long: what has changed since it came, the
        session's end or the user's roles, is known only to who asks.
        """
        access, sessions, session = self.access, self._sessions, self._session
        if access == PUBLIC:
            return True
        if session is None or session.user_id is None:
            return False
        now = await sessions.load(sessions.cookie_value(session))
        if now.user_id != session.user_id:
            return False
        if self.site.accounts is None:
            return access.admits(now.roles)
        user = await self.site.accounts.load(now.user_id)
        return user is not None and is_same_user(user, now) and access.admits(user.roles)

    async def list_sessions(self) -> list[SessionInfo]:
        """Return the living sessions of who is signed in, the last seen first.

        That of this request is the one whose ``handle`` is ``self.session.handle``.
        """
        user_id = self.session.user_id
        return [] if user_id is None else await self._sessions.list_user(user_id)

    async def end_session(self, handle: str) -> bool:
        """End one session of who is signed in, named as in `list_sessions`; False if none."""
        user_id = self.session.user_id
        if user_id is None:
            return False
        if handle == self.session.handle:
            await self.sign_out()
            return True
        ended = await self._sessions.revoke_handle(user_id, handle)
        if ended:
            _log.info("session ended: user %s from %s", user_id, self.request.remote_ip)
        return ended
