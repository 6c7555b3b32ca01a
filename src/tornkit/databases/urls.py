"""From a database's URL to the backend that serves it, and to a form fit for showing."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import unquote

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from tornkit._text import did_you_mean, listing, printable
from tornkit.databases.mysql import MySQLBackend
from tornkit.databases.postgresql import PostgreSQLBackend
from tornkit.databases.sqlite import SQLiteBackend
from tornkit.errors import DatabaseError

if TYPE_CHECKING:
    from tornkit.databases.base import Backend, SQLOptions

__all__ = ["backend_for", "masked", "scheme_of"]

_BACKENDS: dict[str, type[Backend]] = {
    "sqlite": SQLiteBackend,
    "postgresql": PostgreSQLBackend,
    "postgres": PostgreSQLBackend,
    "mysql": MySQLBackend,
    "mariadb": MySQLBackend,
}
_SECRETS = ("password", "passwd", "sslpassword")


def scheme_of(name: str, url: str) -> str:
    """Return the scheme of the URL of the bind ``name``.

    Raises:
        DatabaseError: not a URL. It is never quoted, for it may hold a password.
    """
    scheme = url.partition("://")[0].strip()
    if "://" not in url or not scheme:
        raise DatabaseError(
            f"database {name!r}: its setting is not a URL",
            hint="write it like sqlite:///data/site.db or postgresql://user:password@host/name",
            check_id="databases.url",
        )
    return scheme


def backend_for(name: str, url: str, options: SQLOptions) -> Backend:
    """Return the backend that serves the SQL bind ``name`` at ``url``; nothing is opened.

    Raises:
        DatabaseError: not a URL, or a scheme that no backend serves. The URL itself, which
            may hold a password, is never quoted.
    """
    scheme = scheme_of(name, url)
    kind, _, driver = scheme.partition("+")
    backend = _BACKENDS.get(kind)
    if backend is None or (driver and driver != backend.driver.partition("+")[2]):
        near = did_you_mean(kind, _BACKENDS) if backend is None else f"write {kind}://"
        raise DatabaseError(
            f"database {name!r}: no database is known by the scheme {printable(scheme)!r}",
            hint=near or f"use one of {listing(_BACKENDS)}",
            check_id="databases.url",
        )
    return backend(_parse(name, url).set(drivername=backend.driver), options)


def _parse(name: str, url: str) -> URL:
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError) as error:
        del error
        parsed = None
    if parsed is None:  # outside the handler: the parser's error may quote the password
        raise DatabaseError(
            f"database {name!r}: its URL cannot be read",
            hint="percent-encode special characters in the user and the password",
            check_id="databases.url",
        )
    if parsed.get_backend_name() == "sqlite" and parsed.database:
        # SQLAlchemy decodes the file's name from 2.1 on; here it always is.
        path = url.partition("://")[2].partition("?")[0]
        return parsed.set(database=unquote(path.removeprefix("/")))
    return parsed


def masked(url: URL) -> str:
    """Return the URL without its password, also where it stands in the query."""
    hidden = {key: "***" for key in url.query if key.lower() in _SECRETS}
    shown = url.set(drivername=url.get_backend_name()).update_query_dict(hidden)
    return shown.render_as_string(hide_password=True).replace("%2A%2A%2A", "***")
