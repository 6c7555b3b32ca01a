"""Redis, whatever is kept in it: sessions, limits, what is cached, the site's own."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

from tornkit._redis import SCHEMES
from tornkit.checks.deploy.findings import about, is_elsewhere
from tornkit.sessions.redis import RedisStore

if TYPE_CHECKING:
    from collections.abc import Iterator
    from urllib.parse import SplitResult

    from tornkit.application import Application
    from tornkit.checks.messages import Message

__all__ = ["CHECKS"]

# What somebody can do who reaches the server, or the way to it.
_AT_THE_SERVER = {
    "session.store": "sign in as anybody",
    "limits.store": "take tries back, and so guess passwords without end",
    "tasks.queue": "have tasks run with arguments of their choice",
}
_ON_THE_WAY = {
    "session.store": "read every session",
    "limits.store": "change what is counted",
    "tasks.queue": "read and change what tasks are given",
}
_ELSE = "read and change what is kept there"


def _redis(application: Application) -> Iterator[tuple[str, str]]:
    """Yield the key and the URL of each store, queue and database in Redis."""
    config = application.config
    urls = {"limits.store": config.limits.store, "cache.store": config.cache.store}
    if application.tasks is not None:
        urls["tasks.queue"] = config.tasks.queue
    # A store that was given in code stands in place of the setting.
    if isinstance(application.sessions.store, RedisStore):
        urls["session.store"] = config.session.store
    for key, url in urls.items():
        if url.partition("://")[0] in SCHEMES:
            yield key, url
    for name, url in config.database_urls().items():
        if url.partition("://")[0] in SCHEMES:
            yield f"databases.{name}", url


def redis_password(application: Application) -> Iterator[Message]:
    """Whoever reads the store of the sessions is everybody."""
    for key, url in _redis(application):
        parts = urlsplit(url)
        if is_elsewhere(parts.hostname) and not _shows_who_asks(parts):
            yield about(
                application.config,
                key,
                "deploy.redis-password",
                f"{parts.hostname} is asked without a password: whoever reaches it can"
                f" {_AT_THE_SERVER.get(key, _ELSE)}",
                "let the server ask for one, and write rediss://:password@host; or for a"
                " certificate, with rediss://host?ssl_certfile=FILE",
            )


def _shows_who_asks(parts: SplitResult) -> bool:
    by_certificate = parts.scheme == "rediss" and "ssl_certfile" in parse_qs(parts.query)
    return bool(parts.password) or by_certificate


def redis_unencrypted(application: Application) -> Iterator[Message]:
    """What is kept there crosses the network (ASVS 5.0, 12.3.1)."""
    for key, url in _redis(application):
        parts = urlsplit(url)
        if parts.scheme == "redis" and is_elsewhere(parts.hostname):
            yield about(
                application.config,
                key,
                "deploy.redis-unencrypted",
                f"{parts.hostname} is asked without TLS: whoever is on the way can"
                f" {_ON_THE_WAY.get(key, _ELSE)}",
                "write rediss:// in place of redis://",
            )


def missing_driver(application: Application) -> Iterator[Message]:
    """Without its driver nothing can be counted; sessions' own is seen when it is opened."""
    for key, _ in _redis(application):
        if key == "limits.store" and find_spec("redis") is None:
            yield about(
                application.config,
                key,
                "deploy.missing-driver",
                "the driver of Redis is not installed, and nothing can be counted without it",
                'run pip install "tornkit[redis]"',
                level="error",
            )


CHECKS = (redis_password, redis_unencrypted, missing_driver)
