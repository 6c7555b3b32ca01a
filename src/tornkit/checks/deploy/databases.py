"""Databases across a network, and whom they are asked as."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from tornkit.checks.deploy.findings import about, is_elsewhere

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import URL

    from tornkit.application import Application
    from tornkit.checks.messages import Message

__all__ = ["CHECKS"]

_ENCRYPTED = ("require", "verify-ca", "verify-full")
_SUPERUSERS = {"postgresql": "postgres", "mysql": "root"}


def _servers(application: Application) -> Iterator[tuple[str, str, URL]]:
    """Yield the key, the kind and the URL of each database that is a server, and of the queue."""
    config = application.config
    urls = {f"databases.{name}": url for name, url in config.database_urls().items()}
    if application.tasks is not None:
        urls["tasks.queue"] = config.task_queue_url()
    for key, text in urls.items():
        try:
            url = make_url(text)
        except (ArgumentError, ValueError):
            continue  # told when it is opened
        kind = url.drivername.partition("+")[0]
        kind = {"postgres": "postgresql", "mariadb": "mysql"}.get(kind, kind)
        if kind in _SUPERUSERS:
            yield key, kind, url


def database_unencrypted(application: Application) -> Iterator[Message]:
    """Everything that users entrust to the site crosses the network (ASVS 5.0, 12.3.1)."""
    for key, kind, url in _servers(application):
        host: Any = url.query.get("host", url.host)
        if not isinstance(host, str | None) or not is_elsewhere(host) or _has_tls(kind, url):
            continue
        example = "?sslmode=verify-full" if kind == "postgresql" else "?ssl_ca=/path/of/ca.pem"
        yield about(
            application.config,
            key,
            "deploy.database-unencrypted",
            f"nothing asks for TLS on the way to {host}",
            f"add {example} to the URL",
        )


def service_unencrypted(application: Application) -> Iterator[Message]:
    """What is asked of a service, and what it answers, crosses the network too."""
    for key, url in _by_scheme(application, "http"):
        host = urlsplit(url).hostname
        if is_elsewhere(host):
            yield about(
                application.config,
                key,
                "deploy.database-unencrypted",
                f"nothing asks for TLS on the way to {host}",
                "write https:// in place of http://",
            )


def mongodb_open(application: Application) -> Iterator[Message]:
    """MongoDB asks for neither a password nor TLS unless it is told to."""
    for key, url in _by_scheme(application, "mongodb"):
        user, at, hosts = urlsplit(url).netloc.rpartition("@")
        away = [each for each in hosts.split(",") if is_elsewhere(each.rpartition(":")[0] or each)]
        options = {name.lower(): value for name, value in parse_qsl(urlsplit(url).query)}
        by_certificate = options.get("authmechanism", "").upper() == "MONGODB-X509"
        if away and not (at and ":" in user) and not by_certificate:
            yield about(
                application.config,
                key,
                "deploy.database-password",
                f"{away[0]} is asked without a password: whoever reaches it can read and change"
                " what is kept there",
                "let the server ask for one, and write mongodb://user:password@host",
            )
        if away and "true" not in (options.get("tls"), options.get("ssl")):
            yield about(
                application.config,
                key,
                "deploy.database-unencrypted",
                f"nothing asks for TLS on the way to {away[0]}",
                "add ?tls=true to the URL",
            )


def _by_scheme(application: Application, scheme: str) -> Iterator[tuple[str, str]]:
    for name, url in application.config.database_urls().items():
        if url.partition("://")[0] == scheme:
            yield f"databases.{name}", url


def _has_tls(kind: str, url: URL) -> bool:
    if kind == "postgresql":
        mode = url.query.get("sslmode") or os.environ.get("PGSSLMODE", "")
        return mode in _ENCRYPTED
    return any(name.startswith("ssl") for name in url.query)


def database_superuser(application: Application) -> Iterator[Message]:
    """A site needs its own tables only (ASVS 5.0, 13.2.2)."""
    for key, kind, url in _servers(application):
        if url.username == _SUPERUSERS[kind]:
            yield about(
                application.config,
                key,
                "deploy.database-superuser",
                f"the site is {url.username}, who may do everything to every database there",
                "make a user who owns this database only",
            )


CHECKS = (database_unencrypted, service_unencrypted, mongodb_open, database_superuser)
