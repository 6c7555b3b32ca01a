"""The guide to tasks keeps what it promises."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.docs import pages
from tests.docs.test_how_to import served
from tornkit import PUBLIC, Application, Module, Settings, path
from tornkit.testing import TaskClock

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tornkit.tasks import Tasks
    from tornkit.testing import Client

PAGE = pages.DOCS / "how-to" / "run-tasks.md"


@pytest.fixture
async def guide(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    return (await pages.run(PAGE, monkeypatch))[-1]


@pytest.fixture
async def client(guide: dict[str, Any], tmp_path: Path) -> AsyncIterator[Client]:
    settings = Settings.load(
        "testing",
        project_dir=tmp_path,
        overrides={"session.store": "memory://", "tasks.queue": "memory://"},
    )
    routes = [
        path("/reports/{class_id:int}", guide["Report"]),
        path("/later/{class_id:int}", guide["Later"]),
        path("/enrol", guide["Enrol"]),
    ]
    home = Module(name="home", access=PUBLIC, routes=routes)
    # The tasks of a page are in no file that is searched; the module's own is the page's.
    object.__setattr__(home, "defined_in", guide["__name__"])
    async with served(Application(settings, modules=[home])) as client:
        yield client


def tasks_of(client: Client) -> Tasks:
    """Return the tasks of a site that has some."""
    tasks = client.application.tasks
    assert tasks is not None
    return tasks


async def test_the_tests_of_the_guide_pass(guide: dict[str, Any], client: Client) -> None:
    await guide["test_a_report_is_made"](client)
    clock = TaskClock()
    tasks_of(client).queue.clock = clock
    await guide["test_the_night"](client.application, clock)


async def test_a_job_is_made_once_and_begins_with_the_data(client: Client) -> None:
    first, second = [(await client.post("/later/3")).json() for _ in range(2)]
    assert (first["is_new"], second["is_new"]) == (True, False)
    assert first["task"]["id"] == second["task"]["id"]
    assert (await client.post("/enrol")).status_code == 200
    names = [job.name.rpartition(":")[2] for job in await tasks_of(client).run_all()]
    assert sorted(names) == ["report", "welcome"]
    assert (await tasks_of(client).counts())["queued"] == 4


@pytest.mark.slow
async def test_a_job_is_followed(guide: dict[str, Any], client: Client) -> None:
    tasks = tasks_of(client)
    async with tasks.worker():
        assert await guide["follow"](tasks) == "reports/3.pdf"
