"""What a process does before it serves or works, whichever of both it does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from tornkit.errors import StartError

if TYPE_CHECKING:
    from tornkit.application import Application
    from tornkit.cli._channel import Inherited

__all__ = ["declines", "refuse_errors", "start"]


def declines(inherited: Inherited | None, reload: bool | None, config: Any) -> bool:
    """Tell the parent that this environment does not reload; it starts over without."""
    if inherited is None or reload or config.environment == "development":
        return False
    inherited.channel.send("no-reload")
    return True


async def refuse_errors(application: Application) -> None:
    """Refuse what would fail later, before anything is opened or changed.

    Raises:
        StartError: the last one that was found; the others are printed.
    """
    # Not above: a plain application does without. A site has imported most of it by now.
    from tornkit import checks  # noqa: PLC0415

    found = checks.errors_only(await checks.look_at(application, databases=False))
    if found:
        for each in found[:-1]:
            click.echo(f"Error: {each}", err=True)
        raise StartError(str(found[-1]), check_id=found[-1].id)


async def start(application: Application, *, run_tasks: bool | None = None) -> None:
    """Bring the databases up to date, begin to log, and start the application.

    Args:
        application: one in which `refuse_errors` found nothing.
        run_tasks: whether a worker begins in it; by default what the settings say.
    """
    from tornkit import logs  # noqa: PLC0415  as above
    from tornkit.checks.migrations import bring_up_to_date  # noqa: PLC0415  as above

    config = application.config
    config.create_paths()
    await application.databases.open()
    try:
        for line in await bring_up_to_date(application):
            click.echo(line, err=True)
        # Not earlier: what is refused is one line, without a log of its undoing.
        logs.configure(
            config.logging, debug=config.debug, log_dir=config.paths.log, level=config.log_level
        )
        await application.startup(run_tasks=run_tasks)
    except BaseException:
        await application.databases.close()
        raise
