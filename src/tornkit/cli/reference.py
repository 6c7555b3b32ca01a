"""Print the reference page of the commands: ``python -m tornkit.cli.reference``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from tornkit.cli._main import COMMANDS, cli

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["render"]

HEAD = """\
# Commands

<!-- Written from the commands; `make docs` writes it anew. -->

Every command finds the application by `--app module:name`, else the variable `TORNKIT_APP`,
else `[tool.tornkit] app` in the nearest `pyproject.toml` upward. `--traceback` shows the whole
traceback of an error.

| exit code | means |
|---|---|
| 0 | done |
| 1 | it failed, and says why in one line |
| 2 | bad usage, a bad name, an unknown role |
| 130 | stopped with Ctrl-C |
"""


def render() -> str:
    """Return the page."""
    context = click.Context(cli, info_name="tornkit")
    parts = [HEAD]
    for name in COMMANDS:
        command = cli.get_command(context, name)
        if command is not None:
            parts += _command(command, context, name)
    return "\n".join(parts)


def _command(command: click.Command, parent: click.Context, name: str) -> Iterator[str]:
    context = click.Context(command, info_name=name, parent=parent)
    yield f"## `{context.command_path}`\n"
    usage = " ".join(command.collect_usage_pieces(context))
    yield f"```text\n{context.command_path} {usage}\n```\n"
    yield f"{_text(command.help)}\n"
    rows = [row for each in command.params if (row := _row(each, context))]
    if rows:
        yield "\n".join(["| option | does |", "|---|---|", *rows]) + "\n"
    if command.epilog:
        yield f"Example: `{command.epilog.removeprefix('Example: ')}`\n"
    if isinstance(command, click.Group):
        for child, each in command.commands.items():
            yield from _command(each, context, child)


def _row(parameter: click.Parameter, context: click.Context) -> str:
    record = parameter.get_help_record(context)
    if record is None or not record[1] or "--traceback" in parameter.opts:
        return ""
    return f"| `{record[0].replace('|', ' or ')}` | {record[1].replace('|', ' or ')} |"


def _text(text: str | None) -> str:
    return "\n".join(line.strip() for line in (text or "").replace("\b", "").strip().splitlines())


if __name__ == "__main__":
    click.echo(render(), nl=False)
