"""List, report, show, change and remove forecasts.

The service's own 404 and 409 are passed on. Whatever else goes wrong is its fault: uncaught,
its errors become a 502, and a 503 where it does not answer.
"""

from typing import Any

from tornkit import AppError, ErrorCode
from tornkit.databases.http import Answer
from tornkit.errors import ServiceError

from storage.errors import REPORTED_ALREADY
from storage.handlers import Api

from .bodies import Forecast, NewForecast, Weather

PASSED_ON: dict[int, ErrorCode | int] = {404: 404, 409: REPORTED_ALREADY}


class Forecasts(Api):
    """What the handlers of this module share."""

    async def ask(self, method: str, path: str, **more: Any) -> Answer:
        """Ask the weather service."""
        try:
            return await self.http("weather").request(method, path, **more)
        except ServiceError as error:
            if error.status in PASSED_ON:
                raise AppError(PASSED_ON[error.status]) from error
            raise


class ForecastList(Forecasts):
    """The forecasts of all cities."""

    async def get(self) -> None:
        answer = await self.ask("GET", "/forecasts")
        self.response_json(forecasts=answer.json(list[Forecast]))

    async def post(self) -> None:
        forecast = self.parse_json(NewForecast)
        answer = await self.ask("POST", "/forecasts", json=forecast)
        location = self.reverse_url("weather:forecast", city=forecast.city)
        self.created(location, forecast=answer.json(Forecast))


class OneForecast(Forecasts):
    """The forecast of one city."""

    async def get(self, city: str) -> None:
        answer = await self.ask("GET", f"/forecasts/{city}")
        self.response_json(forecast=answer.json(Forecast))

    async def put(self, city: str) -> None:
        weather = self.parse_json(Weather)
        answer = await self.ask("PUT", f"/forecasts/{city}", json=weather)
        self.response_json(forecast=answer.json(Forecast))

    async def delete(self, city: str) -> None:
        await self.ask("DELETE", f"/forecasts/{city}")
        self.deleted()
