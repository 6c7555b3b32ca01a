"""Typed settings from layered sources, each value with a known origin.

A project subclasses `Settings`; `Settings.load()` reads the layers once and gives one
frozen object. Nothing here opens a database, configures logging or makes a folder: only
`Settings.create_paths` and the first use of a generated secret write.
"""

from __future__ import annotations

from tornkit.settings._command_line import command_line
from tornkit.settings._listing import SettingRow
from tornkit.settings._sections import (
    AccountSettings,
    LimitSettings,
    MailSettings,
    PathSettings,
    Section,
    SecuritySettings,
    ServerSettings,
    SessionSettings,
)
from tornkit.settings._types import Origin
from tornkit.settings.model import Settings

__all__ = [
    "AccountSettings",
    "LimitSettings",
    "MailSettings",
    "Origin",
    "PathSettings",
    "Section",
    "SecuritySettings",
    "ServerSettings",
    "SessionSettings",
    "SettingRow",
    "Settings",
    "command_line",
]
