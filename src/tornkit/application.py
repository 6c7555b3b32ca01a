"""`Application`: settings, modules and resources put together into one Tornado application.

Values travel one way: the settings and the discovered modules come in, each room gets the
part that it needs, and handlers get the result as one `tornkit.handlers.Site`.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

from argon2 import PasswordHasher

from tornkit import logs
from tornkit.accounts import Accounts
from tornkit.databases import Databases, metadata_of
from tornkit.errors import (
    DatabaseError,
    RouteNotFound,
    SessionError,
    SettingProblem,
    SettingsError,
    StoreUnavailable,
    TemplateError,
    check_error_codes,
)
from tornkit.handlers import templates
from tornkit.handlers.fallback import NotFound, adopt
from tornkit.handlers.health import Live, Ready
from tornkit.handlers.site import SessionCookie, Site
from tornkit.handlers.static import StaticHandler
from tornkit.handlers.static_files import StaticFiles
from tornkit.modules import discover, mount, slash_redirects
from tornkit.routing import Route, RoutedApplication, path
from tornkit.sessions import MemoryStore, Sessions, SessionStore
from tornkit.sessions.redis import SCHEMES, RedisStore
from tornkit.sessions.sql import SQLStore

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable
    from types import TracebackType
    from typing import Self

    from sqlalchemy.ext.asyncio import AsyncConnection
    from tornado.web import RequestHandler

    from tornkit.databases import SQLDatabase
    from tornkit.modules import Module, MountedModule
    from tornkit.settings import Settings

__all__ = ["Application"]

_log = logging.getLogger("tornkit.application")
_CLEAR_EXPIRED_FIRST, _CLEAR_EXPIRED_EVERY = 60.0, 3600.0  # seconds
_PING_TIMEOUT = 1.0  # seconds
_FAST_HASHER = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


class Application(RoutedApplication):
    """A site: its modules found and guarded, its databases, sessions and users at hand.

    Args:
        settings: the loaded settings.
        modules: the dotted name of the package that holds the modules, or the modules.
        user_model: the project's class of users; without one, sessions hold the roles.
        tornado_settings: further settings of ``tornado.web.Application``.

    Raises:
        DiscoveryError: a module that cannot be mounted.
        RouteError: routes that collide or cannot be compiled.
        UserCodeError: a module of the project raised while it was imported.
        SettingsError: the session store's URL does not work.

    Example:
        >>> def create_app(settings=None):
        ...     return Application(settings or Settings.load(), modules="myschool.modules")
    """

    def __init__(
        self,
        settings: Settings,
        *,
        modules: str | Iterable[Module],
        user_model: type[Any] | None = None,
        **tornado_settings: Any,
    ) -> None:
        self.config = settings
        self.modules = _modules(modules, settings)
        check_error_codes()
        self.known_roles = _roles_of(self.modules)
        package = modules.rpartition(".")[0] if isinstance(modules, str) else ""
        folder = _folder_of(package)
        self.databases = _databases(settings, package, folder, user_model)
        self.accounts = self._accounts(user_model)
        self.sessions = self._sessions()
        self.templates = templates.create_environment(
            _existing(folder, "templates"),
            {each.url_path: each.templates for each in self.modules if each.templates},
            debug=settings.debug,
        )
        super().__init__(
            [
                path("/static/{path:path}", StaticHandler, name="static"),
                path("/health/live", Live),
                path("/health/ready", Ready),
                *(route for module in _catch_all_last(self.modules) for route in module.routes),
                *slash_redirects(self.modules),
            ],
            **{**self._tornado_settings(), **tornado_settings},
        )
        self.site = Site(
            debug=settings.debug,
            config=settings,
            databases=self.databases,
            sessions=self.sessions,
            cookie=_cookie(settings, package),
            accounts=self.accounts,
            templates=self.templates,
            static=StaticFiles(
                _existing(folder, "static"),
                {each.url_path: each.static for each in self.modules if each.static},
                prefix="/static/",
            ),
            login_url=self.settings.get("login_url") or self._login_url(),
            allowed_hosts=tuple(settings.allowed_hosts),
        )
        self._draining = False
        self._sweeper: asyncio.Task[None] | None = None

    # --- parts ---------------------------------------------------------------------------

    def _accounts(self, user_model: type[Any] | None) -> Accounts[Any] | None:
        if user_model is None:
            return None
        # Tests sign users in by the dozen; their passwords guard nothing.
        hasher = _FAST_HASHER if self.config.environment == "testing" else None
        open_session = self.databases["default"].session
        return Accounts(user_model, open_session, self.known_roles, hasher=hasher)

    def _sessions(self) -> Sessions:
        settings = self.config.session
        return Sessions(
            self._store(settings.store),
            idle_timeout=settings.idle_timeout,
            absolute_timeout=settings.absolute_timeout,
            touch_interval=settings.touch_interval,
        )

    def _store(self, url: str) -> SessionStore:
        scheme, _, rest = url.partition("://")
        if url == "memory://":
            return MemoryStore()
        if scheme == "database" and rest in self.databases:
            return SQLStore(_connect_apart(self.databases[rest]))
        known = ", ".join(f"database://{name}" for name in self.databases)
        expected, hint = f"expected memory://, {known} or redis://host:6379/0", ""
        if scheme in SCHEMES:
            try:
                return RedisStore(url)
            except SessionError as refused:
                expected, hint = refused.message, refused.hint
        # Any other URL may hold a password.
        shown = url if scheme in ("memory", "database") or not rest else f"{scheme}://…"
        problem = SettingProblem(
            key="session.store",
            origin=self.config.origins.get("session.store", "default"),
            found=repr(shown),
            expected=expected,
            hint=hint,
        )
        raise SettingsError([problem])

    def _tornado_settings(self) -> dict[str, Any]:
        return {
            "debug": self.config.debug,
            "autoreload": False,  # `tornkit run` watches from outside, and survives errors
            "cross_origin_protection": True,
            "trusted_origins": list(self.config.trusted_origins),
            "default_handler_class": NotFound,
        }

    def _login_url(self) -> str | None:
        try:
            return self.reverse_url("account:login")
        except RouteNotFound:
            return None

    def check_templates(self) -> list[TemplateError]:
        """Return what is wrong with the templates of the site; an empty list if nothing is."""
        return templates.check(self.templates)

    # --- requests ------------------------------------------------------------------------

    def get_handler_delegate(
        self, request: Any, target_class: type[RequestHandler], *args: Any, **kwargs: Any
    ) -> Any:
        """Return Tornado's delegate for a handler, with the site beneath a plain one."""
        adopted = adopt(target_class)
        return super().get_handler_delegate(request, adopted, *args, **kwargs)

    def log_request(self, handler: RequestHandler) -> None:
        """Write the access log's line of a finished request."""
        if "log_function" in self.settings:
            super().log_request(handler)
        else:
            logs.log_request(handler.request, handler.get_status())

    # --- life ----------------------------------------------------------------------------

    async def startup(self) -> None:
        """Open what requests need; ``tornkit run`` and the test client call this.

        Raises:
            SettingsError: a folder of ``paths`` cannot be created.
            DatabaseError: a database cannot be opened.
        """
        self.config.create_paths()
        # Only now: reading a generated secret writes its file, and listing routes must not.
        self.settings.setdefault("cookie_secret", self.config.secret.get_secret_value())
        self.compile_routes()
        await self.databases.open()
        await self.sessions.store.open()
        self._draining = False
        self._sweeper = asyncio.create_task(self._clear_expired_sessions())

    async def shutdown(self) -> None:
        """Close what `startup` opened; requests should have ended before."""
        if self._sweeper is not None:
            self._sweeper.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._sweeper
            self._sweeper = None
        await self.sessions.store.close()
        await self.databases.close()

    async def __aenter__(self) -> Self:
        await self.startup()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.shutdown()

    def begin_draining(self) -> None:
        """Report as not ready from here, so that a balancer sends its requests elsewhere."""
        self._draining = True

    async def is_ready(self) -> bool:
        """Tell whether this process takes requests and its databases answer."""
        if self._draining:
            return False
        pings = (database.ping(_PING_TIMEOUT) for database in self.databases.values())
        answers = await asyncio.gather(*pings, return_exceptions=True)
        return not any(isinstance(answer, BaseException) for answer in answers)

    async def _clear_expired_sessions(self) -> None:
        # Soon after the start too, for a site that is restarted often would never come to it.
        pause = _CLEAR_EXPIRED_FIRST
        while True:
            await asyncio.sleep(pause)
            pause = _CLEAR_EXPIRED_EVERY
            try:
                await self.sessions.clear_expired()
            except StoreUnavailable as failure:
                _log.warning("expired sessions could not be cleared: %s", failure)


