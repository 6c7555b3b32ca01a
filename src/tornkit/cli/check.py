"""``tornkit check``."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from tornkit.cli._site import Site, echo, echo_json, is_site, run_async, site_options
from tornkit.errors import SettingsError, TornkitError, UserCodeError

if TYPE_CHECKING:
    from tornkit.checks import Message

__all__ = ["check"]


@click.command(
    short_help="Check everything that can be known before starting.",
    epilog="Example: tornkit check --deploy",
)
@click.option("--deploy", is_flag=True, help="Also check what production needs.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for machines.")
@site_options
def check(site: Site, *, deploy: bool, as_json: bool) -> None:
    """Check everything that can be known before starting.

    Settings, modules, routes, templates, databases and roles are looked at; no port is
    opened for long, and nothing is changed. The exit code is 1 where there is an error.

    With --deploy all of it is done as production would: with its settings, whatever
    --environment says, and with many more questions about safety.
    """
    from tornkit.checks import errors_only  # noqa: PLC0415  imports tornado

    messages, failure = _messages(site, deploy=deploy)
    failed = bool(errors_only(messages))
    if as_json:
        echo_json({"ok": not failed, "messages": [message.as_json() for message in messages]})
    else:
        _print(messages, failure)
    raise SystemExit(1 if failed else 0)


def _messages(site: Site, *, deploy: bool) -> tuple[list[Message], TornkitError | None]:
    from tornkit import checks  # noqa: PLC0415

    refused: list[Message] = []
    try:
        if deploy:
            refused, application = _load_for_production(site)
        else:
            application = site.load_any()
    except TornkitError as error:
        return checks.from_error(error), error
    if not is_site(application):
        return refused, None  # a plain Tornado application: that it can be built is all we know
    messages = refused + run_async(checks.look_at(application))
    messages += checks.look_at_port(application)
    if deploy:
        messages += checks.look_at_deployment(application)
    return messages, None


def _load_for_production(site: Site) -> tuple[list[Message], Any]:
    """Return what production refuses, and the application built without that.

    Raises:
        TornkitError: it cannot be built for other reasons.
    """
    from tornkit import checks  # noqa: PLC0415

    site = replace(site, environment="production")
    try:
        return [], site.load_any()
    except SettingsError as error:
        mended = checks.mend(error)
        if mended is None:
            raise
        return checks.from_error(error), site.load_any(mended)


def _print(messages: list[Message], failure: TornkitError | None) -> None:
    if isinstance(failure, UserCodeError):
        raise failure  # its own traceback says more than a line
    for message in messages:
        where = f"{message.file}:{message.line}: " if message.file and message.line else ""
        shown = "" if where and f"{message.file}:{message.line}" in str(message) else where
        echo(f"{message.level}: {shown}{message} [{message.id}]")
    if not messages:
        echo("Everything is in order.")
