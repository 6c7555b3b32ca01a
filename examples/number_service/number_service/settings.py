"""The settings of the site, typed; their values come from ``settings.toml`` and ``.env``."""

from typing import Annotated

import tornkit
from pydantic import Field


class Settings(tornkit.Settings, env_prefix="NUMBER_SERVICE_"):
    """What tornkit needs, and for how long results are kept."""

    keep_days: Annotated[int, Field(ge=1)] = 30
