"""Look at a site as if it were started in production."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tornkit.checks.messages import Message, from_error, from_setting
from tornkit.errors import SettingsError

if TYPE_CHECKING:
    from tornkit.settings import Settings

__all__ = ["look_at_deployment"]


def look_at_deployment(settings: Settings) -> list[Message]:
    """Return every reason why production would refuse to start with these settings.

    The layers are read again, as production reads them.
    """
    try:
        production = type(settings).load("production", project_dir=settings.project_dir)
    except SettingsError as error:
        return from_error(error)
    return [from_setting(problem) for problem in production.check_deploy()]
