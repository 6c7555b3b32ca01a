"""``tornkit run``."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import click

from tornkit.cli._site import Site, site_options

if TYPE_CHECKING:
    from tornkit._project import Project

__all__ = ["reloads", "run", "supervise"]


@click.command(
    short_help="Serve the application.",
    epilog="Example: tornkit run --port 8000",
)
@click.option("--host", metavar="ADDRESS", help="Where to listen; 0.0.0.0 is every address.")
@click.option("--port", type=click.IntRange(0, 65535), help="The port; 0 takes a free one.")
@click.option(
    "--reload/--no-reload",
    default=None,
    help="Restart when a file changes; the default in development.",
)
@site_options
def run(site: Site, *, host: str | None, port: int | None, reload: bool | None) -> None:
    """Serve the application.

    Everything is checked before the port is opened. In development the server restarts when
    code or settings change, and pending migrations of SQLite databases are applied.

    With --app, any tornado.web.Application is served as it is, without settings or a project.
    """
    from tornkit.cli._channel import inherited  # noqa: PLC0415

    given = inherited()
    if given is None and reloads(site, site.find(), reload):
        supervise(site)
    from tornkit.cli._serve import Plan, serve  # noqa: PLC0415  imports tornado

    code = serve(Plan(site, host, port, reload, given))
    sys.stdout.flush()
    raise SystemExit(code)


def reloads(site: Site, project: Project, wanted: bool | None) -> bool:
    """Tell whether to reload, as far as is known without importing the project."""
    if wanted is not None:
        return wanted and _possible(loud=True)
    variable = os.environ.get(f"{project.package.upper()}_ENVIRONMENT", "development")
    environment = site.environment or variable.lower()
    return environment == "development" and _possible(loud=False)


def _possible(*, loud: bool) -> bool:
    import socket  # noqa: PLC0415

    if hasattr(socket, "send_fds"):
        return True
    if loud:
        click.echo("Reloading needs Unix; serving without.", err=True)
    return False


def supervise(site: Site) -> None:
    """Reload until a signal; return only where the environment turns out to want none."""
    from tornkit.cli._supervisor import NO_RELOAD, Supervisor  # noqa: PLC0415

    # -P: the folder the command is typed in is no place to import from.
    command = [sys.executable, "-P", "-m", "tornkit", *sys.argv[1:]]
    code = Supervisor(command, site.find().directory).run()
    if code != NO_RELOAD:
        sys.stdout.flush()
        raise SystemExit(code)
