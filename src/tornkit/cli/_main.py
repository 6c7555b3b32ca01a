"""The ``tornkit`` command: a group that imports a command when it is run or helped.

Nothing heavy may be imported here: ``tornkit --help`` has to answer at once.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["COMMANDS", "LazyGroup", "cli"]

# Command: where it is, and its help text, which a test compares with the command's own.
COMMANDS: dict[str, tuple[str, str]] = {
    "new": ("tornkit.cli.new:new", "Create a project."),
    "add-module": ("tornkit.cli.module:add_module", "Add a module to the project."),
    "remove-module": (
        "tornkit.cli.module:remove_module",
        "Remove a module that add-module wrote, sparing edited files.",
    ),
    "run": ("tornkit.cli.run:run", "Serve the application."),
    "routes": ("tornkit.cli.routes:routes", "List the routes in the order they are matched."),
    "check": ("tornkit.cli.check:check", "Check everything that can be known before starting."),
    "settings": ("tornkit.cli.settings:settings", "Show every setting and where it comes from."),
    "db": ("tornkit.cli.db:db", "Migrate the databases."),
    "user": ("tornkit.cli.user:user", "Create, change and delete users."),
    "sessions": ("tornkit.cli.sessions:sessions", "List and end sessions."),
    "worker": ("tornkit.cli.worker:worker", "Run the tasks of the application."),
    "tasks": ("tornkit.cli.tasks:tasks", "List jobs, try them again, end them."),
    "shell": ("tornkit.cli.shell:shell", "Open a Python prompt inside the application."),
    "info": ("tornkit.cli.info:info", "Show the versions that a bug report needs."),
    "secret": ("tornkit.cli.secret:secret", "Print a new secret key."),
}


class LazyGroup(click.Group):
    """A group whose commands are imported by name, and whose errors are one line."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order of `COMMANDS`."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command."""
        if cmd_name not in COMMANDS:
            return None
        from importlib import import_module  # noqa: PLC0415  the point of being lazy

        module, _, name = COMMANDS[cmd_name][0].partition(":")
        command: click.Command = getattr(import_module(module), name)
        _accept_traceback(command)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command, or name the nearest one."""
        name = args[0]
        if name not in COMMANDS and not name.startswith("-") and not ctx.resilient_parsing:
            from tornkit._text import did_you_mean, printable  # noqa: PLC0415

            near = did_you_mean(name, COMMANDS)
            hint = f"; {near}" if near else ""
            raise click.UsageError(f"there is no command {printable(name)!r}{hint}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])

    def main(  # type: ignore[override]
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        **extra: Any,
    ) -> None:
        """Run, say in one line what failed, and exit."""
        extra.pop("standalone_mode", None)
        state = extra.setdefault("obj", {})
        try:
            code = super().main(args, prog_name, standalone_mode=False, **extra)
            if sys.stdout is not None:  # it is None where the shell closed it
                sys.stdout.flush()
        except SystemExit:
            raise
        except BaseException as error:  # noqa: BLE001  each kind ends in its exit code
            from tornkit.cli._failure import report  # noqa: PLC0415

            code = report(error, full=bool(state.get("traceback")))
        sys.exit(code if isinstance(code, int) else 0)


def _show_version(ctx: click.Context, _parameter: click.Parameter, value: bool) -> None:
    if value and not ctx.resilient_parsing:
        import tornkit  # noqa: PLC0415

        click.echo(f"tornkit {tornkit.__version__}")
        ctx.exit()


def _want_traceback(ctx: click.Context, _parameter: click.Parameter, value: bool) -> None:
    if value and isinstance(ctx.obj, dict):
        ctx.obj["traceback"] = True


def _traceback_option() -> click.Option:
    return click.Option(
        ["--traceback"],
        is_flag=True,
        expose_value=False,
        is_eager=True,
        callback=_want_traceback,
        help="Show the whole traceback of an error.",
    )


def _accept_traceback(command: click.Command) -> None:
    if not any(parameter.name == "traceback" for parameter in command.params):
        command.params.append(_traceback_option())
    if isinstance(command, click.Group):
        for child in command.commands.values():
            _accept_traceback(child)


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 99},
    epilog="Start a site: tornkit new myschool --modules student,teacher --run",
    params=[_traceback_option()],
)
@click.option(
    "--version",
    is_flag=True,
    expose_value=False,
    is_eager=True,
    callback=_show_version,
    help="Show the version.",
)
def cli() -> None:
    """Build large sites on Tornado: one module per kind of user."""
