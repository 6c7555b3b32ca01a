"""The values of the fields that need more than a type: hosts, origins, URLs, defaults."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr

from tornkit.settings._words import Expected

__all__ = [
    "BindName",
    "DatabaseUrl",
    "Host",
    "LogLevel",
    "Origin",
    "Port",
    "default_databases",
    "in_development",
    "local_hosts",
]

LOCAL_HOSTS = ("localhost", "127.0.0.1", "[::1]", ".localhost")
_HOST = re.compile(r"\*|\.?\w(?:[\w.-]*\w)?|\[[0-9A-Fa-f:.]+\]")
_ORIGIN = re.compile(r"https?://(?:[A-Za-z0-9_.-]+|\[[0-9A-Fa-f:.]+\])(?::\d{1,5})?")
_BIND = re.compile(r"[a-z][a-z0-9_-]*")


def _host(value: str) -> str:
    if not _HOST.fullmatch(value):
        raise ValueError(
            "expected a host name such as example.com, or .example.com for its "
            "subdomains too, without scheme, port or path"
        )
    return value


def _origin(value: str) -> str:
    if not _ORIGIN.fullmatch(value):
        raise ValueError("expected an origin such as https://example.com, without a path")
    return value


def _bind(value: str) -> str:
    if not _BIND.fullmatch(value):
        raise ValueError("expected a name of lower-case letters, digits, - and _")
    return value


def _url(value: SecretStr) -> SecretStr:
    if not re.match(r"[a-z][a-z0-9+.]*://", value.get_secret_value()):
        raise ValueError("not a URL")  # databases are secret: the Expected words are shown
    return value


def _upper(value: object) -> object:
    return value.upper() if isinstance(value, str) else value


def in_development(data: dict[str, Any]) -> bool:
    """Return the default of ``debug``."""
    return data.get("environment") == "development"


def local_hosts(data: dict[str, Any]) -> list[str]:
    """Return the default of ``allowed_hosts``."""
    return [] if data.get("environment") == "production" else list(LOCAL_HOSTS)


def default_databases() -> dict[str, SecretStr]:
    """Return the default of ``databases``: one SQLite file."""
    return {"default": SecretStr("sqlite:///data/site.db")}


DatabaseUrl = Annotated[
    SecretStr,
    AfterValidator(_url),
    Expected("a URL such as sqlite:///data/site.db or postgresql://user:password@host/name"),
]
Host = Annotated[str, AfterValidator(_host)]
Origin = Annotated[str, AfterValidator(_origin)]
BindName = Annotated[str, AfterValidator(_bind)]
Port = Annotated[
    int,
    Field(ge=0, le=65_535),
    Expected("a whole number from 1 to 65535, or 0 for any free port"),
]
LogLevel = Annotated[
    Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"], BeforeValidator(_upper)
]
