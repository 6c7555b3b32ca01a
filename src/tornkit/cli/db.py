"""``tornkit db``: migrate the databases."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import click

from tornkit._text import printable
from tornkit.cli._site import Site, echo, echo_json, print_table, run_async, site_options
from tornkit.errors import DatabaseError, ScaffoldError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from tornkit.databases import SQLDatabase

__all__ = ["db"]

_BIND = click.option("--bind", metavar="NAME", help="Only this database.")
_ONE_BIND = click.option(
    "--bind", metavar="NAME", default="default", show_default=True, help="Which database."
)


@click.group(short_help="Migrate the databases.", epilog="Example: tornkit db upgrade")
def db() -> None:
    """Migrate the databases.

    The tables of the library come first, then those of the project.
    """


@db.command(epilog='Example: tornkit db revision "add grades"')
@click.argument("message")
@click.option("--empty", is_flag=True, help="Do not compare the models; write an empty revision.")
@_ONE_BIND
@site_options
def revision(site: Site, *, message: str, empty: bool, bind: str) -> None:
    """Write a revision that brings the database to the models."""
    if not message.strip():
        raise click.UsageError("the message is empty; say what the revision does")

    async def work(database: SQLDatabase) -> None:
        try:
            file = await database.migrations.revision(message, autogenerate=not empty)
        except OSError as error:
            raise ScaffoldError(
                f"the revision cannot be written: {printable(error)}", hint="check the folder"
            ) from error
        if file is None:
            echo(f"{database.name}: the models and the database agree; nothing to write.")
        else:
            echo(f"{database.name}: wrote {file}. Read it, then run: tornkit db upgrade")

    _each(site, bind, work)


@db.command(epilog="Example: tornkit db upgrade")
@_BIND
@site_options
def upgrade(site: Site, *, bind: str | None) -> None:
    """Apply the pending revisions of every database."""

    async def work(database: SQLDatabase) -> None:
        applied = await database.migrations.upgrade()
        echo(f"{database.name}: {_done('applied', applied)}.")

    _each(site, bind, work)


@db.command(epilog="Example: tornkit db downgrade --bind archive")
@click.argument("revision", default="-1")
@_ONE_BIND
@site_options
def downgrade(site: Site, *, revision: str, bind: str) -> None:
    """Take back the project's revisions down to REVISION.

    REVISION is an id such as 0003, a number of steps such as -2 (write it after `--`), or
    `base`. By default the last revision is taken back.
    """

    async def work(database: SQLDatabase) -> None:
        taken_back = await database.migrations.downgrade(revision)
        echo(f"{database.name}: {_done('took back', taken_back)}.")

    _each(site, bind, work)


@db.command(epilog="Example: tornkit db status")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for machines.")
@_BIND
@site_options
def status(site: Site, *, as_json: bool, bind: str | None) -> None:
    """Show how far each database has come; nothing is changed."""
    found: list[dict[str, str | list[str] | None]] = []

    async def work(database: SQLDatabase) -> None:
        state = await database.migrations.status()
        found.extend(
            {
                "database": database.name,
                "history": history.name,
                "current": history.current,
                "head": history.head,
                "pending": list(history.pending),
                "unknown": list(history.unknown),
            }
            for history in state.histories
        )

    _each(site, bind, work)
    if as_json:
        echo_json(found)
        return
    header = ("database", "history", "current", "head", "pending", "unknown")
    print_table(header, [tuple(_cell(row[name]) for name in header) for row in found])


@db.command(epilog="Example: tornkit db check")
@_BIND
@site_options
def check(site: Site, *, bind: str | None) -> None:
    """Compare the models with the databases; exit 1 where they differ.

    Each difference is one line. Run it in CI, after `tornkit db upgrade`.
    """
    found: list[str] = []

    async def work(database: SQLDatabase) -> None:
        lines = await database.migrations.differences()
        found.extend(f"{database.name}: {line}" for line in lines)
        if not lines:
            echo(f"{database.name}: models and database agree.")

    _each(site, bind, work)
    for line in found:
        echo(printable(line, limit=500))
    if found:
        raise DatabaseError(
            f"models and databases differ: {len(found)} difference{'s' if len(found) > 1 else ''}",
            hint="to write a revision that brings them together: tornkit db revision MESSAGE",
            check_id="databases.differs",
        )


def _each(site: Site, bind: str | None, work: Callable[[SQLDatabase], Awaitable[None]]) -> None:
    application = site.load()
    chosen = [bind] if bind else list(application.databases.sql)
    databases = [application.databases.sql[name] for name in chosen]
    application.config.create_paths()

    async def run() -> None:
        for database in databases:
            async with _open(database):
                await work(database)

    run_async(run())


@contextlib.asynccontextmanager
async def _open(database: SQLDatabase) -> AsyncIterator[None]:
    await database.open()
    try:
        yield
    finally:
        await database.close()


def _done(verb: str, revisions: list[str]) -> str:
    return f"{verb} {', '.join(revisions)}" if revisions else "nothing to do"


def _cell(value: str | list[str] | None) -> str:
    return (", ".join(value) if isinstance(value, list) else value) or "-"
