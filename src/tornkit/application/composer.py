"""`Application`: what puts the parts of a site together.

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

from tornkit import logs
from tornkit.application.health import Health, Part, read
from tornkit.application.parts import (
    make_accounts,
    make_cache,
    make_cookie,
    make_databases,
    make_headers,
    make_health_watchers,
    make_limiter,
    make_mailer,
    make_sessions,
    make_templates,
    secrets_of,
)
from tornkit.application.stores import bind_of
from tornkit.application.tasks import SiteWorker, make_tasks, routes_of
from tornkit.errors import RouteNotFound, StoreUnavailable, TemplateError, check_error_codes
from tornkit.handlers import templates
from tornkit.handlers.bodies import BoundedBody
from tornkit.handlers.fallback import NotFound, adopt
from tornkit.handlers.health import Live, Ready
from tornkit.handlers.site import Site
from tornkit.handlers.static import StaticHandler
from tornkit.handlers.static_files import StaticFiles
from tornkit.modules import discover, mount, slash_redirects
from tornkit.routing import Route, RoutedApplication, path
from tornkit.security.signing import key_version

if TYPE_CHECKING:
    from collections.abc import Iterable
    from contextlib import AbstractAsyncContextManager
    from types import TracebackType
    from typing import Self

    from sqlalchemy.ext.asyncio import AsyncSession
    from tornado.httputil import HTTPServerRequest
    from tornado.web import RequestHandler

    from tornkit.accounts import Accounts
    from tornkit.mail import Transport
    from tornkit.modules import Module, MountedModule
    from tornkit.security.cors import Cors
    from tornkit.sessions import SessionStore
    from tornkit.settings import Settings
    from tornkit.tasks import Tasks

__all__ = ["Application"]

_log = logging.getLogger("tornkit.application")
_CLEAR_EXPIRED_FIRST, _CLEAR_EXPIRED_EVERY = 60.0, 3600.0  # seconds


class Application(RoutedApplication):
    """A site: its modules found and guarded, its databases, sessions and users at hand.

    Args:
        settings: the loaded settings.
        modules: the dotted name of the package that holds the modules, or the modules.
        user_model: the project's class of users; without one, sessions hold the roles.
        session_store: where sessions are kept, in place of the setting ``session.store``.
        mail_transport: how mail leaves, in place of the setting ``mail.url``.
        tornado_settings: further settings of ``tornado.web.Application``.

    Raises:
        DiscoveryError: a module that cannot be mounted.
        RouteError: routes that collide or cannot be compiled.
        UserCodeError: a module of the project raised while it was imported.
        SettingsError: the URL of a store, the task queue or the mail server does not work.
        MissingDriver: the site has tasks, and SAQ is not installed.
        TaskError: a task that cannot be used, or two of one name.

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
        session_store: SessionStore | None = None,
        mail_transport: Transport | None = None,
        **tornado_settings: Any,
    ) -> None:
        self.config = settings
        self.modules = _modules(modules, settings)
        check_error_codes()
        package = modules.rpartition(".")[0] if isinstance(modules, str) else ""
        folder = _folder_of(package)
        self.databases = make_databases(settings, package, folder, user_model)
        self.tasks: Tasks | None = make_tasks(self, package, self.modules)
        own_routes = routes_of(self.tasks, settings)
        self.known_roles = _roles_of(self.modules, own_routes)
        self.sessions = make_sessions(settings, self.databases, session_store)
        self.session_bind = bind_of(settings.session.store) if session_store is None else None
        self.limiter = make_limiter(
            settings,
            self.databases,
            own_sessions=session_store is not None,
            has_users=user_model is not None,
        )
        self.accounts = self._accounts(user_model)
        self.cache = make_cache(settings, package)
        self.mailer = make_mailer(settings, mail_transport)
        self.templates = make_templates(
            settings,
            _existing(folder, "templates"),
            {each.url_path: each.templates for each in self.modules if each.templates},
        )
        super().__init__(
            [
                path("/static/{path:path}", StaticHandler, name="static"),
                path("/health/live", Live),
                path("/health/ready", Ready),
                *own_routes,
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
            cookie=make_cookie(settings, package),
            accounts=self.accounts,
            limiter=self.limiter,
            templates=self.templates,
            static=StaticFiles(
                _existing(folder, "static"),
                {each.url_path: each.static for each in self.modules if each.static},
                prefix="/static/",
                changing=settings.environment != "production",
            ),
            login_url=self.settings.get("login_url") or self._url_of("account:login"),
            confirm_url=self._url_of("account:confirm") or self._url_of("account:login"),
            one_store=session_store is None and not settings.limits.store,
            allowed_hosts=tuple(settings.allowed_hosts),
            mailer=self.mailer,
            cache=self.cache,
            tasks=self.tasks,
            headers=make_headers(settings),
            cors=_cors(self.modules),
            sees_health=make_health_watchers(settings),
        )
        # The classes that answer, with the largest body that each of them takes.
        self._targets: dict[type[RequestHandler], tuple[int, type[RequestHandler]]] = {}
        self.draining = asyncio.Event()
        self._reading: asyncio.Future[Health] | None = None
        self._opened = contextlib.AsyncExitStack()
        self._sweeper: asyncio.Task[None] | None = None
        self._worker = SiteWorker(self.tasks, settings)

    # --- parts ---------------------------------------------------------------------------

    def _accounts(self, user_model: type[Any] | None) -> Accounts[Any] | None:
        if user_model is None:
            return None
        return make_accounts(
            self.config,
            user_model,
            self.known_roles,
            databases=self.databases,
            limiter=self.limiter,
            sessions=self.sessions,
        )

    def _tornado_settings(self) -> dict[str, Any]:
        return {
            "debug": self.config.debug,
            "autoreload": False,  # `tornkit run` watches from outside, and survives errors
            "cross_origin_protection": True,
            "trusted_origins": list(self.config.trusted_origins),
            "default_handler_class": NotFound,
        }

    def _url_of(self, name: str) -> str | None:
        try:
            return self.reverse_url(name)
        except RouteNotFound:
            return None

    def check_templates(self) -> list[TemplateError]:
        """Return what is wrong with the templates of the site; an empty list if nothing is."""
        return templates.check(self.templates)

    # --- requests ------------------------------------------------------------------------

    def get_handler_delegate(
        self,
        request: HTTPServerRequest,
        target_class: type[RequestHandler],
        target_kwargs: dict[str, Any] | None = None,
        path_args: list[bytes] | None = None,
        path_kwargs: dict[str, bytes] | None = None,
    ) -> BoundedBody:
        """Return what runs a handler; beneath a plain one of Tornado's the site is put."""
        known = self._targets.get(target_class)
        if known is None:
            adopted = adopt(target_class)
            own = getattr(adopted, "max_body_size", None)
            known = (self.config.server.max_body_size if own is None else own, adopted)
            self._targets[target_class] = known
        limit, handler = known
        return BoundedBody(
            limit,
            self,
            request,
            handler,
            target_kwargs,
            path_args=path_args,
            path_kwargs=path_kwargs,
        )

    def log_request(self, handler: RequestHandler) -> None:
        """Write the access log's line of a finished request."""
        if "log_function" in self.settings:
            super().log_request(handler)
        else:
            logs.log_request(handler.request, handler.get_status())

    # --- databases ---------------------------------------------------------------------------

    def db(
        self, name: str = "default", *, read_only: bool = False
    ) -> AbstractAsyncContextManager[AsyncSession]:
        """Open a block of database work, as ``self.db()`` does in a handler.

        Example:
            ``async with application.db() as session: session.add(Course(title="Go"))``

        Raises:
            UnknownDatabase: no bind of that name, or one of another kind.
        """
        return self.databases.sql[name].session(read_only=read_only)

    # --- life ----------------------------------------------------------------------------

    async def startup(self, *, run_tasks: bool | None = None) -> None:
        """Open what requests need; ``tornkit run`` and the test client call this.

        Args:
            run_tasks: whether a worker begins here; by default what ``tasks.run_in_site`` says.

        Raises:
            SettingsError: a folder of ``paths`` cannot be created.
            DatabaseError: a database cannot be opened.
            TaskError: there can be no task queue in the file that is named for it.
        """
        self.config.create_paths()
        # Only now: reading a generated secret writes its file, and listing routes must not.
        secrets = secrets_of(self.config)
        self.settings.setdefault("cookie_secret", {key_version(each): each for each in secrets})
        self.settings.setdefault("key_version", key_version(secrets[0]))
        self.compile_routes()
        async with contextlib.AsyncExitStack() as opened:
            # Closed the other way round: a mail that is being made may need a database.
            await self.databases.open()
            opened.push_async_callback(self.databases.close)
            if self.tasks is not None:
                await opened.enter_async_context(self.tasks)
            for part in (
                self.sessions.store,
                self.limiter.store,
                self.cache,
                self.mailer,
            ):
                await part.open()
                opened.push_async_callback(part.close)
            self._opened = opened.pop_all()
        self.draining = asyncio.Event()  # another, for the loop may be another
        self._sweeper = asyncio.create_task(self._clear_expired())
        await self._worker.begin(run_tasks)

    async def shutdown(self) -> None:
        """Close what `startup` opened; requests should have ended before."""
        try:
            await self._worker.stop()
            if self._sweeper is not None:
                self._sweeper.cancel()
                await asyncio.wait([self._sweeper])
                self._sweeper = None
        finally:
            await self._opened.aclose()

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
        """Report as not ready from here, so that a balancer sends its requests elsewhere.

        A worker that runs in the site takes no more jobs.
        """
        self.draining.set()
        self._worker.begin_stopping()

    async def health(self) -> Health:
        """Ask every database and store for a sign of life, all at once, for a second at most.

        A process that is about to end asks nobody.
        """
        if self.draining.is_set():
            return Health((), draining=True)
        if self._reading is None or self._reading.done():
            self._reading = asyncio.ensure_future(self._read_health())
        # Anybody may ask: all who do so at one time are told the same.
        return await asyncio.shield(self._reading)

    async def _read_health(self) -> Health:
        parts = [
            Part(f"databases.{name}", bind.ping, bind.required)
            for name, bind in self.databases.items()
        ]
        if self.tasks is not None:
            parts.append(Part("tasks.queue", self.tasks.ping))
        if self.session_bind is None:
            parts.append(Part("session.store", self.sessions.store.ping))
        return Health(await read(parts))

    async def _clear_expired(self) -> None:
        # Soon after the start too, for a site that is restarted often would never come to it.
        pause = _CLEAR_EXPIRED_FIRST
        while True:
            await asyncio.sleep(pause)
            pause = _CLEAR_EXPIRED_EVERY
            for what, kept in (("sessions", self.sessions), ("limits", self.limiter)):
                try:
                    await kept.clear_expired()
                except StoreUnavailable as failure:
                    _log.warning("expired %s could not be cleared: %s", what, failure)
                except Exception:  # noqa: BLE001 - a store of the project's own may raise anything
                    _log.exception("expired %s could not be cleared", what)


def _modules(modules: str | Iterable[Module], settings: Settings) -> list[MountedModule]:
    if isinstance(modules, str):
        return discover(modules, installed=settings.installed_modules, settings=settings)
    return mount(modules, settings=settings)


def _catch_all_last(modules: list[MountedModule]) -> list[MountedModule]:
    """Return the modules in match order: a ``/{page:path}`` of home must not hide the others."""
    return sorted(modules, key=lambda module: module.prefix == "")


def _roles_of(modules: Iterable[MountedModule], own: Iterable[Route]) -> frozenset[str]:
    """Return the roles that exist: those that a door of the site names."""
    doors = [module.access for module in modules]
    doors.extend(route.access for route in own if route.access is not None)
    for module in modules:
        routes = (each if isinstance(each, Route) else each.route for each in module.routes)
        doors.extend(route.access for route in routes if route.access is not None)
    return frozenset(role for door in doors for role in door.roles)


def _folder_of(package: str) -> Path | None:
    file = importlib.import_module(package).__file__ if package else None
    return Path(file).parent if file else None


def _existing(folder: Path | None, name: str) -> Path | None:
    return folder / name if folder is not None and (folder / name).is_dir() else None


def _cors(modules: Iterable[MountedModule]) -> list[tuple[str, Cors | None]]:
    """Return what answers below a module's prefix where no route does, the longest first."""
    known = [(f"{module.prefix}/", module.cors) for module in modules]
    return sorted(known, key=lambda item: -len(item[0])) if any(cors for _, cors in known) else []
