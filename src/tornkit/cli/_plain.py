"""Serve an application without settings: any program of Tornado's, as it is."""

from __future__ import annotations

import dataclasses
import logging
import os
from typing import TYPE_CHECKING

from tornkit._text import printable
from tornkit.cli._site import ENVIRONMENTS
from tornkit.errors import SettingProblem, SettingsError, UserCodeError
from tornkit.server import Options

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tornado.web import Application

__all__ = ["PlainConfig", "configure_logging", "explain", "read_config", "warnings_of"]

# Tornado's own limit of a body, and its own patience with a silent client: a program that
# takes uploads was written for these.
_OPTIONS = Options(max_body_size=100 * 1024 * 1024, body_timeout=3600)
_PREFIX = "TORNKIT_"
_ENVIRONMENT = "TORNKIT_ENVIRONMENT"
_OTHERS = frozenset({_ENVIRONMENT, "TORNKIT_APP", "TORNKIT_SECRETS_DIR"})


@dataclasses.dataclass(frozen=True, slots=True)
class PlainConfig:
    """Where a plain application is served, and how; ``warnings`` are lines to show."""

    environment: str
    host: str = "127.0.0.1"
    port: int = 8888
    options: Options = _OPTIONS
    warnings: tuple[str, ...] = ()


def read_config(environment: str | None, variables: Mapping[str, str] = os.environ) -> PlainConfig:
    """Return what variables such as ``TORNKIT_SERVER__MAX_BODY_SIZE`` say.

    Args:
        environment: the command line's, else that of ``TORNKIT_ENVIRONMENT``, else development.
        variables: those of the process.

    Raises:
        SettingsError: with every bad value.
    """
    config = PlainConfig(environment or _environment(variables.get(_ENVIRONMENT)))
    if not any(name.upper().startswith(_PREFIX) for name in variables.keys() - _OTHERS):
        return config
    from tornkit.settings._plain import from_variables  # noqa: PLC0415  imports pydantic

    read, warnings = from_variables(variables)
    names = Options.__dataclass_fields__.keys() & read.server.model_fields_set
    return dataclasses.replace(
        config,
        host=read.host,
        port=read.port,
        options=dataclasses.replace(
            _OPTIONS, **{name: getattr(read.server, name) for name in names}
        ),
        warnings=tuple(str(each) for each in warnings),
    )


def _environment(given: str | None) -> str:
    if not given or given in ENVIRONMENTS:
        return given or "development"
    expected = "expected development, testing or production"
    problem = SettingProblem(
        "environment", f"env {_ENVIRONMENT}", f"'{printable(given)}'", expected
    )
    raise SettingsError([problem])


def warnings_of(application: Application, config: PlainConfig) -> Iterator[str]:
    """Yield a line for each thing that is probably not meant so."""
    yield from config.warnings
    if config.environment == "production" and application.settings.get("debug"):
        yield "the application has debug=True; in production visitors see its source in errors"
    if application.settings.get("xheaders") and not config.options.trusted_proxies:
        yield (
            "xheaders is no setting of an application; name the proxies that are believed in"
            f" {_PREFIX}SERVER__TRUSTED_PROXIES"
        )


def configure_logging(*, requests: bool) -> None:
    """Let lines be seen unless the program does so itself; ``requests`` are seen on demand."""
    if not logging.getLogger().handlers:
        level = logging.INFO if requests else None
        logging.basicConfig(level=level, format="%(asctime)s %(levelname)s %(message)s")


def explain(error: UserCodeError) -> UserCodeError:
    """Return an error of a program, with what to do where it starts a loop when imported."""
    cause = error.__cause__
    if not isinstance(cause, RuntimeError) or "event loop" not in str(cause):
        return error
    return UserCodeError(
        f"{error.message}: it runs an event loop, and tornkit run has one already; do it under"
        ' if __name__ == "__main__", or in async def startup(self) of the application',
        file=error.file,
        line=error.line,
        check_id=error.check_id,
    )
