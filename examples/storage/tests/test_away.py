"""What is answered while a database or the weather service is away, and what goes on."""

import pytest
from tornkit import Application
from tornkit.testing import Client

from tests.helpers import add_book, add_review, without
from tests.test_carts import CART

ADDRESSES = {
    "default": "/books",
    "catalog": "/reviews/3-ann",
    "cache": CART,
    "weather": "/weather",
}


@pytest.mark.parametrize("away", ADDRESSES)
async def test_what_is_away_is_a_503_and_the_others_answer(
    client: Client, app: Application, away: str
) -> None:
    await add_review(client, 3, "ann")
    async with without(app, away) as alone:
        for name, address in ADDRESSES.items():
            answer = await alone.get(address)
            assert (name, answer.status_code) == (name, 503 if name == away else 200)


async def test_the_overview_asks_for_everything(client: Client) -> None:
    await add_book(client)
    await add_review(client, 1, "ann", stars=4)
    await client.post(CART, json={"book_id": 1, "count": 2})
    cart = CART.removeprefix("/carts/")
    found = (await client.get("/overview/1", params={"city": "rome", "cart": cart})).json()
    assert found["book"]["title"] == "Dune"
    assert [review["stars"] for review in found["reviews"]] == [4]
    assert found["in_cart"] == 2
    assert found["weather"] == {"city": "rome", "celsius": 14.5, "sky": "clear"}
    assert found["missing"] == []


@pytest.mark.parametrize(
    ("away", "part"), [("catalog", "reviews"), ("cache", "in_cart"), ("weather", "weather")]
)
async def test_the_overview_does_without(
    client: Client, app: Application, away: str, part: str
) -> None:
    await add_book(client)
    async with without(app, away) as alone:
        answer = await alone.get("/overview/1", params={"cart": CART.removeprefix("/carts/")})
    found = answer.json()
    assert answer.status_code == 200
    assert found["book"]["title"] == "Dune"
    assert found["missing"] == [part]
    assert [name for name in ("reviews", "in_cart", "weather") if found[name] is None] == [part]


async def test_the_overview_with_nothing_but_the_book(client: Client, app: Application) -> None:
    await add_book(client)
    async with without(app, "catalog", "cache", "weather") as alone:
        answer = await alone.get("/overview/1", params={"cart": CART.removeprefix("/carts/")})
    assert answer.status_code == 200
    assert answer.json()["missing"] == ["in_cart", "reviews", "weather"]


async def test_without_the_book_there_is_no_overview(app: Application, client: Client) -> None:
    assert (await client.get("/overview/7")).status_code == 404
    assert (await client.get("/overview/99999999999999999999")).status_code == 404
    async with without(app, "default") as alone:
        assert (await alone.get("/overview/1")).status_code == 503


async def test_a_city_without_a_forecast_is_not_missing(client: Client) -> None:
    await add_book(client)
    found = (await client.get("/overview/1", params={"city": "atlantis"})).json()
    assert (found["weather"], found["missing"]) == (None, [])
