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

_SHORT = 12  # characters of a handle, enough to tell a user's sessions apart
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
    """List a user's sessions: since when, from where, with which browser."""

    async def work(application: Application) -> None:
        user = await _user(application, email)
        found = await application.sessions.list_user(user.id)
        print_table(
            ("session", "signed in", "last seen", "from", "browser"),
            [
                (
                    each.handle[:_SHORT],
                    _when(each.created_at),
                    _when(each.seen_at),
                    each.ip or "-",
                    each.browser,
                )
                for each in found
            ],
        )

    _with_sessions(site, work)


@sessions.command(epilog="Example: tornkit sessions revoke --user ada@school.example")
@_USER
@click.option("--session", "handle", metavar="SESSION", help="Only this one, as `list` names it.")
@site_options
def revoke(site: Site, *, email: str, handle: str | None) -> None:
    """End all sessions of a user, or one of them."""

    async def work(application: Application) -> None:
        user = await _user(application, email)
        if handle is None:
            await application.accounts.renew_stamp(user)  # type: ignore[union-attr]
            await application.sessions.revoke_user(user.id)
            echo(f"Ended the sessions of {printable(email)}.")
            return
        known = await application.sessions.list_user(user.id)
        named = [each for each in known if each.handle.startswith(handle)]
        if len(named) != 1 or not handle:
            raise StartError(
                f"{len(named) or 'no'} sessions of {printable(email)} begin with"
                f" {printable(handle)!r}",
                hint="tornkit sessions list shows them",
            )
        await application.sessions.revoke_handle(user.id, named[0].handle)
        echo(f"Ended one session of {printable(email)}.")

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
    from tornkit.sessions import MemoryStore  # noqa: PLC0415  imported late, as in every command

    application = site.load()
    if type(application.sessions.store) is MemoryStore:
        raise StartError(
            "the sessions are kept in the memory of the running server (session.store)",
            hint="choose database://default to see and end them from here",
        )

    async def run() -> None:
        async with opened(application):
            await work(application)

    run_async(run())


async def _user(application: Application, email: str) -> Any:
    if application.accounts is None:
        raise StartError("the application has no users", check_id="accounts.no-user-model")
    user = await application.accounts.get(email)
    if user is None:
        raise UnknownUser(f"no user has the address {printable(email)!r}")
    return user


def _when(seconds: float) -> str:
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
