"""Typed settings from layered sources, each value with a known origin.

A project subclasses `Settings`; `Settings.load()` reads the layers once and gives one
frozen object. Nothing here opens a database, configures logging or makes a folder: only
`Settings.create_paths` and the first use of a generated secret write.

Names are loaded when they are first asked for: ``tornkit run`` says what the command line
holds before it knows whether the application has settings at all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
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
        TaskSettings,
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
    "TaskSettings",
    "command_line",
]

_HOMES = {
    "Origin": "_types",
    "SettingRow": "_listing",
    "Settings": "model",
    "command_line": "_command_line",
}


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module 'tornkit.settings' has no attribute {name!r}")
    from importlib import import_module  # noqa: PLC0415  the point of being lazy

    home = import_module(f"tornkit.settings.{_HOMES.get(name, '_sections')}")
    value: object = getattr(home, name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
