"""`Site`: the parts of an application that handlers work with, handed over in one piece."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import jinja2

    from tornkit.accounts import Accounts
    from tornkit.cache import Cache
    from tornkit.databases import Databases
    from tornkit.handlers.static_files import StaticFiles
    from tornkit.mail import Mailer
    from tornkit.security.cors import Cors
    from tornkit.security.headers import SecurityHeaders
    from tornkit.security.limits import Limiter
    from tornkit.sessions import Sessions
    from tornkit.settings import Settings
    from tornkit.tasks import Tasks

__all__ = ["SessionCookie", "Site"]


@dataclass(frozen=True, slots=True)
class SessionCookie:
    """How the session's id travels: the cookie's name, Secure or not."""

    name: str
    secure: bool


def _nobody(address: str) -> bool:
    return False


@dataclass(frozen=True, slots=True)
class Site:
    """Hold what a handler may need; a part that is None is one the application lacks.

    A `BaseHandler` in a plain ``tornado.web.Application`` gets ``Site()``: answers and
    errors work, sessions and databases say that they need a `tornkit.Application`.
    """

    debug: bool = False
    config: Settings | None = None
    databases: Databases | None = None
    sessions: Sessions | None = None
    cookie: SessionCookie = field(default=SessionCookie("session", secure=False))
    accounts: Accounts[Any] | None = None
    limiter: Limiter | None = None
    templates: jinja2.Environment | None = None
    static: StaticFiles | None = None
    login_url: str | None = None
    confirm_url: str | None = None
    one_store: bool = False  # sessions and limits are kept in one place, and fail together
    allowed_hosts: Sequence[str] | None = None
    mailer: Mailer | None = None
    cache: Cache | None = None
    tasks: Tasks | None = None
    headers: SecurityHeaders | None = None
    sees_health: Callable[[str], bool] = field(default=_nobody)
    """Tells by an address who is told which part of the site does not answer."""
    cors: Sequence[tuple[str, Cors | None]] = ()  # by the prefix of a module, the longest first
