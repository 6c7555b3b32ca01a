"""Who is asking: the session, the user behind it, and the door of a route.

`VisitorHandler` loads both before ``prepare()``, lets in or refuses, and saves the session
before the answer leaves. Sessions themselves are kept by `tornkit.sessions`, users by
`tornkit.accounts`.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from tornado.web import HTTPError
from tornado.websocket import WebSocketHandler as TornadoWebSocketHandler

from tornkit.access import PUBLIC
from tornkit.errors import AnswerError, DatabaseError, SessionError, StoreUnavailable
from tornkit.handlers.blocks import OpenBlock, surrounding_block
from tornkit.handlers.lifecycle import LifecycleHandler
from tornkit.handlers.negotiation import wants_json
from tornkit.routing import route_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tornkit.access import Access
    from tornkit.accounts import Accounts
    from tornkit.sessions import Session, Sessions

__all__ = ["SessionUser", "VisitorHandler"]

_log = logging.getLogger("tornkit.handlers")


@dataclass(frozen=True, slots=True)
class SessionUser:
    """The signed-in user of a site that has no ``user_model``: what the session holds."""

    id: str
    roles: frozenset[str]


class VisitorHandler(LifecycleHandler):
    """Know the visitor: ``self.session``, ``self.current_user``, sign-in and the door."""

    uses_session = True
    """False for handlers of public routes that never look at the session: they then cost no
    store access even for visitors who carry a cookie."""

    _session: Session | None = None
    _session_failure: StoreUnavailable | DatabaseError | None = None
    _user: Any = None
    _visitor_read = False
    _entering: Any = None  # who is signed in once the block around it has committed
    _entering_in: OpenBlock | None = None

    # --- what handlers use ---------------------------------------------------------------

    @property
    def session(self) -> Session:
        """The visitor's session, a mapping of names to JSON values.

        Raises:
            SessionError: the application keeps no sessions, or ``uses_session`` is False.
            StoreUnavailable: the store did not answer; uncaught, it becomes a 503.
        """
        if self._session_failure is not None:
            raise self._session_failure
        if self._session is None:
            raise SessionError(
                f"{type(self).__name__} has no session",
                hint="it needs a tornkit.Application and uses_session = True",
            )
        self._visitor_read = True
        return self._session

    @property
    def current_user(self) -> Any:
        """The user who is signed in, with the roles held now, or None."""
        self._visitor_read = True
        if self._user is None:
            return super().current_user
        return self._user

    @current_user.setter
    def current_user(self, value: Any) -> None:
        self._user = self._current_user = value

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

    async def sign_in(self, user: Any, *, roles: Iterable[str] = ()) -> None:
        """Sign a user in for this and the following requests, under a new session id.

        Inside a ``self.db()`` block this happens when the block has committed: a user whose
        row is rolled back is never signed in.

        Args:
            user: an object of the ``user_model``; without one, the user's id.
            roles: what the user may enter, only where there is no ``user_model``.

        Raises:
            AnswerError: the headers, and with them the cookie, have left already.
            SessionError: the user has not been stored yet, and so has no id.
        """
        self._refuse_after_headers("sign_in()")
        if self.site.accounts is None:
            user = SessionUser(str(user), frozenset(roles))
        block = surrounding_block(self)
        if block is None:
            self._enter_as(user)
        else:
            self._entering, self._entering_in = user, block

    def _enter_as(self, user: Any) -> None:
        if user.id is None:
            raise SessionError(
                "sign_in() of a user who has no id", hint="add the user to the database first"
            )
        roles = sorted(user.roles) if self.site.accounts is None else None
        self.session.sign_in(str(user.id), roles)
        self.current_user = user

    def _block_left(self, block: OpenBlock, *, failed: bool) -> None:
        waits_for = self._entering_in
        if waits_for is None:
            return
        if failed and waits_for.is_within(block):
            self._entering = self._entering_in = None
        elif not failed and waits_for.is_over:
            user, self._entering, self._entering_in = self._entering, None, None
            self._enter_as(user)

    async def sign_out(self) -> None:
        """End the session; at once, even if this request then fails.

        Inside a ``self.db()`` block it ends when the block does, committed or not.
        """
        self._refuse_after_headers("sign_out()")
        self.session.sign_out()
        self.current_user = None
        if surrounding_block(self) is None:
            await self._sessions.revoke(self.session)

    async def sign_out_everywhere(self, user: Any) -> None:
        """End every session of a user, this one included if it is theirs.

        Raises:
            AnswerError: inside a ``self.db()`` block; call it after the block.
        """
        if surrounding_block(self) is not None:
            raise AnswerError(
                "sign_out_everywhere() inside a self.db() block", hint="call it after the block"
            )
        user_id = str(getattr(user, "id", user))
        await self._sessions.revoke_user(user_id)
        if self.session.user_id == user_id:
            await self.sign_out()

    async def save_session(self) -> None:
        """Save the session's changes now; for WebSockets and long streams.

        Raises:
            AnswerError: the headers have left and the change would need a new cookie.
        """
        if self._must_settle():
            await self._settle()

    # --- the door ------------------------------------------------------------------------

    @property
    def access(self) -> Access:
        """The rule of entry of the route that led here; PUBLIC where no module declared one."""
        route = route_of(self.request)
        return PUBLIC if route is None or route.access is None else route.access

    async def _open_door(self) -> None:
        access = self.access
        if self.site.sessions is not None and (self.uses_session or access != PUBLIC):
            await self._load_visitor(tolerant=access == PUBLIC)
        if access == PUBLIC:
            return
        user = self.current_user
        if user is None:
            self._turn_stranger_away()
        # A plain handler's own get_current_user may return somebody without roles.
        elif not access.admits(getattr(user, "roles", ())):
            raise HTTPError(403)

    async def _load_visitor(self, *, tolerant: bool) -> None:
        try:
            self._session = await self._sessions.load(
                self.get_cookie(self.site.cookie.name),
                user_agent=self.request.headers.get("User-Agent", ""),
                ip=self.request.remote_ip or "",
            )
            await self._load_user(self._session)
        except (StoreUnavailable, DatabaseError) as failure:
            if not tolerant:
                raise
            # A public page that never asks for the session goes on without it.
            _log.error("%s", failure)
            self._session, self._session_failure = None, failure

    async def _load_user(self, session: Session) -> None:
        user_id = session.user_id
        if user_id is None:
            return
        if self.site.accounts is None:
            self.current_user = SessionUser(user_id, frozenset(session.roles))
            return
        user = await self.site.accounts.load(user_id)
        if user is None:  # deleted, or no longer active
            session.sign_out()
            await self._sessions.revoke(session)
        else:
            self.current_user = user

    def _turn_stranger_away(self) -> None:
        login_url = self.site.login_url
        upgrades = isinstance(self, TornadoWebSocketHandler)
        if login_url is None or upgrades or wants_json(self.request):
            raise HTTPError(401)
        if self.request.method in ("GET", "HEAD"):
            self.redirect(f"{login_url}?next={quote(self.request.uri or '/', safe='')}")
        else:
            self.redirect(login_url, status=303)

    # --- saving --------------------------------------------------------------------------

    @property
    def _sessions(self) -> Sessions:
        sessions = self.site.sessions
        if sessions is None:
            raise SessionError(
                "this application keeps no sessions", hint="use tornkit.Application"
            )
        return sessions

    def _refuse_after_headers(self, what: str) -> None:
        # While they wait for a save, whether a change makes it in would be a matter of luck.
        if self._answer_begun:
            raise AnswerError(
                f"{what} after the headers have left",
                hint="call it before the answer and the first flush()",
            )

    def _must_settle(self) -> bool:
        session = self._session
        if session is None:
            return False
        if session.must_revoke:
            return True
        return self._status_code < 500 and session.needs_save(self._sessions.now())

    async def _settle(self) -> None:
        session = self._session
        if session is None:
            return
        if session.must_revoke:
            await self._sessions.revoke(session)
        if self._status_code < 500 and session.needs_save(self._sessions.now()):
            await self._sessions.save(session)

    def _before_headers(self) -> None:
        session, cookie = self._session, self.site.cookie
        if session is not None and session.cookie == "set":
            self.set_cookie(
                cookie.name,
                session.id or "",
                max_age=cookie.max_age,
                path="/",
                httponly=True,
                secure=cookie.secure,
                samesite="Lax",
            )
        elif session is not None and session.cookie == "clear" and self.get_cookie(cookie.name):
            self.clear_cookie(
                cookie.name, path="/", httponly=True, secure=cookie.secure, samesite="Lax"
            )
        about_one_visitor = self._visitor_read
        if session is not None:
            about_one_visitor = about_one_visitor or session.cookie != "keep"
            session.seal_cookie()
        if about_one_visitor:
            self._add_vary("Cookie")
            if "Cache-Control" not in self._headers:
                self.set_header("Cache-Control", "no-store")
        super()._before_headers()

    def _add_vary(self, name: str) -> None:
        present = [
            part.strip() for part in self._headers.get("Vary", "").split(",") if part.strip()
        ]
        if name.lower() not in (part.lower() for part in present) and "*" not in present:
            self.set_header("Vary", ", ".join([*present, name]))
