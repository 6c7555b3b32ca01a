"""Weather: what the other service answers becomes an answer of ours."""

import pytest
from tornkit import Application
from tornkit.testing import Client

from tests.helpers import errors_of, send, without

ROME = {"city": "rome", "celsius": 14.5, "sky": "clear"}


async def test_the_forecasts_of_the_service(client: Client) -> None:
    forecasts = (await client.get("/weather")).json()["forecasts"]
    assert [forecast["city"] for forecast in forecasts] == ["oslo", "rome"]
    assert (await client.get("/weather/rome")).json()["forecast"] == ROME


async def test_a_reported_forecast_is_there(client: Client) -> None:
    bergen = {"city": "bergen", "celsius": 8.0, "sky": "rain"}
    answer = await client.post("/weather", json=bergen)
    assert answer.status_code == 201
    assert answer.headers["location"] == "/weather/bergen"
    assert (await client.get("/weather/bergen")).json()["forecast"] == bergen


async def test_a_city_has_one_forecast(client: Client) -> None:
    answer = await client.post("/weather", json={**ROME, "sky": "hail"})
    assert (answer.status_code, answer.json()["code"]) == (409, 1003)
    assert (await client.get("/weather/rome")).json()["forecast"] == ROME


async def test_a_forecast_is_changed(client: Client) -> None:
    answer = await client.put("/weather/rome", json={"celsius": 20, "sky": "hazy"})
    assert answer.status_code == 200
    changed = {"city": "rome", "celsius": 20.0, "sky": "hazy"}
    assert answer.json()["forecast"] == changed
    assert (await client.get("/weather/rome")).json()["forecast"] == changed


async def test_a_removed_forecast_is_gone(client: Client) -> None:
    assert (await client.delete("/weather/rome")).status_code == 204
    assert (await client.get("/weather/rome")).status_code == 404


async def test_every_bad_field_is_told_and_nothing_is_asked(
    client: Client, app: Application
) -> None:
    answer = await client.post("/weather", json={"city": "No!", "celsius": 99, "sky": ""})
    assert (answer.status_code, errors_of(answer)) == (422, ["celsius", "city", "sky"])
    async with without(app, "weather") as alone:
        answer = await alone.put("/weather/rome", json={"celsius": 20})
        assert (answer.status_code, errors_of(answer)) == (422, ["sky"])


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
async def test_a_city_that_the_service_does_not_know(client: Client, method: str) -> None:
    answer = await send(client, method, "/weather/atlantis", {"celsius": 1, "sky": "fog"})
    assert (answer.status_code, answer.json()["code"]) == (404, 404)
