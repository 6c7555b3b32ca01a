"""MongoDB's URLs, read without its driver: what is in one, and a form fit for showing."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl, unquote

from tornkit._text import printable

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["HINT", "MongoURL", "read_url"]

HINT: Final = (
    "write it like mongodb://user:password@host:27017/name, special characters in the user "
    "and the password percent-encoded"
)
_HOST: Final = re.compile(
    r"(?P<name>\[[0-9A-Fa-f:.]+\]|[^:\[\]@/?#\s]+)(?::(?P<port>[0-9]{1,5}))?"
)
_PORT: Final = 27017
_NAME: Final = re.compile(r"[^/\\. \"$*<>:|?\x00]{1,63}")
_ESCAPED: Final = re.compile(r"(?:[^%@:/?#\[\]\s]|%[0-9A-Fa-f]{2})*")
_REPEATED: Final = frozenset({"readpreferencetags"})
_SECRETS: Final = frozenset({"authmechanismproperties", "tlscertificatekeyfilepassword"})


@dataclass(frozen=True, slots=True)
class MongoURL:
    """What a URL says; ``shown`` is without password and options."""

    shown: str
    database: str
    nodes: frozenset[tuple[str, int]]
    """The servers it names; none, where they are found by DNS."""
    options: Mapping[str, str] = field(repr=False)
    """By their names in lower case."""
    secrets: frozenset[str] = field(repr=False)
    """What no message may quote."""


def read_url(url: str) -> MongoURL:
    """Read ``mongodb://…`` or ``mongodb+srv://…``.

    Raises:
        ValueError: what is wrong with it; the URL is not quoted.
    """
    scheme, _, rest = url.partition("://")
    authority, _, tail = rest.partition("/")
    path, _, query = tail.partition("?")
    user, secrets, hosts = _authority(authority)
    nodes = [_node(host) for host in hosts.split(",")]
    if scheme == "mongodb+srv" and (len(nodes) > 1 or ":" in hosts):
        raise ValueError("with mongodb+srv it names one host, without a port")
    database = unquote(path)
    if not database:
        raise ValueError("it names no database after the host, as in mongodb://host/catalog")
    if not _NAME.fullmatch(database):
        raise ValueError("what follows the host is no name of a database")
    options = _options(query)
    secrets |= {options[name] for name in _SECRETS & options.keys()}
    return MongoURL(
        shown=f"{scheme}://{user}{printable(hosts, limit=200)}/{printable(database)}",
        database=database,
        nodes=frozenset() if scheme == "mongodb+srv" else frozenset(nodes),
        options=options,
        secrets=frozenset(secret for secret in secrets if secret),
    )


def _authority(authority: str) -> tuple[str, set[str], str]:
    """Return who signs in, fit for showing, what is secret of that, and the hosts."""
    userinfo, given, hosts = authority.rpartition("@")
    if not given:
        return "", set(), hosts
    user, colon, password = userinfo.partition(":")
    if not user or not _ESCAPED.fullmatch(user) or not _ESCAPED.fullmatch(password):
        raise ValueError("its user or its password is not percent-encoded")
    mask = ":***@" if colon else "@"
    return printable(unquote(user)) + mask, {password, unquote(password)}, hosts


def _node(host: str) -> tuple[str, int]:
    found = _HOST.fullmatch(host)
    if found is None:
        raise ValueError("it names no host" if not host else "one of its hosts cannot be read")
    port = int(found["port"] or _PORT)
    if not 0 < port < 65536:
        raise ValueError("a port is none from 1 to 65535")
    return unquote(found["name"]).strip("[]").lower(), port


def _options(query: str) -> dict[str, str]:
    options: dict[str, str] = {}
    for name, value in parse_qsl(query, keep_blank_values=True):
        known = name.lower()
        if known in options and known not in _REPEATED:
            raise ValueError(f"it sets {printable(name)} twice")
        if not value:
            raise ValueError(f"it gives {printable(name)} no value")
        options[known] = value
    return options
