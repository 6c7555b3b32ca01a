"""Books: a list in pages, unique ISBNs, versions."""

import asyncio

import pytest
from sqlalchemy import text
from tornkit import Application
from tornkit.testing import Client

from storage.models import Book
from tests.helpers import DUNE, EMMA, add_book, errors_of, send

SOMEBODY_WAITS_FOR_ME = (
    "SELECT count(*) FROM pg_locks WHERE pg_backend_pid() = ANY(pg_blocking_pids(pid))"
)


async def test_a_book_that_was_added_is_there(client: Client) -> None:
    answer = await client.post("/books", json=DUNE)
    assert answer.status_code == 201
    assert answer.headers["location"] == "/books/1"
    assert answer.headers["etag"] == '"1"'
    assert answer.json() == {"code": 0, "message": "", "book": {"id": 1, **DUNE}}
    answer = await client.get("/books/1")
    assert answer.status_code == 200
    assert answer.json()["book"] == {"id": 1, **DUNE}


async def test_the_list_comes_in_pages(client: Client) -> None:
    await add_book(client, EMMA)
    await add_book(client, DUNE)
    answer = await client.get("/books", params={"page": 2, "size": 1})
    books = answer.json()["books"]
    assert [book["title"] for book in books["items"]] == ["Emma"]
    assert (books["total"], books["pages"], books["next"]) == (2, 2, None)


@pytest.mark.parametrize(("page", "status"), [("3", 404), ("0", 400), ("x", 400)])
async def test_a_page_that_is_none(client: Client, page: str, status: int) -> None:
    assert (await client.get("/books", params={"page": page})).status_code == status


async def test_the_same_isbn_twice_is_a_conflict(client: Client) -> None:
    await add_book(client)
    answer = await client.post("/books", json={**EMMA, "isbn": DUNE["isbn"]})
    assert (answer.status_code, answer.json()["code"]) == (409, 1001)
    assert errors_of(answer) == ["isbn"]
    assert (await client.get("/books")).json()["books"]["total"] == 1


async def test_every_bad_field_is_told(client: Client) -> None:
    answer = await client.post("/books", json={"isbn": "x", "title": " ", "autor": "y"})
    assert answer.status_code == 422
    assert errors_of(answer) == ["author", "autor", "isbn", "title"]


async def test_what_is_left_out_of_a_change_stays(client: Client) -> None:
    place = await add_book(client)
    answer = await client.patch(place, json={"title": "Dune, again"})
    assert answer.status_code == 200
    assert answer.headers["etag"] == '"2"'
    assert answer.json()["book"] == {"id": 1, **DUNE, "title": "Dune, again"}


@pytest.mark.parametrize("method", ["PATCH", "DELETE"])
async def test_who_has_seen_another_version_is_refused(client: Client, method: str) -> None:
    place = await add_book(client)
    await client.patch(place, json={"title": "Dune, again"})
    change = {"title": "Emma"}
    answer = await send(client, method, place, change, If_Match='"1"')
    assert (answer.status_code, answer.json()["code"]) == (412, 1004)
    assert (await client.get(place)).json()["book"]["title"] == "Dune, again"
    answer = await send(client, method, place, change, If_Match='"2"')
    assert answer.status_code in {200, 204}


@pytest.mark.parametrize("method", ["PATCH", "DELETE"])
async def test_of_two_changes_at_the_same_moment_one_is_refused(
    client: Client, app: Application, method: str
) -> None:
    place = await add_book(client)
    if app.databases.sql["default"].dialect != "postgresql":
        pytest.skip("SQLite lets one writer in at a time: the second reads what the first wrote")
    async with app.db() as first:
        (await first.get_one(Book, 1)).title = "Dune, again"
        await first.flush()
        second = asyncio.create_task(send(client, method, place, {"title": "Dune, once more"}))
        while not await first.scalar(text(SOMEBODY_WAITS_FOR_ME)):
            assert not second.done()
    answer = await second
    assert (answer.status_code, answer.json()["code"]) == (412, 1004)
    assert (await client.get(place)).json()["book"]["title"] == "Dune, again"


async def test_a_client_that_has_the_version_is_not_sent_it_again(client: Client) -> None:
    place = await add_book(client)
    answer = await client.get(place, headers={"If-None-Match": '"1"'})
    assert answer.status_code == 304
    assert answer.content == b""


async def test_a_removed_book_is_gone(client: Client) -> None:
    place = await add_book(client)
    answer = await client.delete(place)
    assert (answer.status_code, answer.content) == (204, b"")
    assert (await client.get(place)).status_code == 404


@pytest.mark.parametrize("number", ["7", "99999999999999999999"])
@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE"])
async def test_a_book_that_never_was(client: Client, method: str, number: str) -> None:
    answer = await send(client, method, f"/books/{number}", {})
    assert (answer.status_code, answer.json()["code"]) == (404, 404)
