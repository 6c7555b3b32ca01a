"""A tiny weather service in plain Tornado, to run the example and its tests against.

``python -m storage.weather_server`` serves it at http://127.0.0.1:8899 until Ctrl-C. It forgets
everything when it ends.
"""

import asyncio
import sys
from typing import Any

from tornado.escape import json_decode, json_encode
from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.web import Application, HTTPError, RequestHandler

PORT = 8899

FORECASTS = [
    {"city": "oslo", "celsius": -3.0, "sky": "snow"},
    {"city": "rome", "celsius": 14.5, "sky": "clear"},
]


class Handler(RequestHandler):
    """What the handlers of the service share."""

    def initialize(self, forecasts: dict[str, dict[str, Any]]) -> None:
        self.forecasts = forecasts

    def find(self, city: str) -> dict[str, Any]:
        if city not in self.forecasts:
            raise HTTPError(404)
        return self.forecasts[city]


class All(Handler):
    """All forecasts."""

    def get(self) -> None:
        self.set_header("Content-Type", "application/json")
        self.write(json_encode(list(self.forecasts.values())))

    def post(self) -> None:
        forecast = json_decode(self.request.body)
        if forecast["city"] in self.forecasts:
            raise HTTPError(409)
        self.forecasts[forecast["city"]] = forecast
        self.set_status(201)
        self.write(forecast)


class One(Handler):
    """The forecast of one city."""

    def get(self, city: str) -> None:
        self.write(self.find(city))

    def put(self, city: str) -> None:
        self.find(city).update(json_decode(self.request.body))
        self.write(self.find(city))

    def delete(self, city: str) -> None:
        self.find(city)
        del self.forecasts[city]
        self.set_status(204)


def make_app() -> Application:
    """Return the service, with forecasts of its own."""
    forecasts = {forecast["city"]: dict(forecast) for forecast in FORECASTS}
    return Application(
        [
            (r"/forecasts", All, {"forecasts": forecasts}),
            (r"/forecasts/([^/]+)", One, {"forecasts": forecasts}),
        ]
    )


async def serve(port: int) -> None:
    """Serve until the process is ended; port 0 is any that is free."""
    sockets = bind_sockets(port, "127.0.0.1")
    HTTPServer(make_app()).add_sockets(sockets)
    print(f"The weather is at http://127.0.0.1:{sockets[0].getsockname()[1]}")
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]) if len(sys.argv) > 1 else PORT))
