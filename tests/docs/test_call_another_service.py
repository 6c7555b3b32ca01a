"""The guide to other services keeps what it promises."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest
from tornado.httpserver import HTTPServer
from tornado.testing import bind_unused_port
from tornado.web import Application as Tornado
from tornado.web import RequestHandler

from tests.docs import pages
from tests.docs.test_how_to import served
from tornkit import Application, Settings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tornkit.testing import Client

PAGE = pages.DOCS / "how-to" / "call-another-service.md"


class Weather(RequestHandler):
    def get(self) -> None:
        city = self.get_query_argument("city")
        if city == "Atlantis":
            self.send_error(404)
        elif self.request.headers["X-Api-Key"] != "key":
            self.send_error(403)
        else:
            self.write({"city": city, "degrees": 3.5 if city == "São Paulo" else "warm"})


class Climate(RequestHandler):
    def get(self, city: str) -> None:
        self.write({"city": city})


@pytest.fixture
async def client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Client]:
    listening, port = bind_unused_port()
    server = HTTPServer(
        Tornado([("/v1/forecast", Weather), ("/v1/cities/([^/]*)/climate", Climate)])
    )
    server.add_socket(listening)
    overrides: dict[str, Any] = {
        "session.store": "memory://",
        "databases.weather": f"http://127.0.0.1:{port}/v1",
        "database_options.weather": {"headers": {"X-Api-Key": "key"}, "retries": 0},
    }
    *_, last = await pages.run(PAGE, monkeypatch)
    settings = Settings.load("testing", project_dir=tmp_path, overrides=overrides)
    async with served(Application(settings, modules=[last["module"]])) as client:
        client.service = server  # type: ignore[attr-defined]  # for the test that stops it
        yield client
    server.stop()
    await server.close_all_connections()


async def test_the_forecast_is_shown(client: Client) -> None:
    answer = await client.get("/trips/São Paulo")
    assert (answer.status_code, answer.json()["degrees"]) == (200, 3.5)


async def test_a_service_that_fails_is_not_the_visitors_fault(
    client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    accept = {"Accept": "application/json"}
    assert (await client.get("/trips/Atlantis", headers=accept)).status_code == 502
    assert (await client.get("/trips/Atlantis/overview")).json()["degrees"] is None
    assert (await client.get("/trips/Oslo", headers=accept)).status_code == 502
    client.service.stop()  # type: ignore[attr-defined]
    assert (await client.get("/trips/Oslo", headers=accept)).status_code == 503
    assert (await client.get("/trips/Oslo/overview")).json()["degrees"] is None
    assert "service 'weather': GET /forecast" in caplog.text


@pytest.mark.parametrize("city", ["São Paulo", "U?lm", "U#lm", "50%25"], ids=ascii)
async def test_what_a_visitor_wrote_is_asked_as_it_is(client: Client, city: str) -> None:
    answer = await client.get(f"/trips/{quote(city, safe='')}/climate")
    assert (answer.status_code, answer.json()["climate"]) == (200, {"city": city})


@pytest.mark.parametrize("city", ["..", "%2e%2e", "%25252541", "a\\b", "x" * 9000], ids=len)
async def test_a_path_that_cannot_be_sent_is_a_bad_request(
    client: Client, city: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "tornkit.handlers")
    url = f"/trips/{quote(city, safe='')}/climate".replace("/../", "/%2E%2E/")
    answer = await client.get(url)
    assert answer.status_code == 400
    assert "service 'weather': a GET is not sent: the path" in caplog.text
    assert "Traceback" not in caplog.text
