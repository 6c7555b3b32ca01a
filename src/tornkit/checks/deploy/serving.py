"""How the site is reached: hosts, proxies, limits of the server, Tornado's own settings."""

from __future__ import annotations

import os
import sys
from ipaddress import IPv4Network, IPv6Network, collapse_addresses
from typing import TYPE_CHECKING

from tornkit.checks.deploy.findings import about, is_local
from tornkit.checks.messages import Message
from tornkit.server.proxies import TrustedProxies
from tornkit.settings._secret import is_weak

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tornkit.application import Application

__all__ = ["CHECKS"]

LARGE_BODY = 100 * 1024 * 1024
_MIB = 1024 * 1024


def any_host(application: Application) -> Iterator[Message]:
    """A site that answers to any name puts any name into its links."""
    settings = application.config
    if "*" in settings.allowed_hosts:
        yield about(
            settings,
            "allowed_hosts",
            "deploy.any-host",
            "the site answers to every name, and builds its links with whichever was asked for",
            "list the names that people use, such as www.example.com",
            found="*",
        )


def local_hosts(application: Application) -> Iterator[Message]:
    """A site that answers to localhost only is one for nobody else."""
    settings = application.config
    hosts = settings.allowed_hosts
    if hosts and all(is_local(host.removeprefix(".")) for host in hosts):
        yield about(
            settings,
            "allowed_hosts",
            "deploy.local-hosts",
            "only this machine asks by these names",
            "list the names that people use, such as www.example.com",
            found=", ".join(hosts),
        )


def insecure_origin(application: Application) -> Iterator[Message]:
    """Whoever is on the way can put a form into a page that comes over http."""
    settings = application.config
    insecure = [each for each in settings.trusted_origins if each.startswith("http://")]
    if insecure:
        yield about(
            settings,
            "trusted_origins",
            "deploy.insecure-origin",
            "pages without encryption can be changed on their way, and may send forms here",
            "trust https:// origins only",
            found=", ".join(insecure),
        )


def trusted_proxies(application: Application) -> Iterator[Message]:
    """Who trusts everybody lets everybody choose the address that tries are counted by."""
    settings = application.config
    networks = TrustedProxies.parse(settings.server.trusted_proxies).networks
    fourth = [each for each in networks if isinstance(each, IPv4Network)]
    sixth = [each for each in networks if isinstance(each, IPv6Network)]
    merged = (*collapse_addresses(fourth), *collapse_addresses(sixth))
    for network in map(str, merged):
        if network.endswith("/0"):
            yield about(
                settings,
                "server.trusted_proxies",
                "deploy.trusted-proxies",
                "every visitor can choose the address that they seem to come from",
                "name the addresses of your proxies",
                found=network,
                level="error",
            )


def open_host(application: Application) -> Iterator[Message]:
    """The server speaks plain HTTP, so that a proxy has to stand before it."""
    settings = application.config
    if not is_local(settings.host) and not settings.server.trusted_proxies:
        yield about(
            settings,
            "host",
            "deploy.open-host",
            "others can reach the site without TLS, and no proxy is trusted",
            'listen on "127.0.0.1" behind a proxy, or name it in server.trusted_proxies',
            found=settings.host,
        )


def body_size(application: Application) -> Iterator[Message]:
    """Bodies are held in memory."""
    settings = application.config
    size = settings.server.max_body_size
    if size > LARGE_BODY:
        yield about(
            settings,
            "server.max_body_size",
            "deploy.body-size",
            f"every visitor can make a worker hold {size // _MIB} MiB in memory",
            f"stay at or below {LARGE_BODY // _MIB} MiB, and stream larger uploads",
            found=size,
        )


def shutdown_timeout(application: Application) -> Iterator[Message]:
    """A restart is no reason for a visitor to see an error."""
    settings = application.config
    if settings.server.shutdown_timeout == 0:
        yield about(
            settings,
            "server.shutdown_timeout",
            "deploy.shutdown-timeout",
            "every restart cuts off the requests that are being answered",
            "give them some seconds; 30 is the default",
            found=0,
        )


def tornado_settings(application: Application) -> Iterator[Message]:
    """What is given to the application in code is in no settings file."""
    given = application.settings
    if given.get("debug") or given.get("serve_traceback"):
        name = "debug" if given.get("debug") else "serve_traceback"
        yield Message(
            "deploy.tornado-debug",
            "warning",
            f"Application(..., {name}=True): handlers with error pages of their own are asked"
            " to show tracebacks",
            "leave it out: the setting debug decides",
            object=name,
        )
    if given.get("autoreload"):
        yield Message(
            "deploy.autoreload",
            "warning",
            "Application(..., autoreload=True): every worker watches the source files, and"
            " starts itself anew behind its supervisor's back",
            "leave it out: `tornkit run` reloads in development",
            object="autoreload",
        )


def cookie_secret(application: Application) -> Iterator[Message]:
    """Tornado's own secret, where it is given in code, replaces the one of the settings."""
    given = application.settings.get("cookie_secret")
    keys = list(given.values()) if isinstance(given, dict) else [given] if given else []
    known = {application.config.secret, *application.config.secret_fallbacks}
    plain = {each.get_secret_value() for each in known}
    for key in keys:
        text = key.decode("latin-1") if isinstance(key, bytes) else str(key)
        weakness = "" if text in plain else is_weak(text)
        if weakness:
            yield Message(
                "deploy.cookie-secret",
                "error",
                f"Application(..., cookie_secret=...): it {weakness}, and signs cookies in"
                " place of the setting secret",
                "leave it out: the setting secret signs them",
                object="cookie_secret",
            )


def python_development(application: Application) -> Iterator[Message]:
    """Python's own debugging costs time, and logs what it should not."""
    del application
    asked = [name for name in ("PYTHONASYNCIODEBUG", "PYTHONDEVMODE") if os.environ.get(name)]
    if asked or sys.flags.dev_mode:
        name = asked[0] if asked else "python -X dev"
        yield Message(
            "deploy.python-development",
            "warning",
            f"{name} is set: Python runs slowly, and logs every slow step",
            "take it out of production's environment",
            object=name,
        )


CHECKS = (
    any_host,
    local_hosts,
    insecure_origin,
    trusted_proxies,
    open_host,
    body_size,
    shutdown_timeout,
    tornado_settings,
    cookie_secret,
    python_development,
)
