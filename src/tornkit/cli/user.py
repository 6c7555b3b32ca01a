"""``tornkit user``: create and change users."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from tornkit._text import did_you_mean, listing, printable
from tornkit.cli._site import Site, echo, opened, print_table, run_async, site_options
from tornkit.errors import AccountError, StartError, UnknownRole, UnknownUser

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tornkit.accounts import Accounts
    from tornkit.application import Application

__all__ = ["user"]


def _address(_context: click.Context, _parameter: click.Parameter, value: str) -> str:
    """Refuse what is no address before anything is loaded or asked for."""
    from tornkit.accounts import normal_email  # noqa: PLC0415  imports SQLAlchemy

    try:
        return normal_email(value)
    except AccountError as refused:
        raise click.BadParameter(str(refused)) from refused


_EMAIL = click.argument("email", callback=_address)
_PASSWORD_STDIN = click.option(
    "--password-stdin", is_flag=True, help="Read the password from standard input."
)


@click.group(
    short_help="Create, change and delete users.",
    epilog="Example: tornkit user create ada@school.example --role teacher",
)
def user() -> None:
    """Create, change and delete users."""


@user.command(epilog="Example: tornkit user create ada@school.example --role teacher")
@_EMAIL
@click.option("--role", "roles", multiple=True, metavar="ROLE", help="A role; repeatable.")
@_PASSWORD_STDIN
@site_options
def create(site: Site, *, email: str, roles: tuple[str, ...], password_stdin: bool) -> None:
    """Create a user; the password is asked for."""
    application = site.load()
    _check_roles(application, roles)
    password = _password(from_stdin=password_stdin)

    async def work(accounts: Accounts[Any]) -> None:
        created = await accounts.create(email, password, roles=roles)
        echo(f"Created {created.email} with {_roles(created)}.")

    _with_accounts(application, work)


@user.command(epilog="Example: tornkit user password ada@school.example")
@_EMAIL
@_PASSWORD_STDIN
@site_options
def password(site: Site, *, email: str, password_stdin: bool) -> None:
    """Change a user's password and end the user's sessions."""
    application = site.load()
    chosen = _password(from_stdin=password_stdin)

    async def work(accounts: Accounts[Any]) -> None:
        found = await _known(accounts, email)
        await accounts.set_password(found, chosen)
        echo(f"Changed the password of {found.email}; all sessions are ended.")

    _with_accounts(application, work)


@user.command(epilog="Example: tornkit user disable ada@school.example")
@_EMAIL
@site_options
def disable(site: Site, *, email: str) -> None:
    """Keep a user out, and end the user's sessions."""

    async def work(accounts: Accounts[Any]) -> None:
        found = await _known(accounts, email)
        await accounts.set_active(found, False)
        echo(f"Disabled {found.email}; all sessions are ended.")

    _with_accounts(site.load(), work)


@user.command(epilog="Example: tornkit user enable ada@school.example")
@_EMAIL
@site_options
def enable(site: Site, *, email: str) -> None:
    """Let a disabled user sign in again."""

    async def work(accounts: Accounts[Any]) -> None:
        found = await _known(accounts, email)
        await accounts.set_active(found, True)
        echo(f"Enabled {found.email}.")

    _with_accounts(site.load(), work)


@user.command(epilog="Example: tornkit user delete ada@school.example")
@_EMAIL
@click.option("--yes", is_flag=True, help="Do not ask.")
@site_options
def delete(site: Site, *, email: str, yes: bool) -> None:
    """Delete a user, with roles and sessions."""
    if not yes and not _has_terminal():
        raise click.UsageError("there is no terminal to ask whether to delete; use --yes")
    application = site.load()

    async def work(accounts: Accounts[Any]) -> None:
        found = await _known(accounts, email)
        if not yes:
            click.confirm(f"Delete {found.email} for good?", abort=True, err=True)
        await accounts.delete(found)
        echo(f"Deleted {found.email}.")

    _with_accounts(application, work)


@user.command(epilog="Example: tornkit user roles ada@school.example --add principal")
@_EMAIL
@click.option("--add", multiple=True, metavar="ROLE", help="A role to give; repeatable.")
@click.option("--remove", multiple=True, metavar="ROLE", help="A role to take; repeatable.")
@site_options
def roles(site: Site, *, email: str, add: tuple[str, ...], remove: tuple[str, ...]) -> None:
    """Show or change a user's roles; a change acts at the user's next request."""
    application = site.load()
    _check_roles(application, add)

    async def work(accounts: Accounts[Any]) -> None:
        if add or remove:
            await accounts.change_roles(email, add=add, remove=remove)
        found = await _known(accounts, email)
        echo(f"{found.email} has {_roles(found)}.")

    _with_accounts(application, work)


@user.command("list", epilog="Example: tornkit user list")
@site_options
def list_users(site: Site) -> None:
    """List the users."""

    async def work(accounts: Accounts[Any]) -> None:
        rows = [
            (str(each.id), each.email, ", ".join(sorted(each.roles)) or "-", _active(each))
            for each in await accounts.list()
        ]
        print_table(("id", "email", "roles", "active"), rows)

    _with_accounts(site.load(), work)


def _with_accounts(
    application: Application, work: Callable[[Accounts[Any]], Awaitable[None]]
) -> None:
    accounts = application.accounts
    if accounts is None:
        raise StartError(
            "the application has no users",
            hint="give it one: Application(settings, modules=..., user_model=User)",
            check_id="accounts.no-user-model",
        )

    async def run() -> None:
        async with opened(application):
            await work(accounts)

    run_async(run())


async def _known(accounts: Accounts[Any], email: str) -> Any:
    found = await accounts.get(email)
    if found is None:
        raise UnknownUser(
            f"there is no user {printable(email)!r}", hint="tornkit user list shows all of them"
        )
    return found


def _check_roles(application: Application, roles: tuple[str, ...]) -> None:
    """Refuse an unknown role before a password is asked for."""
    known = application.known_roles
    for role in roles:
        if role not in known:
            hint = did_you_mean(role, known) or f"the roles are: {listing(known)}"
            raise UnknownRole(f"no module names the role {printable(role)!r}", hint=hint)


def _password(*, from_stdin: bool) -> str:
    if from_stdin:
        text = sys.stdin.readline().rstrip("\r\n")
        if not text:
            raise click.UsageError("--password-stdin found no password on standard input")
        return text
    if not _has_terminal():
        raise click.UsageError("there is no terminal to ask for a password; use --password-stdin")
    chosen: str = click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
    return chosen


def _has_terminal() -> bool:
    return sys.stdin.isatty()


def _roles(user: Any) -> str:
    names = sorted(user.roles)
    return f"the role{'s' if len(names) > 1 else ''} {', '.join(names)}" if names else "no roles"


def _active(user: Any) -> str:
    return "yes" if user.is_active else "no"
