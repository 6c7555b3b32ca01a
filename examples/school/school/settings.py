"""The settings of the site, typed; their values come from ``settings.toml`` and ``.env``."""

import tornkit


class Settings(tornkit.Settings, env_prefix="SCHOOL_"):
    """What tornkit needs, and what you add, for example ``contact: str = "info@example.org"``."""
