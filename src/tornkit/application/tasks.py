"""The tasks of a site: where they are found, which queue is theirs, what runs around them."""

from __future__ import annotations

import asyncio
import sys
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tornkit._uninterrupted import uninterrupted
from tornkit._work import CountedWork, Work, current_work
from tornkit.access import PUBLIC, roles
from tornkit.application.parts import bad_setting
from tornkit.application.stores import bind_of
from tornkit.databases.blocks import open_block
from tornkit.errors import MissingDriver, TaskError
from tornkit.handlers.ops import OpsTask, OpsTasks
from tornkit.handlers.tasks import task_routes
from tornkit.logs import request_id
from tornkit.routing import path
from tornkit.tasks import Tasks, beside, find_tasks, use_tasks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from types import ModuleType

    from sqlalchemy.ext.asyncio import AsyncSession

    from tornkit.application.composer import Application
    from tornkit.databases import Databases
    from tornkit.modules import MountedModule
    from tornkit.routing import Route
    from tornkit.settings import Settings
    from tornkit.tasks import TaskContext, Worker

__all__ = ["SiteWorker", "make_tasks", "routes_of"]

_OWN_FILE = ("sqlite", "memory")
_HURRY = 1.0
"""Seconds that tasks have in development, where somebody waits for the site to start anew."""


def make_tasks(
    application: Application, package: str, modules: Iterable[MountedModule]
) -> Tasks | None:
    """Return the tasks of a site, with their queue closed; None where there are none.

    Args:
        application: what they find as ``ctx.app``; its databases are made already.
        package: the site's package, or "".
        modules: those of the site.

    Raises:
        SettingsError: ``tasks.queue`` names no queue, or nothing names the site in it.
        MissingDriver: SAQ, or the queue's driver, is not installed.
        TaskError: a task that cannot be used, or two of one name.
        UserCodeError: a file of tasks raised while it was imported.
    """
    sources: list[str | ModuleType] = [package] if package else []
    found = find_tasks(*sources, *_loaded(modules))
    if not found:
        return None
    settings = application.config
    url = _queue_url(settings)
    name = settings.tasks.name or package
    try:
        tasks = Tasks(
            url,
            found,
            name=name or "default",
            app=application,
            around=_around(application),
            open_sessions=_open_sessions(application.databases),
            timezone=settings.tasks.timezone,
            lease=settings.tasks.lease,
        )
    except MissingDriver as missing:
        first = found[0]
        raise MissingDriver(
            f"task {first.name} ({first.place}): {missing.message}",
            hint=missing.hint,
        ) from None
    except TaskError as refused:
        if refused.check_id != "tasks.queue":
            raise
        raise _bad_queue(settings, refused) from None
    if not name and url.partition(":")[0] not in _OWN_FILE:
        # Sites of one name would take each other's jobs.
        raise bad_setting(
            settings,
            "tasks.name",
            "",
            "expected a name for the site's tasks on their server",
            "give it one, or pass modules= as the name of a package",
        )
    return tasks


def routes_of(tasks: Tasks | None, settings: Settings) -> list[Route]:
    """Return what a site with tasks answers by itself: to owners, and to those who run it."""
    if tasks is None:
        return []
    routes = [replace(each, name=f"tasks:{each.name}") for each in task_routes(access=PUBLIC)]
    if settings.tasks.ops_roles:
        door = roles(*settings.tasks.ops_roles)
        routes += [
            path("/ops/tasks", OpsTasks, name="ops:tasks", access=door),
            path("/ops/tasks/{job_id}", OpsTask, name="ops:task", access=door),
        ]
    return routes


class SiteWorker:
    """The worker in the process that serves the site, where there is one.

    Args:
        tasks: those of the site.
        settings: likewise.
    """

    def __init__(self, tasks: Tasks | None, settings: Settings) -> None:
        self._tasks = tasks
        self._settings = settings
        self._worker: Worker | None = None
        self._stopping: asyncio.Task[None] | None = None

    async def begin(self, asked: bool | None) -> None:
        """Run tasks from here on, if that was asked for or else if the settings say so."""
        settings, development = self._settings.tasks, self._settings.environment == "development"
        if asked is None:
            asked = development if settings.run_in_site is None else settings.run_in_site
        if self._tasks is None or not asked:
            return
        timeout = settings.shutdown_timeout
        self._worker = self._tasks.worker(
            concurrency=settings.concurrency,
            shutdown_timeout=min(timeout, _HURRY) if development else timeout,
        )
        await self._worker.begin()

    def begin_stopping(self) -> None:
        """Claim no more jobs; those that run may end while requests do."""
        if self._worker is not None and self._stopping is None:
            self._stopping = asyncio.create_task(self._worker.stop())

    async def stop(self) -> None:
        """Return when no task runs here any more."""
        self.begin_stopping()
        stopping, self._stopping, self._worker = self._stopping, None, None
        if stopping is not None:
            await uninterrupted(stopping)


def _loaded(modules: Iterable[MountedModule]) -> list[ModuleType]:
    """Return the files of modules that are imported by now: a task may stand beside a handler."""
    names = {module.package for module in modules}
    below = tuple(f"{name}." for name in names)
    known = sorted(name for name in sys.modules if name in names or name.startswith(below))
    return [sys.modules[name] for name in known if sys.modules[name] is not None]


def _queue_url(settings: Settings) -> str:
    url = settings.task_queue_url()
    bind = bind_of(url)
    if bind is None:
        return url
    urls = settings.database_urls()
    if bind not in urls:
        known = ", ".join(f"database://{name}" for name in urls)
        raise bad_setting(
            settings, "tasks.queue", url, f"expected {known} or the URL of a queue of its own"
        )
    try:
        return beside(urls[bind])
    except TaskError as refused:
        raise _bad_queue(settings, refused) from None


def _bad_queue(settings: Settings, refused: TaskError) -> Exception:
    url = settings.tasks.queue
    scheme = url.partition("://")[0]
    shown = url if scheme in ("database", *_OWN_FILE) else f"{scheme}://…"
    return bad_setting(settings, "tasks.queue", shown, refused.message, refused.hint)


def _open_sessions(databases: Databases) -> Callable[[], Sequence[AsyncSession]]:
    def open_sessions() -> list[AsyncSession]:
        """Return the sessions of the blocks that write, around whoever enqueues."""
        blocks = (open_block(each, inherited=True) for each in databases.sql.values())
        return [
            block.session
            for block in blocks
            if block is not None and block.session is not None and not block.read_only
        ]

    return open_sessions


def _around(application: Application) -> Callable[[TaskContext], Any]:
    kind = CountedWork if application.config.debug else Work

    @contextmanager
    def around(context: TaskContext) -> Iterator[None]:
        """Have log lines, counted queries and further jobs belong to the job that runs."""
        named = request_id.set(context.job_id)
        working = current_work.set(kind(f"task {context.name}", application.cache))
        try:
            if application.tasks is None:
                yield
            else:
                with use_tasks(application.tasks):
                    yield
        finally:
            current_work.reset(working)
            request_id.reset(named)

    return around
