"""What serves an application that has no settings of its own: variables, and nothing else.

No file is read: a folder that is no project of tornkit's may hold a ``settings.toml`` or a
``.env`` that is somebody else's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field, ValidationError

from tornkit.errors import SettingsError
from tornkit.settings._load import RESERVED, own_variables
from tornkit.settings._problems import problems_of
from tornkit.settings._sections import Section, ServerSettings
from tornkit.settings._sources import Layers
from tornkit.settings._types import Port  # noqa: TC001 - pydantic reads it

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tornkit.errors import SettingProblem

__all__ = ["PlainSettings", "from_variables"]

_PREFIX = "TORNKIT_"


class PlainSettings(Section):
    """Where to listen, and the limits of the server."""

    host: str = Field(default="127.0.0.1", min_length=1)
    port: Port = 8888
    server: ServerSettings = Field(default_factory=ServerSettings)


def from_variables(variables: Mapping[str, str]) -> tuple[PlainSettings, list[SettingProblem]]:
    """Return what variables such as ``TORNKIT_SERVER__TRUSTED_PROXIES`` say, and warnings.

    Raises:
        SettingsError: with every bad value.
    """
    layers = Layers(PlainSettings, _PREFIX, RESERVED | {"APP"})
    layers.add_variables(own_variables(_PREFIX, variables))
    problems = layers.problems
    try:
        read = PlainSettings.model_validate(layers.data())
    except ValidationError as error:
        problems += problems_of(PlainSettings, error, layers.entries, _PREFIX)
    if problems:
        raise SettingsError(problems)
    return read, layers.warnings
