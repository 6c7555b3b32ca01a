"""Answers that leave while a read-only block is open, and the counting of queries."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select

from tests.handlers.conftest import Note
from tornkit import PUBLIC, BaseHandler, Module, path

if TYPE_CHECKING:
    from tests.handlers.conftest import StartSite

FILE: dict[str, object] = {"databases.default": "sqlite:///site.db"}


class Export(BaseHandler):
    async def get(self) -> None:
        self.session["exported"] = True
        async with self.db(read_only=True) as session:
            for note in await session.scalars(select(Note).order_by(Note.id)):
                self.write(f"{note.text}\n")
                await self.flush()

    async def post(self) -> None:
        async with self.db(), self.db(read_only=True):
            await self.flush()

    async def put(self) -> None:
        async with self.db(read_only=True):
            self.write("begun")
        async with self.db():
            await self.flush()


class Rows(BaseHandler):
    async def get(self) -> None:
        async with self.db(read_only=True) as session:
            for number in range(12):
                await session.scalar(select(Note).where(Note.id == number))
        self.response_json()


home = Module(name="home", access=PUBLIC, routes=[path("/export", Export), path("/rows", Rows)])


async def test_rows_leave_as_they_are_read_and_the_session_first(start: StartSite) -> None:
    client = await start(home, overrides=FILE)
    async with client.application.db() as session:
        session.add_all([Note(text="one"), Note(text="two")])
    answer = await client.get("/export")
    assert (answer.status_code, answer.text) == (200, "one\ntwo\n")
    assert answer.headers["Transfer-Encoding"] == "chunked"
    assert "tornkit_session" in answer.cookies


@pytest.mark.parametrize("method", ["POST", "PUT"])
async def test_where_something_may_be_rolled_back_nothing_leaves(
    start: StartSite, caplog: pytest.LogCaptureFixture, method: str
) -> None:
    client = await start(home, overrides=FILE)
    assert (await client.request(method, "/export")).status_code == 500
    assert "flush() inside a self.db() block would send" in caplog.text


async def test_in_development_queries_are_counted_and_repeated_ones_told(
    start: StartSite, caplog: pytest.LogCaptureFixture
) -> None:
    client = await start(home, overrides=FILE, environment="development")
    with caplog.at_level(logging.INFO):
        assert (await client.get("/rows")).status_code == 200
    (line,) = [each.message for each in caplog.records if each.name == "tornkit.access"]
    assert "(12 queries, " in line
    (told,) = [each.message for each in caplog.records if each.name == "tornkit.databases"]
    assert told.startswith(f"the same query ran 10 times in GET {__name__}:Rows: SELECT notes.id")


async def test_a_slow_query_is_told_with_its_handler(
    start: StartSite, caplog: pytest.LogCaptureFixture
) -> None:
    slow: dict[str, object] = {"database_options.default.slow_query": 0}
    client = await start(home, overrides=FILE | slow)
    assert (await client.get("/rows")).status_code == 200
    told = [each.message for each in caplog.records if each.name == "tornkit.databases"]
    assert sum(f"slow query in GET {__name__}:Rows" in each for each in told) == 12


async def test_elsewhere_nothing_is_counted(
    start: StartSite, caplog: pytest.LogCaptureFixture
) -> None:
    client = await start(home, overrides=FILE)
    with caplog.at_level(logging.INFO):
        assert (await client.get("/rows")).status_code == 200
    (line,) = [each.message for each in caplog.records if each.name == "tornkit.access"]
    assert "queries" not in line
