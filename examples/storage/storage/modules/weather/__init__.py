"""Weather forecasts, under /weather, which another service keeps."""

from tornkit import PUBLIC, Module, path

from .handlers import ForecastList, OneForecast

module = Module(
    access=PUBLIC,
    routes=[
        path("", ForecastList, name="list"),
        path("/{city:slug}", OneForecast, name="forecast"),
    ],
)
