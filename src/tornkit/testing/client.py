"""`Client`: an HTTP client with a cookie jar that can sign in by role."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import httpx

from tornkit.errors import UnknownRole
from tornkit.handlers import SessionUser
from tornkit.handlers.visitor import mark_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tornkit.application import Application
    from tornkit.sessions import Session

__all__ = ["PASSWORD", "Client"]

PASSWORD = "correct horse battery staple"  # noqa: S105 - it guards nothing but tests
"""The password of users that `Client.sign_in` makes."""

_numbers = itertools.count(1)


class Client(httpx.AsyncClient):
    """Send requests to an application under test; redirects are not followed.

    Args:
        application: the started application.
        base_url: where it listens.
        options: further arguments of ``httpx.AsyncClient``.

    Example:
        ``await client.sign_in(role="teacher")``, then ``await client.get("/teacher/")``
    """

    def __init__(self, application: Application, base_url: str, **options: Any) -> None:
        super().__init__(base_url=base_url, trust_env=False, **options)
        self.application = application

    async def sign_in(
        self,
        user: Any = None,
        *,
        role: str | None = None,
        roles: Iterable[str] = (),
        password: str = PASSWORD,
        minutes_ago: float = 0,
    ) -> Any:
        """Sign in as ``user``, or as a new user who holds the given roles; return the user.

        The session is made directly, without the sign-in page; ``password`` is what a new
        user can use there. ``minutes_ago`` is for what needs a recent sign-in.

        Raises:
            UnknownRole: no module of the site names that role.
        """
        wanted = [*roles, *([role] if role else [])]
        application = self.application
        if user is None:
            user = await self._new_user(wanted, password)
        session = application.sessions.begin()
        if application.accounts is None:
            session.sign_in(user.id, sorted(user.roles))
        else:
            session.sign_in(str(user.id), mark=mark_of(user))
        await application.sessions.save(session)
        await self._backdate(session, minutes_ago * 60)
        value = application.sessions.cookie_value(session)
        self.cookies.set(application.site.cookie.name, value, domain=self._domain())
        return user

    async def _backdate(self, session: Session, seconds: float) -> None:
        store = self.application.sessions.store
        stored = await store.load(session.handle or "")
        if stored is not None and seconds:
            await store.delete(stored.id_hash)
            await store.create(replace(stored, created_at=stored.created_at - seconds))

    async def _new_user(self, roles: list[str], password: str) -> Any:
        number = next(_numbers)
        if self.application.accounts is None:
            unknown = set(roles) - self.application.known_roles
            if unknown:
                raise UnknownRole(f"no module names the role {unknown.pop()!r}")
            return SessionUser(f"user{number}", frozenset(roles))
        return await self.application.accounts.create(
            f"user{number}@test.example", password, roles
        )

    def sign_out(self) -> None:
        """Forget every cookie, and with them who was signed in."""
        self.cookies.clear()

    def _domain(self) -> str:
        # http.cookiejar files cookies of a host without dots under "<host>.local".
        host = self.base_url.host
        return host if "." in host else f"{host}.local"
