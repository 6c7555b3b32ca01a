"""``tornkit sessions``: list and end sessions."""

from __future__ import annotations

import datetime
from typing import TYPE_CHECKING, Any

import click

from tornkit._text import printable
from tornkit.cli._site import Site, echo, opened, print_table, run_async, site_options
from tornkit.errors import StartError, UnknownUser

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tornkit.application import Application

__all__ = ["sessions"]

_USER = click.option("--user", "email", metavar="EMAIL", required=True, help="Whose sessions.")


@click.group(
    short_help="List and end sessions.",
    epilog="Example: tornkit sessions revoke --user ada@school.example",
)
def sessions() -> None:
    """List and end sessions."""


@sessions.command("list", epilog="Example: tornkit sessions list --user ada@school.example")
@_USER
@site_options
def list_sessions(site: Site, *, email: str) -> None:
    """List a user's sessions."""

    async def work(application: Application) -> None:
        found = await application.sessions.list_user(await _user_id(application, email))
        rows = [(_when(each.created_at), _when(each.seen_at)) for each in found]
        print_table(("started", "last seen"), rows)

    _with_sessions(site, work)


@sessions.command(epilog="Example: tornkit sessions revoke --user ada@school.example")
@_USER
@site_options
def revoke(site: Site, *, email: str) -> None:
    """End all sessions of a user."""

    async def work(application: Application) -> None:
        await application.sessions.revoke_user(await _user_id(application, email))
        echo(f"Ended the sessions of {printable(email)}.")

    _with_sessions(site, work)


@sessions.command(epilog="Example: tornkit sessions clear")
@site_options
def clear(site: Site) -> None:
    """Delete the sessions whose time is over."""

    async def work(application: Application) -> None:
        await application.sessions.clear_expired()
        echo("Deleted the sessions whose time is over.")

    _with_sessions(site, work)


def _with_sessions(site: Site, work: Callable[[Application], Awaitable[None]]) -> None:
    application = site.load()
    if application.config.session.store.startswith("memory:"):
        raise StartError(
            "the sessions are kept in the memory of the running server (session.store)",
            hint="choose database://default to see and end them from here",
        )

    async def run() -> None:
        async with opened(application):
            await work(application)

    run_async(run())


async def _user_id(application: Application, email: str) -> Any:
    if application.accounts is None:
        raise StartError("the application has no users", check_id="accounts.no-user-model")
    user = await application.accounts.get(email)
    if user is None:
        raise UnknownUser(f"no user has the address {printable(email)!r}")
    return user.id


def _when(seconds: float) -> str:
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
