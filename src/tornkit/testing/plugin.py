"""The pytest plugin: ``app``, ``client``, ``settings_overrides`` and ``task_clock``.

Nothing of the project is imported before a test asks for a fixture. Settings load for the
environment ``testing``; folders and databases of a test are its own.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

try:
    import pytest_asyncio
except ImportError:  # tornkit is installed without its extra "test"
    pytest_asyncio = None  # type: ignore[assignment]

from tornkit.errors import TaskError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Mapping
    from pathlib import Path

    from tornkit.application import Application
    from tornkit.testing.client import Client
    from tornkit.testing.clocks import TaskClock
    from tornkit.testing.databases import TestDatabases


@pytest.fixture
def settings_overrides() -> dict[str, Any]:
    """Return settings to change, by dotted key; override this fixture to give some."""
    return {}


@pytest.fixture(scope="session")
def tornkit_databases(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestDatabases]:
    """Return the databases of the test run; dropped at its end."""
    from tornkit.testing.databases import TestDatabases  # noqa: PLC0415  only where used

    databases = TestDatabases(tmp_path_factory.mktemp("databases"))
    yield databases
    asyncio.run(databases.drop())


if pytest_asyncio is not None:

    @pytest_asyncio.fixture
    async def app(
        pytestconfig: pytest.Config,
        settings_overrides: dict[str, Any],
        tornkit_databases: TestDatabases,
        tmp_path: Path,
    ) -> AsyncIterator[Application]:
        """Return the project's application, started, with databases of its own."""
        folders = {f"paths.{name}": str(tmp_path / name) for name in ("data", "log", "upload")}
        # Whatever the project sets: a test must not write to people, nor see what others cached.
        own = dict.fromkeys(("mail.url", "cache.store", "tasks.queue"), "memory://")
        # Tasks run where a test says so: `await app.tasks.run_all()`.
        own_tasks = {"tasks.run_in_site": False}
        overrides = {**folders, **own, **own_tasks, **settings_overrides}
        if tornkit_databases.failure is not None:
            raise tornkit_databases.failure
        if not tornkit_databases.is_ready:
            await _prepare(pytestconfig, overrides, tornkit_databases)
        urls = _settings(tornkit_databases.copies(tmp_path))
        application = _create(pytestconfig, {**urls, **overrides})
        async with application:
            urls = application.config.database_urls()
            await tornkit_databases.empty(application.databases, urls)
            yield application

    @pytest_asyncio.fixture
    async def client(app: Application) -> AsyncIterator[Client]:
        """Return a client of ``app``, served on a free port of this machine."""
        from tornado.httpserver import HTTPServer  # noqa: PLC0415  only where used
        from tornado.testing import bind_unused_port  # noqa: PLC0415

        from tornkit.testing.client import Client  # noqa: PLC0415

        listening, port = bind_unused_port()
        server = HTTPServer(app)
        server.add_socket(listening)
        try:
            async with Client(app, f"http://127.0.0.1:{port}") as opened:
                yield opened
        finally:
            server.stop()
            await server.close_all_connections()

    @pytest_asyncio.fixture
    async def task_clock(app: Application) -> TaskClock:
        """Return a clock that stands still, by which the tasks of ``app`` go."""
        from tornkit.testing.clocks import TaskClock  # noqa: PLC0415  only where used

        clock = TaskClock()
        if app.tasks is None:
            raise TaskError(
                "task_clock needs a site with tasks",
                hint="put one into a file tasks.py of the project, or beside a module's handlers",
            )
        app.tasks.queue.clock = clock
        return clock


async def _prepare(
    pytestconfig: pytest.Config, overrides: Mapping[str, Any], databases: TestDatabases
) -> None:
    try:
        configured = _create(pytestconfig, overrides)
        await databases.prepare(configured.databases, configured.config.database_urls())
        application = _create(pytestconfig, {**overrides, **_settings(databases.urls)})
        async with application.databases:
            for database in application.databases.sql.values():
                await database.migrations.upgrade()
    except Exception as failure:
        databases.failure = failure
        raise
    databases.is_ready = True


def _settings(urls: Mapping[str, str]) -> dict[str, str]:
    return {f"databases.{bind}": url for bind, url in urls.items()}


def _create(pytestconfig: pytest.Config, overrides: Mapping[str, Any]) -> Application:
    """Return a new application of the project, with settings for tests."""
    from tornkit._project import find_project, load_application  # noqa: PLC0415  only where used
    from tornkit.settings import command_line  # noqa: PLC0415

    command_line(overrides, "testing")
    application: Any = load_application(find_project(start=pytestconfig.rootpath))
    created: Application = application
    return created
