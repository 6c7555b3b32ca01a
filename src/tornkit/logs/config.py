"""Configure logging from the settings: a project's dictConfig over good defaults."""

from __future__ import annotations

import logging.config
from collections.abc import Mapping
from copy import deepcopy
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tornkit._text import printable
from tornkit.errors import SettingProblem, SettingsError
from tornkit.logs._context import RequestIdFilter
from tornkit.logs._masking import HIDDEN, is_private
from tornkit.logs.formatter import LineFormatter

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["configure"]

_FILTER = "request_id"
_FILE = "file"


def configure(
    config: Mapping[str, Any],
    *,
    debug: bool,
    log_dir: Path | str | None = None,
    level: str = "INFO",
) -> None:
    """Configure logging for this process.

    By default everything from ``level`` goes to standard error, a line each. A handler
    ``file`` (``site.log`` in ``log_dir``, five of 10 MiB) is there for whoever names it, as
    in ``{"root": {"handlers": ["console", "file"]}}``.

    Args:
        config: a ``logging.config`` dictionary, merged over the defaults; lists replace, and
            so does an entry that brings its own ``class``.
        debug: write brief lines for a terminal.
        log_dir: the folder of the file handler.
        level: the root logger's level.

    Raises:
        SettingsError: the configuration is not valid; the defaults are in force then.
    """
    defaults = _defaults(debug=debug, level=level)
    if log_dir is not None and _FILE in set(_named_handlers(config)):
        defaults["handlers"][_FILE] = _file_handler(Path(log_dir))
    merged = _with_filter(_merge(defaults, config))
    try:
        if log_dir is not None and _FILE in defaults["handlers"]:
            Path(log_dir).mkdir(parents=True, exist_ok=True)
        logging.config.dictConfig(merged)
    except (ValueError, TypeError, AttributeError, LookupError, ImportError, OSError) as error:
        message = _explain(error, config)
    else:
        return
    logging.config.dictConfig(_with_filter(_defaults(debug=debug, level=level)))
    raise SettingsError(
        [
            SettingProblem(
                key="logging",
                origin="logging configuration",
                found="",
                expected=f"is not valid: {message}",
                hint="its form is that of logging.config.dictConfig",
            )
        ]
    )


def _defaults(*, debug: bool, level: str) -> dict[str, Any]:
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"line": {"()": LineFormatter, "brief": debug}},
        "filters": {_FILTER: {"()": RequestIdFilter}},
        "handlers": {
            "console": {
                "class": "tornkit.logs.handlers.LineStream",
                "stream": "ext://sys.stderr",
                "formatter": "line",
            }
        },
        # At DEBUG this driver writes every statement with its values: password hashes too.
        "loggers": {"aiosqlite": {"level": "INFO"}},
        "root": {"level": level, "handlers": ["console"]},
    }


def _file_handler(folder: Path) -> dict[str, Any]:
    return {
        "class": "tornkit.logs.handlers.LineFile",
        "filename": str(folder / "site.log"),
        "maxBytes": 10 * 1024 * 1024,
        "backupCount": 4,
        "encoding": "utf-8",
        "delay": True,
        "formatter": "line",
    }


def _named_handlers(config: Mapping[str, Any]) -> Iterator[str]:
    loggers = config.get("loggers")
    named = list(loggers.values()) if isinstance(loggers, Mapping) else []
    for logger in [config.get("root"), *named]:
        handlers = logger.get("handlers") if isinstance(logger, Mapping) else None
        if isinstance(handlers, list | tuple):
            yield from (name for name in handlers if isinstance(name, str))


def _merge(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(below)
    for key, value in above.items():
        known = merged.get(key)
        own = isinstance(value, Mapping) and not value.keys().isdisjoint({"class", "()"})
        if isinstance(known, Mapping) and isinstance(value, Mapping) and not own:
            merged[key] = _merge(known, value)
        else:
            merged[key] = deepcopy(value)
    return merged


def _with_filter(config: dict[str, Any]) -> dict[str, Any]:
    """Let every handler put the request id into its records, also a project's own."""
    handlers = config.get("handlers")
    if not isinstance(handlers, Mapping):
        return config
    filtered = {}
    for name, handler in handlers.items():
        if isinstance(handler, Mapping):
            filters = handler.get("filters", [])
            known = list(filters) if isinstance(filters, list | tuple) else []
            filtered[name] = {**handler, "filters": [_FILTER, *known]}
        else:
            filtered[name] = handler
    return {**config, "handlers": filtered}


def _explain(error: BaseException, config: Mapping[str, Any]) -> str:
    """Return the error with its causes, without the secrets of the configuration."""
    words: list[str] = []
    seen: BaseException | None = error
    while seen is not None:
        if str(seen) not in words:
            words.append(str(seen) or type(seen).__name__)
        seen = seen.__cause__
    message = ": ".join(words)
    for secret in _secrets(config, private=False):
        message = message.replace(secret, HIDDEN)
    return printable(message, limit=400)


def _secrets(value: object, *, private: bool) -> Iterator[str]:
    if isinstance(value, Mapping):
        for key, below in value.items():
            yield from _secrets(below, private=private or is_private(str(key)))
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _secrets(item, private=private)
    elif private and len(str(value)) >= 3:
        yield str(value)
