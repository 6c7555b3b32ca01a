"""What the checks share: findings about settings, and the machine that a URL names."""

from __future__ import annotations

from ipaddress import ip_address
from typing import TYPE_CHECKING

from tornkit.checks.messages import Message, from_setting
from tornkit.errors import SettingProblem

if TYPE_CHECKING:
    from tornkit.checks.messages import Level
    from tornkit.settings import Settings

__all__ = ["about", "is_elsewhere", "is_local", "origin_of"]


def about(
    settings: Settings,
    key: str,
    check_id: str,
    says: str,
    hint: str,
    *,
    found: object = "",
    level: Level = "warning",
) -> Message:
    """Return a finding about a setting, with its origin.

    Args:
        settings: production's.
        key: the dotted key.
        check_id: the heading in the reference.
        says: what is wrong with it.
        hint: what to do.
        found: the value as it may be shown, or "" for none.
        level: how bad it is.
    """
    problem = SettingProblem(key, origin_of(settings, key), str(found), says, hint)
    return from_setting(problem, level=level, check_id=check_id)


def origin_of(settings: Settings, key: str) -> str:
    """Return the origin of a key, or of the table that it belongs to."""
    origins = settings.origins
    while key not in origins and "." in key:
        key = key.rpartition(".")[0]
    return origins.get(key, "default")


def is_local(host: str) -> bool:
    """Tell whether a host is this very machine."""
    name = host.strip("[]").lower().removesuffix(".")
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return name == "localhost" or name.endswith(".localhost")


def is_elsewhere(host: str | None) -> bool:
    """Tell whether a host of a URL is another machine, across a network.

    A name without a dot is taken for a container beside this one, "" and a path for a socket.
    """
    if not host or host.startswith(("/", "@")) or is_local(host):
        return False
    return "." in host or ":" in host
