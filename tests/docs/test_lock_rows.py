"""The guide to locks and versions keeps what it promises, on every server."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import delete

from tests import services
from tests.docs import pages
from tests.docs.test_how_to import served
from tornkit import Application, Settings
from tornkit.errors import StaleData

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from pathlib import Path

    from tornkit.testing import Client

PAGE = pages.DOCS / "how-to" / "lock-rows.md"


@pytest.fixture(scope="module")
def servers() -> Iterator[Callable[[str], str]]:
    with services.fresh_databases() as url_of:
        yield url_of


@pytest.fixture
async def guide(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    return (await pages.run(PAGE, monkeypatch))[-1]


@pytest.fixture(
    params=[
        "sqlite",
        pytest.param("postgresql", marks=pytest.mark.slow),
        pytest.param("mysql", marks=pytest.mark.slow),
    ]
)
async def client(
    request: pytest.FixtureRequest,
    guide: dict[str, Any],
    servers: Callable[[str], str],
    tmp_path: Path,
) -> AsyncIterator[Client]:
    url = "sqlite:///site.db" if request.param == "sqlite" else servers(request.param)
    overrides = {"databases.default": url, "session.store": "memory://"}
    settings = Settings.load("testing", project_dir=tmp_path, overrides=overrides)
    guide["Course"].__table__.c.title.type.length = 50  # MariaDB wants one
    async with served(Application(settings, modules=[guide["module"]])) as opened:
        database = opened.application.databases.sql["default"]
        async with database.connect(write=True) as connection:
            await connection.run_sync(guide["Base"].metadata.drop_all)
            await connection.run_sync(guide["Base"].metadata.create_all)
        async with database.session() as session:
            session.add(guide["Course"](id=1, title="Physics", seats=3))
        yield opened


async def test_the_second_of_two_forms_is_a_409(client: Client) -> None:
    first = await client.post("/courses/1", data={"title": "Chemistry", "version": "1"})
    assert (first.status_code, first.json()["version"]) == (200, 2)
    second = await client.post("/courses/1", data={"title": "Biology", "version": "1"})
    assert second.status_code == 409
    third = await client.post("/courses/1", data={"title": "Biology", "version": "2"})
    assert third.json()["version"] == 3


async def test_of_two_blocks_that_read_the_same_version_one_is_refused(
    client: Client, guide: dict[str, Any]
) -> None:
    database, course = client.application.databases.sql["default"], guide["Course"]
    if database.dialect == "sqlite":
        pytest.skip("there one writing block waits for the other")
    both_have_read = asyncio.Barrier(2)

    async def change(title: str) -> None:
        async with database.session() as session:
            found = await session.get_one(course, 1)
            await both_have_read.wait()
            found.title = title

    results = await asyncio.gather(change("a"), change("b"), return_exceptions=True)
    (refused,) = [each for each in results if each is not None]
    assert isinstance(refused, StaleData), repr(refused)
    async with database.session(read_only=True) as session:
        assert (await session.get_one(course, 1)).version == 2


async def test_a_row_that_is_gone_is_stale(client: Client, guide: dict[str, Any]) -> None:
    database, course = client.application.databases.sql["default"], guide["Course"]

    async def change() -> None:
        async with database.session() as session:
            found = await session.get_one(course, 1)
            connection = await session.connection()
            await connection.execute(delete(course.__table__))
            found.title = "Biology"

    with pytest.raises(StaleData, match="database 'default': a row was changed or") as refused:
        await change()
    assert refused.value.check_id == "databases.stale"
    assert "courses" in refused.value.message
    async with database.session(read_only=True) as session:
        assert (await session.get_one(course, 1)).title == "Physics"


async def test_seats_are_taken_one_by_one(client: Client) -> None:
    answers = await asyncio.gather(*(client.post("/courses/1/seats") for _ in range(8)))
    assert sorted(answer.status_code for answer in answers) == [200] * 3 + [409] * 5
    assert sorted(a.json()["seats"] for a in answers if a.status_code == 200) == [0, 1, 2]
