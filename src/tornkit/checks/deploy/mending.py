"""Settings that let the rest of a site be judged although production refuses some of them."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tornkit.errors import SettingsError

__all__ = ["mend"]

# Nothing may be found wrong with these.
_MENDED: dict[str, object] = {
    "deploy.secret": secrets.token_urlsafe(48),
    "deploy.debug": False,
    "deploy.allowed-hosts": ["www.site.invalid"],
}


def mend(error: SettingsError) -> dict[str, object] | None:
    """Return values in place of those that production refuses; None where others are bad too."""
    if any(problem.check_id not in _MENDED for problem in error.problems):
        return None
    return {problem.key: _MENDED[problem.check_id] for problem in error.problems}
