"""Tasks in a project's tests: a queue of the test's own, run when it says so, by its clock."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from tests.testing.test_plugin import passed, write
from tornkit.testing import TaskClock

if TYPE_CHECKING:
    from pathlib import Path

FILES = {
    "shop/__init__.py": "",
    "shop/tasks.py": """
        from tornkit.tasks import task

        @task
        async def double(number: int) -> int:
            return 2 * number

        @task
        async def fail() -> None:
            raise ValueError("it fails")

        @task(cron="0 3 * * *")
        async def nightly() -> str:
            return "slept"
    """,
    "shop/app.py": """
        from tornkit import Application, Settings

        def create_app():
            return Application(Settings.load(), modules="shop.modules")
    """,
    "shop/modules/__init__.py": "",
    "shop/modules/home.py": """
        from shop.tasks import double
        from tornkit import PUBLIC, BaseHandler, Module, path

        class Doubles(BaseHandler):
            async def post(self):
                self.response_json(task=await self.enqueue(double, 21))

        module = Module(access=PUBLIC, routes=[path("/doubles", Doubles)])
    """,
    "settings.toml": """
        [tasks]
        queue = "redis://:hush@redis.invalid/0"
        run_in_site = true
    """,
    "pyproject.toml": """
        [tool.tornkit]
        app = "shop.app:create_app"

        [tool.pytest.ini_options]
        asyncio_mode = "auto"
        asyncio_default_fixture_loop_scope = "function"
        filterwarnings = ["error"]
    """,
    "test_shop.py": """
        from datetime import UTC, datetime
        import pytest
        from shop.tasks import double, fail, nightly
        from tornkit.errors import TaskFailed

        @pytest.mark.parametrize("turn", [1, 2])
        async def test_what_is_enqueued_runs_when_the_test_says_so(app, client, turn):
            job_id = (await client.post("/doubles")).json()["task"]["id"]
            assert (await client.get(f"/tasks/{job_id}")).json()["task"]["status"] == "queued"
            (job,) = await app.tasks.run_all()
            assert await job.result() == 42
            assert (await client.get(f"/tasks/{job_id}")).json()["task"]["result"] == 42

        async def test_a_failure_is_the_tests(app):
            await fail.enqueue()
            with pytest.raises(TaskFailed, match="it fails"):
                await app.tasks.run_all()

        async def test_schedules_go_by_the_clock(app, task_clock):
            task_clock.set(datetime(2026, 11, 30, 2, 59, tzinfo=UTC))
            assert await app.tasks.run_all() == []
            task_clock.move(minutes=2)
            (job,) = await app.tasks.run_all()
            assert (job.name, await job.result()) == (nightly.name, "slept")
            assert job.finished_at == task_clock.now
            await double.using(delay="1h").enqueue(1)
            assert await app.tasks.run_all() == []
            task_clock.move(hours=1)
            assert len(await app.tasks.run_all()) == 1
    """,
}


@pytest.mark.slow
def test_a_test_runs_tasks_on_a_queue_of_its_own(tmp_path: Path) -> None:
    write(tmp_path, FILES)
    assert passed(tmp_path).startswith("4 passed")


def test_a_clock_stands_still_until_it_is_moved() -> None:
    clock = TaskClock()
    assert clock() == clock()
    clock.set(datetime(2026, 11, 30, 2, 59, tzinfo=UTC))
    clock.move(days=1, minutes=-59)
    assert clock.now == datetime(2026, 12, 1, 2, 0, tzinfo=UTC)
    assert repr(clock) == "<TaskClock 2026-12-01T02:00:00+00:00>"
    with pytest.raises(ValueError, match="no time zone"):
        clock.set(datetime(2026, 11, 30))  # noqa: DTZ001 - that is what is refused
