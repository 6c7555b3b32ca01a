"""The settings of the site, typed; their values come from ``settings.toml`` and ``.env``."""

import tornkit
from tornkit.settings import Origin


class Settings(tornkit.Settings, env_prefix="ACCOUNT_"):
    """What tornkit needs, and which clients may use the API."""

    client_origins: tuple[Origin, ...] = ()  # such as "https://app.example.org"
