"""Carts: they count what customers put in, and expire."""

import asyncio

import pytest
from tornkit import Application
from tornkit.testing import Client

from storage.modules.carts.handlers import LIFETIME
from tests.helpers import errors_of

CART = "/carts/6f1f3b1e-6c1b-4b5a-8a3e-0d2f4c5b6a79"


async def test_books_are_put_into_a_cart(client: Client) -> None:
    answer = await client.post(CART, json={"book_id": 3, "count": 2})
    assert answer.status_code == 201
    assert answer.headers["location"] == f"{CART}/3"
    answer = await client.post(CART, json={"book_id": 3})
    assert answer.status_code == 200
    assert answer.json()["item"] == {"book_id": 3, "count": 3}
    await client.post(CART, json={"book_id": 10})
    items = [{"book_id": 3, "count": 3}, {"book_id": 10, "count": 1}]
    assert (await client.get(CART)).json()["items"] == items
    assert (await client.get(f"{CART}/3")).json()["item"] == items[0]


async def test_customers_with_two_windows_lose_nothing(client: Client) -> None:
    more = [client.post(CART, json={"book_id": 3}) for _ in range(20)]
    answers = await asyncio.gather(*more)
    assert sorted(answer.json()["item"]["count"] for answer in answers) == list(range(1, 21))
    assert [answer.status_code for answer in answers].count(201) == 1


async def test_a_count_is_set_however_often_it_is_sent(client: Client) -> None:
    answers = [await client.put(f"{CART}/3", json={"count": 7}) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [201, 200]
    assert answers[0].headers["location"] == f"{CART}/3"
    assert (await client.get(f"{CART}/3")).json()["item"]["count"] == 7


@pytest.mark.parametrize("count", [0, 100, "many", None])
async def test_a_bad_count_is_told(client: Client, count: object) -> None:
    answer = await client.post(CART, json={"book_id": 3, "count": count})
    assert (answer.status_code, errors_of(answer)) == (422, ["count"])
    answer = await client.put(f"{CART}/3", json={"count": count})
    assert (answer.status_code, errors_of(answer)) == (422, ["count"])
    assert (await client.get(CART)).json()["items"] == []


async def test_what_is_taken_out_is_gone(client: Client) -> None:
    await client.post(CART, json={"book_id": 3})
    assert [(await client.delete(f"{CART}/3")).status_code for _ in range(2)] == [204, 404]
    assert (await client.get(f"{CART}/3")).status_code == 404


async def test_an_emptied_cart_is_gone(client: Client) -> None:
    await client.post(CART, json={"book_id": 3})
    assert [(await client.delete(CART)).status_code for _ in range(2)] == [204, 404]
    assert (await client.get(CART)).json()["items"] == []


async def test_a_cart_lives_for_a_week_after_the_last_change(
    client: Client, app: Application
) -> None:
    redis, key = app.databases.redis["cache"].client, CART.removeprefix("/carts/")
    for change in (
        client.post(CART, json={"book_id": 3}),
        client.put(f"{CART}/3", json={"count": 2}),
    ):
        await change
        assert LIFETIME - 5 < await redis.ttl(f"storage:cart:{key}") <= LIFETIME
        await redis.expire(f"storage:cart:{key}", 60)


async def test_a_cart_needs_an_id_that_nobody_guesses(client: Client) -> None:
    assert (await client.get("/carts/1")).status_code == 404
