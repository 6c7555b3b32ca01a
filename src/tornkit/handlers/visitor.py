"""Who is asking: the session, the user behind it, and the door of a route.

`VisitorHandler` loads both before ``prepare()``, lets in or refuses, and saves the session
before the answer leaves. Sessions themselves are kept by `tornkit.sessions`, users by
`tornkit.accounts`.
"""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass
from functools import partial
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

    from tornado.httputil import HTTPServerRequest

    from tornkit.access import Access
    from tornkit.accounts import Accounts
    from tornkit.sessions import Session, SessionInfo, Sessions

__all__ = ["SessionUser", "VisitorHandler", "mark_of"]

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
            if self.site.sessions is None or not self.uses_session:
                raise SessionError(
                    f"{type(self).__name__} has no session",
                    hint="it needs a tornkit.Application and uses_session = True",
                )
            # A visitor without a cookie costs nothing before this.
            self._session = self.site.sessions.begin(describe=partial(_describe, self.request))
            if self._headers_written:
                self._session.seal_cookie()
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

    def wants_json(self) -> bool:
        """Tell whether the client asks for JSON rather than for a page; override it for an API."""
        return wants_json(self.request)

    async def authenticate(self, email: str, password: str) -> Any:
        """Return the active user whom this password belongs to, or None.

        Tries are counted by account and by the visitor's address.

        Raises:
            TooManyRequests: too many tries; uncaught, a 429 with ``Retry-After``.
            StoreUnavailable: they cannot be counted; uncaught, a 503.
            SessionError: the application has no ``user_model``.
        """
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

        What `tornkit.require_recent_sign_in` guards is open again after it.

        Raises:
            TooManyRequests: too many tries; uncaught, a 429 with ``Retry-After``.
        """
        user = self.current_user
        if user is None or await self.authenticate(user.email, password) is None:
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

        Inside a ``self.db()`` block it ends when the block does, committed or not.
        """
        self._refuse_after_headers("sign_out()")
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
        user_id = str(getattr(user, "id", user))
        if self.site.accounts is not None and not isinstance(user, str | int):
            # It ends them even where the store forgets to.
            await self.site.accounts.renew_stamp(user)
        is_own = self.session.user_id == user_id
        if not (is_own and others_only):
            await self._sessions.revoke_user(user_id)
            if is_own:
                await self.sign_out()
            return
        await self._sessions.revoke_user(user_id, self.session.handle)
        self.session.renew(self.session.mark if isinstance(user, str | int) else mark_of(user))

    def signed_in_within(self, seconds: float) -> bool:
        """Tell whether the visitor proved who they are within the last ``seconds``."""
        at = self.session.signed_in_at
        return at is not None and self._sessions.now() - at <= seconds

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
        return await self._sessions.revoke_handle(user_id, handle)

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
            cookie = self._session_cookie()
            if cookie is not None:
                await self._load_visitor(cookie, tolerant=access == PUBLIC)
        if access == PUBLIC:
            return
        user = self.current_user
        if user is None:
            self.turn_stranger_away()
        # A plain handler's own get_current_user may return somebody without roles.
        elif not access.admits(getattr(user, "roles", ())):
            raise HTTPError(403)

    def _session_cookie(self) -> str | None:
        """Return what the visitor sent under the session cookie's name, the last if several.

        Tornado would read every cookie for it.
        """
        header, name = self.request.headers.get("Cookie"), self.site.cookie.name
        if header is None or name not in header:
            return None
        sent = None
        for pair in header.split(";"):
            key, _, value = pair.partition("=")
            if key.strip() == name:
                sent = value.strip()
        return sent

    async def _load_visitor(self, cookie: str, *, tolerant: bool) -> None:
        try:
            describe = partial(_describe, self.request)
            session = await self._sessions.load(cookie, describe=describe)
            self._session = session
            if session.user_id is not None:
                await self._load_user(session, session.user_id)
        except (StoreUnavailable, DatabaseError) as failure:
            if not tolerant:
                raise
            # A public page that never asks for the session goes on without it.
            _log.error("%s", failure)
            self._session, self._session_failure = None, failure

    async def _load_user(self, session: Session, user_id: str) -> None:
        if self.site.accounts is None:
            self.current_user = SessionUser(user_id, frozenset(session.roles))
            return
        user = await self.site.accounts.load(user_id)
        mark = "" if user is None else mark_of(user)
        if user is None or _stamp_in(mark) != _stamp_in(session.mark):
            # Deleted, no longer active, or with another password than at sign-in.
            session.sign_out()
            await self._sessions.revoke(session)
            return
        if mark != session.mark:  # the roles are others: who holds the old id is not let in
            session.renew(mark)
        self.current_user = user

    def turn_stranger_away(self) -> None:
        """Answer somebody who has to sign in first: with the sign-in page, or a 401."""
        login_url = self.site.login_url
        upgrades = isinstance(self, TornadoWebSocketHandler)
        if login_url is None or upgrades or self.wants_json():
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
        session = self._session
        about_one_visitor = self._visitor_read
        if session is not None:
            if session.cookie != "keep":
                about_one_visitor = True
                self._write_cookie(session)
            session.seal_cookie()
        if about_one_visitor:
            self._add_vary("Cookie")
            if "Cache-Control" not in self._headers:
                self._headers["Cache-Control"] = "no-store"
        super()._before_headers()

    def _write_cookie(self, session: Session) -> None:
        cookie, sessions = self.site.cookie, self._sessions
        # The same for both, or a browser keeps the cookie that it is told to clear.
        shape: dict[str, Any] = {
            "path": "/",
            "httponly": True,
            "secure": cookie.secure,
            "samesite": "Lax",
        }
        if session.cookie == "clear":
            self.clear_cookie(cookie.name, **shape)
            return
        age = sessions.cookie_age(session)
        if age is not None:
            shape["max_age"] = math.ceil(age)
        self.set_cookie(cookie.name, sessions.cookie_value(session), **shape)


def _describe(request: HTTPServerRequest) -> dict[str, str]:
    # Of the request: a method of the handler would tie it and its session to each other, and
    # what is tied in a circle waits for the garbage collector.
    return {
        "user_agent": request.headers.get("User-Agent", ""),
        "ip": request.remote_ip or "",
    }


def mark_of(user: Any) -> str:
    """Return what a session keeps of its user: the stamp, and the roles as they were."""
    # Those of a user who was just added need not be loaded; most likely there are none, and
    # otherwise the next request notices.
    rows = vars(user).get("role_rows", ())
    return f"{user.security_stamp}:{','.join(sorted(row.role for row in rows))}"


def _stamp_in(mark: str) -> str:
    return mark.partition(":")[0]
