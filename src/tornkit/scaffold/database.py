"""Read the URL given to ``new --database``, and keep its password out of committed files."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from tornkit._text import did_you_mean, listing, printable
from tornkit.errors import BadName

__all__ = ["DEFAULT_DATABASE", "DatabaseURL", "database_url"]

_EXTRAS = {"sqlite": "", "postgresql": "postgresql", "mysql": "mysql"}
_OTHER_NAMES = {"postgres": "postgresql", "pgsql": "postgresql", "mariadb": "mysql"}
_SECRET_OPTION = re.compile(r"pass|secret|token", re.IGNORECASE)
_UNSAFE = re.compile(r"[\s\"'\\#$`]")
_PLACEHOLDER = "PASSWORD"


@dataclass(frozen=True, slots=True)
class DatabaseURL:
    """A database's URL in three forms: to commit, to keep, to show as an example.

    ``secret`` is "" when the URL holds no password; ``extra`` is the extra of tornkit that
    brings the driver, or "".
    """

    public: str
    example: str
    extra: str
    secret: str = ""

    def __repr__(self) -> str:
        return f"DatabaseURL({self.public!r})"


DEFAULT_DATABASE = DatabaseURL("sqlite:///data/site.db", "sqlite:///data/site.db", "")


def database_url(typed: str) -> DatabaseURL:
    """Split a URL into what may be committed and what may not.

    Raises:
        BadName: the scheme is unknown, or the URL cannot be written to a file as it is; the
            message never repeats more than the scheme, for the rest may hold a password.
    """
    scheme, separator, rest = typed.partition("://")
    if not separator:
        raise BadName("--database is not a URL", hint="write one such as sqlite:///data/site.db")
    if scheme not in _EXTRAS:
        raise BadName(f"--database: scheme '{printable(scheme)}' is unknown", hint=_near(scheme))
    if not typed.isprintable():
        raise BadName("--database has control characters", hint="percent-encode them")
    if scheme == "sqlite":
        return _sqlite(typed, rest)
    if _UNSAFE.search(typed):
        advice = "percent-encode blanks, quotes, \\, #, $ and `: a # is %23"
        raise BadName("--database has characters that a URL does not", hint=advice)
    return _server(typed, _EXTRAS[scheme])


def _near(scheme: str) -> str:
    plain = scheme.partition("+")[0].lower()
    plain = _OTHER_NAMES.get(plain, plain)
    if plain in _EXTRAS:
        return f"did you mean {plain!r}?"
    return did_you_mean(scheme, _EXTRAS) or f"known are {listing(_EXTRAS)}"


def _sqlite(typed: str, rest: str) -> DatabaseURL:
    if not rest.startswith("/") or rest == "/":
        advice = "three slashes and a path: sqlite:///data/site.db"
        raise BadName("--database names no SQLite file", hint=advice)
    return DatabaseURL(typed, typed, "")


def _server(typed: str, extra: str) -> DatabaseURL:
    try:
        parts = urlsplit(typed)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise BadName("--database is not a URL", hint="check its host and port") from None
    if "@" in parts.path + parts.query:
        # Whatever stands before it was meant as a password, and cut in two.
        raise BadName(
            "--database has an @ after the host", hint="percent-encode / ? @ as %2F %3F %40"
        )
    name = parts.path.strip("/")
    if not (host or parts.query) or not name:
        advice = f"write {parts.scheme}://USER:PASSWORD@HOST/NAME"
        raise BadName("--database names no server or no database", hint=advice)
    public = _with_password(typed, "")
    if public == typed:
        return DatabaseURL(typed, typed, extra)
    return DatabaseURL(public, _with_password(typed, _PLACEHOLDER), extra, secret=typed)


def _with_password(url: str, password: str) -> str:
    """Return the URL with every password in it replaced, or left out when it is ""."""
    parts = urlsplit(url)
    credentials, at, place = parts.netloc.rpartition("@")
    user, colon, _ = credentials.partition(":")
    if colon:
        credentials = f"{user}:{password}" if password else user
    options = parse_qsl(parts.query, keep_blank_values=True)
    query = parts.query
    if any(_SECRET_OPTION.search(key) for key, _ in options):
        hidden = [(key, password if _SECRET_OPTION.search(key) else it) for key, it in options]
        query = urlencode([(key, it) for key, it in hidden if password or it])
    return urlunsplit(parts._replace(netloc=f"{credentials}{at}{place}", query=query))
