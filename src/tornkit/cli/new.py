"""``tornkit new``: write a project."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click

import tornkit

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tornkit.scaffold.answers import ProjectAnswers

__all__ = ["new"]


@click.command(
    epilog="Example: tornkit new myschool --modules student,teacher --run",
)
@click.argument("name")
@click.option(
    "--modules",
    metavar="A,B",
    default="",
    help="Modules to begin with, each for the role of its name.",
)
@click.option(
    "--database", metavar="URL", help="The database: sqlite (default), postgresql or mysql."
)
@click.option("--directory", metavar="DIR", help="The project's folder, instead of ./NAME.")
@click.option("--minimal", is_flag=True, help="Leave accounts and the database out.")
@click.option("--dry-run", is_flag=True, help="Only show what would be written.")
@click.option("--run", is_flag=True, help="Serve the project at once.")
def new(
    *,
    name: str,
    modules: str,
    database: str | None,
    directory: str | None,
    minimal: bool,
    dry_run: bool,
    run: bool,
) -> None:
    """Create a project."""
    from tornkit.scaffold.plan import plan_project  # noqa: PLC0415 - --help does without
    from tornkit.scaffold.write import check_target, write_project  # noqa: PLC0415

    if minimal and database:
        raise click.UsageError("--minimal leaves the database out: give it or --database")
    if dry_run and run:
        raise click.UsageError("--dry-run writes nothing that --run could serve")
    answers = _answers(name, modules, database, minimal=minimal)
    target = _target(directory, name)
    check_target(target)
    files = plan_project(answers, tornkit.__version__)
    if dry_run:
        show_plan(files)
        return
    write_project(files, target)
    _tell(answers, target, len(files), run=run)
    if run:
        _serve(target)


def _answers(name: str, modules: str, database: str | None, *, minimal: bool) -> ProjectAnswers:
    from tornkit.scaffold.answers import ModuleAnswers, ProjectAnswers  # noqa: PLC0415
    from tornkit.scaffold.database import DEFAULT_DATABASE, database_url  # noqa: PLC0415
    from tornkit.scaffold.hues import coloured  # noqa: PLC0415
    from tornkit.scaffold.names import module_names, project_name  # noqa: PLC0415

    project = project_name(name)
    named = module_names(modules) if modules else ()
    chosen = database_url(database) if database is not None else DEFAULT_DATABASE
    return ProjectAnswers(
        project,
        coloured(ModuleAnswers(each, "roles", (each.rpartition("/")[2],)) for each in named),
        None if minimal else chosen,
    )


def _target(directory: str | None, name: str) -> Path:
    """Return the project's folder as an absolute path."""
    from tornkit._text import printable  # noqa: PLC0415
    from tornkit.errors import BadName, ScaffoldError  # noqa: PLC0415

    if directory is not None and not (directory.strip() and directory.isprintable()):
        raise BadName(f"--directory '{printable(directory)}' is no folder", hint="name a folder")
    try:
        return Path(os.path.abspath(directory or name))  # noqa: PTH100 - links stay as typed
    except OSError as error:
        raise ScaffoldError("the folder you are in is gone", hint="change to another") from error


def show_plan(paths: Iterable[str]) -> None:
    """Print the files of a dry run."""
    listed = sorted(paths)
    click.echo(f"Would write {len(listed)} files:")
    for path in listed:
        click.echo(f"  {path}")


def _tell(answers: ProjectAnswers, target: Path, count: int, *, run: bool) -> None:
    shown = _from_here(target)
    click.echo(f"Made the project {answers.name.name} in {shown}: {count} files.")
    if answers.package != answers.name.name:
        click.echo(f"Its package is {answers.package}.")
    if answers.modules:
        names = ", ".join(module.name for module in answers.modules)
        click.echo(
            f"Its modules: home, {names}."
            if answers.minimal
            else f"Its modules: home, account, {names}."
        )
    if answers.database and answers.database.secret:
        click.echo("The database's password is in .env, which Git ignores.")
    if not run:
        click.echo("\nNext:")
        click.echo(f"  cd {_quoted(shown)}")
        if answers.database and answers.database.extra:
            click.echo("  pip install -e .")  # brings the driver
            click.echo("  tornkit db upgrade")
        click.echo("  tornkit run")


def _from_here(target: Path) -> str:
    """Return the shorter of the path from here and the absolute one."""
    try:
        return min(os.path.relpath(target), str(target), key=len)
    except ValueError:  # another drive of Windows
        return str(target)


def _quoted(path: str) -> str:
    import shlex  # noqa: PLC0415

    return f'"{path}"' if os.name == "nt" and " " in path else shlex.quote(path)


def _serve(target: Path) -> NoReturn:
    """Become ``tornkit run`` in the project."""
    command = [sys.executable, "-m", "tornkit", "run"]
    sys.stdout.flush()
    os.chdir(target)
    if os.name == "nt":
        import subprocess  # noqa: PLC0415

        raise SystemExit(subprocess.call(command))  # noqa: S603 - our own command
    os.execv(sys.executable, command)  # noqa: S606 - our own command
