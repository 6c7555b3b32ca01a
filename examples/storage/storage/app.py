"""Put the site together: settings and modules."""

from tornkit import Application

from storage.settings import Settings


def create_app(settings: Settings | None = None) -> Application:
    """Return the application; every package in ``modules`` is part of it."""
    return Application(settings or Settings.load(), modules="storage.modules")
