"""``tornkit secret``."""

from __future__ import annotations

import secrets

import click

__all__ = ["secret"]


@click.command(short_help="Print a new secret key.", epilog="Example: tornkit secret")
def secret() -> None:
    """Print a new secret key.

    The key is 48 random bytes as URL-safe text. Give it to the site as the setting `secret`,
    best through the environment variable or a secrets file, never in a file that is committed.
    """
    click.echo(secrets.token_urlsafe(48))
