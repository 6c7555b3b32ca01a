"""Where mail goes, and whom it seems to come from."""

from __future__ import annotations

from ipaddress import ip_address
from typing import TYPE_CHECKING

from tornkit.checks.deploy.findings import about, is_local

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tornkit.application import Application
    from tornkit.checks.messages import Message

__all__ = ["CHECKS"]


def mail_nowhere(application: Application) -> Iterator[Message]:
    """Who waits for a mail that is only printed waits for good."""
    settings = application.config
    url = settings.mail.url
    if url in ("console://", "memory://"):
        yield about(
            settings,
            "mail.url",
            "deploy.mail-nowhere",
            "no mail leaves, also none with a link for a new password",
            "set smtp://host:25 or smtps://host:465",
            found=url,
        )


def mail_sender(application: Application) -> Iterator[Message]:
    """Mail from a name that only this machine knows is thrown away."""
    settings = application.config
    sender = application.mailer.sender
    if _is_public_name(sender.rpartition("@")[2].rstrip("> ")):
        return
    # Without accounts and without a sender the site may have no mail to send.
    if settings.mail.sender or application.accounts is not None:
        yield about(
            settings,
            "mail.sender",
            "deploy.mail-sender",
            "other mail servers know no such place, and refuse what comes from there",
            "set an address of your domain",
            found=sender,
        )


def _is_public_name(domain: str) -> bool:
    try:
        ip_address(domain.strip("[]"))
    except ValueError:
        return "." in domain and not is_local(domain)
    return False


CHECKS = (mail_nowhere, mail_sender)
