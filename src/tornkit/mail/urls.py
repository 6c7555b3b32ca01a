"""From the settings ``mail.url`` and ``mail.sender`` to a transport and a sender."""

from __future__ import annotations

from ipaddress import ip_address
from typing import TYPE_CHECKING

from tornkit.errors import MailError
from tornkit.mail.console import ConsoleTransport
from tornkit.mail.memory import MemoryTransport
from tornkit.mail.smtp import SCHEMES, SMTPTransport

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tornkit.mail.base import Transport

__all__ = ["default_sender", "default_url", "transport_of"]

_DEFAULTS = {"development": "console://", "testing": "memory://"}


def transport_of(url: str, folder: Path | None = None) -> Transport:
    """Return the transport of ``console://``, ``memory://``, ``smtp://…`` or ``smtps://…``.

    Args:
        url: where mail goes; user name and password are percent-encoded.
        folder: where a relative ``?ca=FILE`` starts; by default the current folder.

    Raises:
        MailError: the URL does not work; the message says what was expected.
    """
    if url == "console://":
        return ConsoleTransport()
    if url == "memory://":
        return MemoryTransport()
    if url.partition("://")[0] in SCHEMES:
        return SMTPTransport(url, folder)
    raise MailError("expected console://, memory://, smtp://host:25 or smtps://host:465")


def default_url(environment: str) -> str:
    """Return the URL where none is set: mail leaves the machine in production only."""
    return _DEFAULTS.get(environment, "smtp://localhost:25")


def default_sender(hosts: Sequence[str]) -> str:
    """Return ``noreply@`` and the first of ``allowed_hosts`` that names a host, else localhost.

    ``.school.example`` counts, for ``school.example`` is one of the hosts that it stands for.
    """
    names = [host.removeprefix(".") for host in hosts if _is_name(host)]
    return f"noreply@{(names or ['localhost'])[0]}"


def _is_name(host: str) -> bool:
    try:
        ip_address(host.strip("[]"))
    except ValueError:
        return host != "*"
    return False