def _modules(modules: str | Iterable[Module], settings: Settings) -> list[MountedModule]:
    if isinstance(modules, str):
        return discover(modules, installed=settings.installed_modules)
    return mount(modules)


def _catch_all_last(modules: list[MountedModule]) -> list[MountedModule]:
    """Return the modules in match order: a ``/{page:path}`` of home must not hide the others."""
    return sorted(modules, key=lambda module: module.prefix == "")


def _roles_of(modules: Iterable[MountedModule]) -> frozenset[str]:
    """Return the roles that exist: those that a door of the site names."""
    doors = [module.access for module in modules]
    for module in modules:
        routes = (each if isinstance(each, Route) else each.route for each in module.routes)
        doors.extend(route.access for route in routes if route.access is not None)
    return frozenset(role for door in doors for role in door.roles)


def _folder_of(package: str) -> Path | None:
    file = importlib.import_module(package).__file__ if package else None
    return Path(file).parent if file else None


def _existing(folder: Path | None, name: str) -> Path | None:
    return folder / name if folder is not None and (folder / name).is_dir() else None


def _databases(
    settings: Settings, package: str, folder: Path | None, user_model: type[Any] | None
) -> Databases:
    metadata = dict(metadata_of(package)) if package else {}
    if user_model is not None:
        metadata.setdefault("default", user_model.metadata)
    scheme, _, bind = settings.session.store.partition("://")
    return Databases(
        settings.database_urls(),
        migrations=folder / "migrations" if folder else None,
        metadata=metadata,
        library={bind} if scheme == "database" and bind in settings.databases else (),
    )


def _cookie(settings: Settings, package: str) -> SessionCookie:
    secure = settings.environment == "production"
    name = settings.session.cookie_name or f"{package.replace('.', '_') or 'tornkit'}_session"
    return SessionCookie(
        f"__Host-{name}" if secure else name, int(settings.session.absolute_timeout), secure
    )


def _connect_apart(database: SQLDatabase) -> Any:
    """Return ``database.connect`` for sessions, which are saved apart from a handler's block."""

    @contextlib.asynccontextmanager
    async def connect(*, write: bool) -> AsyncIterator[AsyncConnection]:
        if write and database.writing and database.backend.one_writer:
            # This would wait for the block, and the block for this, until a timeout.
            raise SessionError(
                "the session cannot be saved inside a self.db() block that writes",
                hint="count and revoke before or after the block",
            )
        try:
            async with database.connect(write=write) as connection:
                yield connection
        except DatabaseError as failure:
            raise StoreUnavailable(f"the session store does not answer: {failure}") from failure

    return connect
