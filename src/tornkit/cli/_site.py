"""What commands share: the options that find the application, and its resources."""

from __future__ import annotations

import contextlib
import functools
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar, cast

import click

from tornkit._project import Project, find_project, load_application
from tornkit.errors import StartError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence

    from tornkit.application import Application

__all__ = [
    "Site",
    "echo",
    "echo_json",
    "is_site",
    "opened",
    "print_table",
    "run_async",
    "site_options",
]

P = ParamSpec("P")
R = TypeVar("R")

ENVIRONMENTS = ("development", "testing", "production")


@dataclass(frozen=True, slots=True)
class Site:
    """The application that the options name; nothing is imported before `load`."""

    app: str | None = None
    environment: str | None = None

    def find(self) -> Project:
        """Find the project without importing it."""
        return find_project(self.app)

    def load_any(self, overrides: Mapping[str, object] | None = None) -> Any:
        """Import the project and return its application, of tornkit or plain Tornado.

        Args:
            overrides: settings that the command line gives, by dotted key.
        """
        project = self.find()
        from tornkit.settings import command_line  # noqa: PLC0415

        _hush_drivers()

        command_line(overrides or {}, self.environment)
        return load_application(project)

    def load(self, overrides: Mapping[str, object] | None = None) -> Application:
        """Return the application, which has to be tornkit's own.

        Raises:
            StartError: it is a plain Tornado application.
        """
        application = self.load_any(overrides)
        if not is_site(application):
            raise StartError(
                "this command needs a tornkit.Application, and the project has a plain"
                " tornado.web.Application",
                hint="a plain application works with tornkit run, routes and check",
                check_id="app.not-an-application",
            )
        return cast("Application", application)


def _hush_drivers() -> None:
    """Have drivers say nothing before there is a log; a command says in one line what failed."""
    import logging  # noqa: PLC0415  --help does without

    logging.getLogger("psycopg").addHandler(logging.NullHandler())


def is_site(application: object) -> bool:
    """Tell whether an application is a `tornkit.Application`, importing nothing for it."""
    composer = sys.modules.get("tornkit.application.composer")
    return composer is not None and isinstance(application, composer.Application)


def site_options(command: Callable[Concatenate[Site, P], R]) -> Callable[..., R]:
    """Give a command --app and --environment; it receives them as a `Site`."""

    @click.option(
        "--app", metavar="MODULE:NAME", help="The application, or a function that returns it."
    )
    @click.option(
        "--environment", type=click.Choice(ENVIRONMENTS), help="The environment of the settings."
    )
    @functools.wraps(command)
    def wrapped(app: str | None, environment: str | None, *args: P.args, **kwargs: P.kwargs) -> R:
        return command(Site(app, environment), *args, **kwargs)

    return wrapped


def run_async(work: Coroutine[Any, Any, R]) -> R:
    """Run a coroutine to its end."""
    import asyncio  # noqa: PLC0415  slow to import, and --help does without

    return asyncio.run(work)


@contextlib.asynccontextmanager
async def opened(application: Application) -> AsyncIterator[None]:
    """Open databases and stores, bring them up to date as `tornkit run` does, close them after.

    Raises:
        MigrationsPending: a database is not up to date, and may not be migrated unasked.
        MissingDriver: the driver of a database or a store is not installed.
    """
    from tornkit.checks.migrations import bring_up_to_date  # noqa: PLC0415

    application.config.create_paths()
    stores = (application.sessions.store, application.limiter.store)
    await application.databases.open()
    try:
        for line in await bring_up_to_date(application):
            click.echo(line, err=True)
        for store in stores:
            await store.open()
        yield
    finally:
        for store in stores:
            await store.close()
        await application.databases.close()


def echo(text: object) -> None:
    """Print a line with nothing unprintable in it."""
    from tornkit._text import printable  # noqa: PLC0415  imports difflib

    click.echo(printable(text, limit=10_000))


def echo_json(data: object) -> None:
    """Print data as indented JSON."""
    import json  # noqa: PLC0415

    click.echo(json.dumps(data, indent=2, default=str))


def print_table(header: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> None:
    """Print rows in columns as wide as their widest cell."""
    from tornkit._text import printable  # noqa: PLC0415

    cells = [tuple(printable(cell, limit=200) for cell in row) for row in [header, *rows]]
    widths = [max(len(row[column]) for row in cells) for column in range(len(header))]
    for row in cells:
        line = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        click.echo(line.rstrip())
