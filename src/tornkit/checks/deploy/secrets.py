"""The site's secret and its older ones, and passwords that lie where they should not."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from tornkit.checks.deploy.findings import about
from tornkit.checks.deploy.modes import others_may_read
from tornkit.settings._masking import reveal
from tornkit.settings._secret import is_weak

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tornkit.application import Application
    from tornkit.checks.messages import Message
    from tornkit.settings import SettingRow, Settings

__all__ = ["CHECKS"]

_TOML = re.compile(r"settings(\.\w+)?\.toml:\d+")


def weak_fallback(application: Application) -> Iterator[Message]:
    """What an older secret signed is believed, so that it has to be as strong."""
    settings = application.config
    for number, fallback in enumerate(settings.secret_fallbacks, start=1):
        weakness = is_weak(fallback.get_secret_value())
        if weakness:
            yield about(
                settings,
                "secret_fallbacks",
                "deploy.weak-fallback",
                f"number {number} of them {weakness}, and what it signs is believed",
                "drop it: whoever has a session signed by it signs in again",
                level="error",
            )


def repeated_fallback(application: Application) -> Iterator[Message]:
    """A secret that is also its own predecessor was not rotated."""
    settings = application.config
    secret = settings.secret.get_secret_value()
    if secret in [fallback.get_secret_value() for fallback in settings.secret_fallbacks]:
        yield about(
            settings,
            "secret_fallbacks",
            "deploy.repeated-fallback",
            "the secret is among them, so that it was not replaced",
            "set secret to a value that `tornkit secret` prints",
        )


def secret_in_file(application: Application) -> Iterator[Message]:
    """Settings files are committed, and stay in the history for good."""
    settings = application.config
    for row in settings.listing():
        if row.secret and _TOML.fullmatch(row.origin) and _is_given(settings, row.key):
            yield about(
                settings,
                row.key,
                "deploy.secret-in-file",
                "a secret is written into a file that is usually committed",
                "move it to a variable, .env or the secrets folder, and make it a fresh one",
            )


def password_in_file(application: Application) -> Iterator[Message]:
    """A URL with a password is as secret as the password."""
    settings = application.config
    for row in settings.listing():
        if _holds_password(row) and _TOML.fullmatch(row.origin):
            yield about(
                settings,
                row.key,
                "deploy.password-in-file",
                "a password is written into a file that is usually committed",
                "move the whole URL to a variable, .env or the secrets folder, and change it",
                found=row.value,
            )


def readable_secrets(application: Application) -> Iterator[Message]:
    """On a machine of many, ``.env`` is its owner's alone."""
    settings = application.config
    file = settings.project_dir / ".env"
    rows = [row for row in settings.listing() if row.origin.startswith(".env:")]
    kept = [row for row in rows if row.secret or _holds_password(row)]
    if kept and others_may_read(file):
        yield about(
            settings,
            kept[0].key,
            "deploy.readable-secrets",
            f"every user of this machine can read {file}",
            f"chmod 600 {file}",
        )


CHECKS = (weak_fallback, repeated_fallback, secret_in_file, password_in_file, readable_secrets)


def _holds_password(row: SettingRow) -> bool:
    # The listing has hidden it already.
    return isinstance(row.value, str) and "://" in row.value and "***" in row.value


def _is_given(settings: Settings, key: str) -> bool:
    value: Any = settings
    for part in key.split("."):
        if isinstance(value, BaseModel):
            value = getattr(value, part, None)
        else:
            value = value.get(part) if isinstance(value, dict) else None
    return bool(reveal(value))
