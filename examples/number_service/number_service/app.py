"""Put the site together: settings, modules; the tasks are found by the name of their file."""

from tornkit import Application

from number_service.settings import Settings


def create_app(settings: Settings | None = None) -> Application:
    """Return the application; every package in ``modules`` is part of it."""
    return Application(settings or Settings.load(), modules="number_service.modules")
