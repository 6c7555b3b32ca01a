"""What is logged that should not be."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tornkit.checks.deploy.findings import about

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tornkit.application import Application
    from tornkit.checks.messages import Message
    from tornkit.settings import Settings

__all__ = ["CHECKS"]

_CHATTY = ("DEBUG", 10)
_OURS = ("tornkit", "tornkit.access")
_SQL = ("sqlalchemy", "sqlalchemy.engine")


def debug_logging(application: Application) -> Iterator[Message]:
    """At DEBUG the log holds the arguments of requests."""
    settings = application.config
    keys = []
    if settings.log_level == "DEBUG":
        keys.append("log_level")
    if _level(settings.logging.get("root")) in _CHATTY:
        keys.append("logging.root.level")
    for name in _OURS:
        if _level_of(settings, name) in _CHATTY:
            keys.append(f"logging.loggers.{name}.level")
    for key in keys:
        yield about(
            settings,
            key,
            "deploy.debug-logging",
            "what visitors send is written to the log",
            'use "INFO"',
            found="DEBUG",
        )


def sql_logging(application: Application) -> Iterator[Message]:
    """Every statement in the log is slow, and shows what users do."""
    settings = application.config
    for name in _SQL:
        level = _level_of(settings, name)
        if level in (*_CHATTY, "INFO", 20):
            yield about(
                settings,
                f"logging.loggers.{name}.level",
                "deploy.sql-logging",
                "every statement to a database is written to the log",
                'leave it out, or use "WARNING"',
                found=level,
            )


def _level_of(settings: Settings, logger: str) -> Any:
    loggers = settings.logging.get("loggers")
    return _level(loggers.get(logger)) if isinstance(loggers, dict) else None


def _level(table: Any) -> Any:
    return table.get("level") if isinstance(table, dict) else None


CHECKS = (debug_logging, sql_logging)
