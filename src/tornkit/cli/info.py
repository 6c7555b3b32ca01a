"""``tornkit info``."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version

import click

import tornkit
from tornkit.cli._site import print_table

__all__ = ["info"]

_PACKAGES = (
    "tornado",
    "click",
    "jinja2",
    "pydantic",
    "pydantic-settings",
    "msgspec",
    "sqlalchemy",
    "aiosqlite",
    "alembic",
    "argon2-cffi",
    "zxcvbn",
    "uvloop",
    "psycopg",
    "asyncmy",
    "pymongo",
    "redis",
    "saq",
)


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


@click.command(
    short_help="Show the versions that a bug report needs.", epilog="Example: tornkit info"
)
def info() -> None:
    """Show the versions that a bug report needs.

    Only versions are shown: no paths, no settings.
    """
    python = f"{platform.python_implementation()} {platform.python_version()}"
    rows = [
        ("tornkit", tornkit.__version__),
        ("python", python),
        ("system", f"{platform.system()} {platform.machine()}"),
    ]
    print_table(("name", "version"), [*rows, *((name, _version(name)) for name in _PACKAGES)])
