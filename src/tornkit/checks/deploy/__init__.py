"""Look at a site as production would run it.

Each check is a function from the application, built with production's settings, to what it
found. They are grouped by subject, one file each, and listed in `CHECKS`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tornkit.checks.deploy import (
    accounts,
    databases,
    doors,
    files,
    headers,
    logs,
    mail,
    redis,
    secrets,
    serving,
    sessions,
    tasks,
)
from tornkit.checks.deploy.mending import mend

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tornkit.application import Application
    from tornkit.checks.messages import Message

    Check = Callable[[Application], Iterator[Message]]

__all__ = ["CHECKS", "look_at_deployment", "mend"]

CHECKS: tuple[Check, ...] = (
    *secrets.CHECKS,
    *serving.CHECKS,
    *sessions.CHECKS,
    *redis.CHECKS,
    *accounts.CHECKS,
    *headers.CHECKS,
    *mail.CHECKS,
    *databases.CHECKS,
    *tasks.CHECKS,
    *files.CHECKS,
    *doors.CHECKS,
    *logs.CHECKS,
)


def look_at_deployment(application: Application) -> list[Message]:
    """Return what is to say about an application as production's; nothing is opened.

    Production's refusals are not among it: they kept the application from being built.
    """
    return [message for check in CHECKS for message in check(application)]
