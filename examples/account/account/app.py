"""Put the site together: settings, modules, users."""

from tornkit import Application

from account.models import User
from account.settings import Settings


def create_app(settings: Settings | None = None) -> Application:
    """Return the application; every package in ``modules`` is part of it."""
    return Application(
        settings or Settings.load(),
        modules="account.modules",
        user_model=User,
    )
