"""What the guide to lists in pages promises."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
from jinja2 import DictLoader
from sqlalchemy import delete

from tests.docs import pages
from tests.docs.test_how_to import served
from tornkit import Application, Settings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tornkit.testing import Client

PAGE = pages.DOCS / "how-to" / "page-through-lists.md"


@pytest.fixture
async def guide(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, Any]:
    monkeypatch.chdir(tmp_path)
    *_, last = await pages.run(PAGE, monkeypatch)
    return last


@pytest.fixture
async def client(guide: dict[str, Any], tmp_path: Path) -> AsyncIterator[Client]:
    overrides = {"databases.default": "sqlite://", "session.store": "memory://"}
    settings = Settings.load("testing", project_dir=tmp_path, overrides=overrides)
    app = Application(settings, modules=[guide["module"]])
    app.templates.loader = DictLoader({"home/courses.html": pages.blocks(PAGE, "html")[0].text})
    async with served(app) as opened:
        database = app.databases.sql["default"]
        async with database.connect(write=True) as connection:
            await connection.run_sync(guide["Base"].metadata.create_all)
        async with database.session() as session:
            session.add_all(
                guide["Course"](title=f"Course {n:02}", room=f"R{n % 3}" if n % 4 else None)
                for n in range(45)
            )
        yield opened


async def test_pages_by_number(client: Client) -> None:
    first = (await client.get("/courses")).text
    assert first.count("<li>") == 20
    assert re.findall(r"\?page=(\d+)", first) == ["2", "3"]
    last = (await client.get("/courses?page=3")).text
    assert last.count("<li>") == 5
    assert "<b>3</b>" in last
    assert "45 courses on 3 pages" in last
    for page, status in (("4", 404), ("0", 400), ("x", 400), ("9" * 400, 400), ("", 400)):
        assert (await client.get(f"/courses?page={page}")).status_code == status


async def test_pages_by_place(client: Client, guide: dict[str, Any]) -> None:
    shown, query = [], ""
    while True:
        answer = (await client.get(f"/feed?size=10{query}")).json()["courses"]
        shown += [course["title"] for course in answer["items"]]
        if answer["next"] is None:
            break
        query = f"&after={answer['next']}"
    assert len(shown) == len(set(shown)) == 45
    assert shown[-1] == "Course 44"  # those without a room come last
    back = (await client.get(f"/feed?size=10&before={answer['previous']}")).json()["courses"]
    assert [course["title"] for course in back["items"]] == shown[30:40]
    database = client.application.databases.sql["default"]
    async with database.session() as session:
        await session.execute(delete(guide["Course"]))
    gone = (await client.get(f"/feed?after={back['next']}")).json()["courses"]
    assert gone["items"] == []


@pytest.mark.parametrize(
    "query", ["after=x", "before=%FF%00", "after=a&before=b", "size=0", "size=all", "after=%F0"]
)
async def test_what_is_no_page_is_a_400(client: Client, query: str) -> None:
    answer = await client.get(f"/feed?{query}", headers={"Accept": "application/json"})
    assert answer.status_code == 400
    assert answer.json()["code"] == 400
