"""The settings of the site, typed; their values come from ``settings.toml`` and ``.env``."""

import tornkit


class Settings(tornkit.Settings, env_prefix="FACTORIAL_"):
    """What tornkit needs: the site has no settings of its own."""
