"""Put the site together: settings, modules, users."""

from tornkit import Application

from school.models import User
from school.settings import Settings


def create_app(settings: Settings | None = None) -> Application:
    """Return the application; every package in ``modules`` is part of it."""
    return Application(
        settings or Settings.load(),
        modules="school.modules",
        user_model=User,
    )
