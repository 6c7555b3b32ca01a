"""Build large sites on Tornado: one module per kind of user.

The names a project imports; each is loaded when it is first asked for, so that
``import tornkit`` costs nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tornkit.access import PUBLIC, SIGNED_IN, Access, roles
    from tornkit.accounts import UserMixin
    from tornkit.application import Application
    from tornkit.errors import AppError, ErrorCode, FormError, TornkitError
    from tornkit.handlers import BaseHandler
    from tornkit.handlers.guards import require_recent_sign_in
    from tornkit.handlers.limiting import rate_limit
    from tornkit.handlers.websocket import WebSocketHandler
    from tornkit.modules import Module, discover
    from tornkit.routing import RoutedApplication, path
    from tornkit.security.cors import Cors
    from tornkit.settings import Settings

__all__ = [
    "PUBLIC",
    "SIGNED_IN",
    "Access",
    "AppError",
    "Application",
    "BaseHandler",
    "Cors",
    "ErrorCode",
    "FormError",
    "Module",
    "RoutedApplication",
    "Settings",
    "TornkitError",
    "UserMixin",
    "WebSocketHandler",
    "discover",
    "path",
    "rate_limit",
    "require_recent_sign_in",
    "roles",
]

__version__ = "0.1.0"  # the build reads it here

_HOMES = {
    "PUBLIC": "access",
    "SIGNED_IN": "access",
    "Access": "access",
    "AppError": "errors",
    "Application": "application",
    "BaseHandler": "handlers",
    "Cors": "security.cors",
    "ErrorCode": "errors",
    "FormError": "errors",
    "Module": "modules",
    "RoutedApplication": "routing",
    "Settings": "settings",
    "TornkitError": "errors",
    "UserMixin": "accounts",
    "WebSocketHandler": "handlers.websocket",
    "discover": "modules",
    "path": "routing",
    "rate_limit": "handlers.limiting",
    "require_recent_sign_in": "handlers.guards",
    "roles": "access",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'tornkit' has no attribute {name!r}")
    from importlib import import_module  # noqa: PLC0415  the point of being lazy

    value: object = getattr(import_module(f"tornkit.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
