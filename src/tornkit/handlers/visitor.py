"""Who is asking: the session, the user behind it, and the door of a route.

`VisitorHandler` loads both before ``prepare()``, lets in or refuses, and saves the session
before the answer leaves. Sessions themselves are kept by `tornkit.sessions`, users by
`tornkit.accounts`; how visitors sign in and out is in `tornkit.handlers.signing_in`.
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
from tornkit.handlers.lifecycle import LifecycleHandler
from tornkit.handlers.negotiation import wants_json
from tornkit.routing import route_of

if TYPE_CHECKING:
    from tornado.httputil import HTTPServerRequest

    from tornkit.access import Access
    from tornkit.sessions import Found, Session, Sessions

__all__ = ["SessionUser", "VisitorHandler", "is_same_user", "mark_of"]

_log = logging.getLogger("tornkit.handlers")


@dataclass(frozen=True, slots=True)
class SessionUser:
    """The signed-in user of a site that has no ``user_model``: what the session holds."""

    id: str
    roles: frozenset[str]


class VisitorHandler(LifecycleHandler):
    """Know the visitor: ``self.session``, ``self.current_user`` and the door."""

    uses_session = True
    """False for handlers of public routes that never look at the session: they then cost no
    store access even for visitors who carry a cookie."""

    _session: Session | None = None
    _found: Found | None = None  # the session that came with the visitor, until it is asked for
    _session_failure: StoreUnavailable | DatabaseError | None = None
    _user: Any = None
    _visitor_read = False

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
        session = self._session
        if session is None:
            session = self._session = self._open_session()
        self._visitor_read = True
        return session

    def _open_session(self) -> Session:
        sessions, found = self.site.sessions, self._found
        if sessions is None or not (self.uses_session or found):
            raise SessionError(
                f"{type(self).__name__} has no session",
                hint="it needs a tornkit.Application and uses_session = True",
            )
        # A page that asks for no session does not pay for one.
        describe = partial(_describe, self.request)
        if found is None:
            session = sessions.begin(describe=describe)
        else:
            session, self._found = sessions.open(found, describe=describe), None
        if self._headers_written:
            session.seal_cookie()
        return session

    @property
    def _has_session(self) -> bool:
        """Whether the visitor came with a session, or has got one since."""
        return self._session is not None or self._found is not None

    @property
    def store_failed(self) -> bool:
        """Whether the session's store did not answer this request already."""
        return isinstance(self._session_failure, StoreUnavailable)

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

    def wants_json(self) -> bool:
        """Tell whether the client asks for JSON rather than for a page; override it for an API."""
        return wants_json(self.request)

    async def save_session(self) -> None:
        """Save the session's changes now; for WebSockets and long streams.

        Raises:
            AnswerError: the headers have left and the change would need a new cookie.
        """
        if self._found is not None:
            self._session = self._open_session()  # the store shall hear of a visit that lasts
        if self._must_settle():
            await self._settle()

    # --- the door ------------------------------------------------------------------------

    @property
    def access(self) -> Access:
        """The rule of entry of the route that led here; PUBLIC where no module declared one."""
        route = route_of(self.request)
        return PUBLIC if route is None or route.access is None else route.access

    def _is_open(self) -> bool:
        if "Cookie" in self.request.headers._as_list and self._session_cookie() is not None:
            return False
        access = self.access
        return access is PUBLIC or access == PUBLIC

    async def _open_door(self) -> None:
        access, sessions = self.access, self.site.sessions
        is_public = access is PUBLIC or access == PUBLIC
        if sessions is not None and (self.uses_session or not is_public):
            cookie = self._session_cookie()
            if cookie is not None:
                try:
                    found = self._found = await sessions.find(cookie)
                    if found is None or not found.can_wait:
                        await self._load_visitor(sessions, found)
                except (StoreUnavailable, DatabaseError) as failure:
                    if not is_public:
                        raise
                    # A public page that never asks for the session goes on without it.
                    _log.error("%s", failure)
                    self._found = self._session = None
                    self._session_failure = failure
        if is_public:
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
        sent_cookies = self.request.headers._as_list.get("Cookie")
        if sent_cookies is None:
            return None
        header, name = ",".join(sent_cookies), self.site.cookie.name
        if name not in header:
            return None
        sent = None
        for pair in header.split(";"):
            key, _, value = pair.partition("=")
            # Blanks only: what else Python strips, browsers take for a part of another name.
            if key.strip(" \t") == name:
                sent = value.strip(" \t")
        return sent

    async def _load_visitor(self, sessions: Sessions, found: Found | None) -> None:
        if found is None:
            describe = partial(_describe, self.request)
            self._session = sessions.begin(presented=True, describe=describe)
            return
        session = self._session = self._open_session()
        if session.user_id is not None:
            await self._load_user(session, session.user_id)

    async def _load_user(self, session: Session, user_id: str) -> None:
        if self.site.accounts is None:
            self.current_user = SessionUser(user_id, frozenset(session.roles))
            return
        user = await self.site.accounts.load(user_id)
        if user is None:  # deleted, or no longer active
            session.sign_out()
            await self._sessions.revoke(session)
            return
        if not is_same_user(user, session):
            # With another password than at sign-in. It is left alone, cookie and all: a
            # request beside this one may be about to give it the new stamp.
            describe = partial(_describe, self.request)
            self._session = self._sessions.begin(presented=True, describe=describe)
            return
        mark = mark_of(user)
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
        session, sessions = self._session, self.site.sessions
        if session is None or sessions is None:
            return False
        if self._status_code >= 500:
            return session.must_revoke
        return session.needs_save(sessions.now())

    async def _settle(self) -> None:
        session = self._session
        if session is None:
            return
        if session.must_revoke:
            await self._sessions.revoke(session)
        if self._status_code < 500 and session.needs_save(self._sessions.now()):
            await self._sessions.save(session)

    def compute_etag(self) -> str | None:
        """Return a hash of the body, or None for a page about one visitor: nobody may keep it."""
        if self._visitor_read and "Cache-Control" not in self._headers:
            return None
        return super().compute_etag()

    compute_etag._is_ours = True  # type: ignore[attr-defined]

    def _before_headers(self) -> None:
        session = self._session
        about_one_visitor = self._visitor_read
        if session is not None:
            # A session that could not be deleted keeps its cookie, for another try.
            if session.cookie != "keep" and not session.must_revoke:
                about_one_visitor = True
                # Also where the handler lets caches keep it: they would hand the session out.
                self._headers["Cache-Control"] = "no-store"
                self._write_cookie(session)
            session.seal_cookie()
        if about_one_visitor:
            self._add_vary("Cookie")
            self._headers.begin("Cache-Control", "no-store")
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


def is_same_user(user: Any, session: Session) -> bool:
    """Tell whether a user has the stamp that a session was signed in with."""
    return bool(session.mark.partition(":")[0] == user.security_stamp)
