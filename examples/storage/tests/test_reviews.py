"""Reviews: one of each reader for a book, in pages, with versions."""

from datetime import datetime

import pytest
from tornkit.testing import Client

from tests.helpers import add_review, errors_of, send


async def test_a_review_that_was_written_is_there(client: Client) -> None:
    review = {"book_id": 3, "reader": "ann", "stars": 4, "text": "Long."}
    answer = await client.post("/reviews", json=review)
    assert answer.status_code == 201
    assert answer.headers["location"] == "/reviews/3-ann"
    shown = answer.json()["review"]
    assert datetime.fromisoformat(shown.pop("written_at")).tzinfo is not None
    assert shown == {"id": "3-ann", **review}
    assert (await client.get("/reviews/3-ann")).json()["review"] == answer.json()["review"]


async def test_a_reader_reviews_a_book_once(client: Client) -> None:
    place = await add_review(client, 3, "ann", stars=5)
    again = {"book_id": 3, "reader": "ann", "stars": 1}
    answer = await client.post("/reviews", json=again)
    assert (answer.status_code, answer.json()["code"]) == (409, 1002)
    assert (await client.get(place)).json()["review"]["stars"] == 5


async def test_the_list_goes_on_after_the_last_id(client: Client) -> None:
    for book_id, reader in ((3, "ann"), (3, "ben"), (4, "ann"), (3, "eve")):
        await add_review(client, book_id, reader)
    answer = await client.get("/reviews", params={"book": 3, "size": 2})
    assert [each["id"] for each in answer.json()["reviews"]] == ["3-ann", "3-ben"]
    answer = await client.get("/reviews", params={"book": 3, "size": 2, "after": "3-ben"})
    assert [each["id"] for each in answer.json()["reviews"]] == ["3-eve"]
    assert len((await client.get("/reviews")).json()["reviews"]) == 4


async def test_every_bad_field_is_told(client: Client) -> None:
    answer = await client.post("/reviews", json={"book_id": 2**31, "reader": "A b", "stars": 6})
    assert answer.status_code == 422
    assert errors_of(answer) == ["book_id", "reader", "stars"]
    answer = await client.get("/reviews", params={"size": 101})
    assert (answer.status_code, errors_of(answer)) == (422, ["size"])


async def test_what_is_left_out_of_a_change_stays(client: Client) -> None:
    place = await add_review(client, 3, "ann", stars=5)
    answer = await client.patch(place, json={"text": "Long."}, headers={"If-Match": '"1"'})
    assert answer.status_code == 200
    assert answer.headers["etag"] == '"2"'
    review = answer.json()["review"]
    assert (review["stars"], review["text"]) == (5, "Long.")


@pytest.mark.parametrize("method", ["PATCH", "DELETE"])
async def test_who_has_seen_another_version_is_refused(client: Client, method: str) -> None:
    place = await add_review(client, 3, "ann", stars=5)
    await client.patch(place, json={"stars": 4})
    change = {"stars": 1}
    answer = await send(client, method, place, change, If_Match='"1"')
    assert (answer.status_code, answer.json()["code"]) == (412, 1004)
    assert (await client.get(place)).json()["review"]["stars"] == 4


async def test_a_removed_review_is_gone(client: Client) -> None:
    place = await add_review(client, 3, "ann")
    assert (await client.delete(place)).status_code == 204
    assert (await client.get(place)).status_code == 404


@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE"])
async def test_a_review_that_never_was(client: Client, method: str) -> None:
    assert (await send(client, method, "/reviews/3-ann", {"stars": 1})).status_code == 404
