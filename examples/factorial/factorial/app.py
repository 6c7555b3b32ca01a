"""Put the site together: settings, modules, and what computes."""

from tornkit import Application

from factorial.calculator import Calculator
from factorial.settings import Settings


class Site(Application):
    """A tornkit application with a calculator, which ends when the site does."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings, modules="factorial.modules")
        self.calculator = Calculator()

    async def shutdown(self) -> None:
        await self.calculator.close()
        await super().shutdown()


def create_app(settings: Settings | None = None) -> Site:
    """Return the application; every package in ``modules`` is part of it."""
    return Site(settings or Settings.load())
