"""Tasks in a site: where they are found, which queue is theirs, what runs around them."""

from __future__ import annotations

import asyncio
import logging
import os
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from tornkit import PUBLIC, Application, BaseHandler, Module, Settings, path
from tornkit._work import CountedWork, current_work
from tornkit.errors import DatabaseError, SettingsError, TaskError
from tornkit.logs import request_id
from tornkit.routing import match
from tornkit.tasks import TaskContext, task

SOURCE = Path(__file__).parents[1] / "src"
MEMORY = {"tasks.queue": "memory://"}


@task
async def look_around(ctx: TaskContext) -> dict[str, Any]:
    work = current_work.get()
    assert work is not None
    async with ctx.db() as session:
        await session.execute(text("SELECT 1"))
    inner = await double.enqueue(2)
    return {
        "request_id": request_id.get(),
        "work": work.name,
        "counted": isinstance(work, CountedWork),
        "queries": work.queries,
        "cache": work.cache is ctx.app.cache,
        "inner": inner.id,
    }


@task
def in_thread(ctx: TaskContext) -> str:
    return request_id.get()


@task
async def double(number: int) -> int:
    return 2 * number


class Page(BaseHandler):
    async def get(self) -> None:
        self.response_json()


home = Module(name="home", access=PUBLIC, routes=[path("/", Page)])


def make(folder: Path, **overrides: Any) -> Application:
    environment = overrides.pop("environment", "testing")
    settings = Settings.load(environment, project_dir=folder, overrides=overrides)
    return Application(settings, modules=[home])


def tasks_of(application: Application) -> Any:
    assert application.tasks is not None
    return application.tasks


# --- where they are found ----------------------------------------------------------------


def write(folder: Path, files: dict[str, str]) -> None:
    for name, content in files.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(textwrap.dedent(content))


MODULE = """
    from tornkit import PUBLIC, BaseHandler, Module, path
    {imports}
    class Page(BaseHandler):
        async def get(self):
            self.response_json()

    module = Module(access=PUBLIC, routes=[path("/", Page)])
"""
TASK = """
    from tornkit.tasks import task

    @task
    async def {name}() -> None: ...
"""
NUMBER = iter(range(100))


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Write a package under a name of its own, and return the site made of it."""
    monkeypatch.syspath_prepend(tmp_path)

    def make_package(files: dict[str, str]) -> Application:
        name = f"task_site_{os.getpid()}_{next(NUMBER)}"
        write(tmp_path, {f"{name}/__init__.py": "", f"{name}/modules/__init__.py": ""})
        write(tmp_path, {f"{name}/{file}": content for file, content in files.items()})
        settings = Settings.load("testing", project_dir=tmp_path, overrides=MEMORY)
        return Application(settings, modules=f"{name}.modules")

    return make_package


def test_they_are_found_in_files_called_tasks_and_beside_handlers(package: Any) -> None:
    application = package(
        {
            "tasks.py": TASK.format(name="first"),
            "modules/home.py": MODULE.format(imports=""),
            "modules/teacher/__init__.py": MODULE.format(imports="from . import handlers"),
            "modules/teacher/handlers.py": TASK.format(name="second"),
            "modules/teacher/tasks.py": TASK.format(name="third"),
        }
    )
    names = {name.rpartition(":")[2] for name in tasks_of(application).registry}
    assert names == {"first", "second", "third"}


def test_a_site_without_tasks_has_none_and_no_such_paths(package: Any) -> None:
    application = package({"modules/home.py": MODULE.format(imports="")})
    assert application.tasks is None
    assert match(application, "GET", "/tasks/x") is None


def test_a_site_with_tasks_answers_for_them(tmp_path: Path) -> None:
    application = make(tmp_path, **MEMORY)
    assert application.reverse_url("tasks:task", job_id="x") == "/tasks/x"
    assert application.reverse_url("tasks:task-events", job_id="x") == "/tasks/x/events"
    assert match(application, "GET", "/ops/tasks") is None
    found = match(make(tmp_path, **MEMORY, **{"tasks.ops_roles": ["head"]}), "GET", "/ops/tasks")
    assert found is not None
    assert str(found.route.access) == "roles(head)"


def test_a_file_of_tasks_that_raises_is_named(package: Any) -> None:
    with pytest.raises(Exception, match=r"\.tasks \(its tasks\) could not be imported") as raised:
        package({"tasks.py": "1 / 0\n", "modules/home.py": MODULE.format(imports="")})
    assert isinstance(raised.value.__cause__, ZeroDivisionError)


@pytest.mark.slow
def test_without_saq_a_site_with_tasks_says_so_and_one_without_starts(tmp_path: Path) -> None:
    """Only the former needs it."""
    code = """
        import sys
        sys.modules["saq"] = None
        from tornkit import PUBLIC, Application, Module, Settings
        from tornkit.errors import TornkitError
        home = Module(name="home", access=PUBLIC, routes=[])
        print(Application(Settings.load("testing"), modules=[home]).tasks)
        from tornkit.tasks import task
        @task
        async def report() -> None: ...
        try:
            Application(Settings.load("testing"), modules=[home])
        except TornkitError as error:
            print(error)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(SOURCE)},
        text=True,
        stdout=subprocess.PIPE,
        check=True,
        timeout=60,
    )
    first, second = done.stdout.splitlines()
    assert first == "None"
    assert second.startswith("task __main__:report (<string>:")
    assert second.endswith('run pip install "tornkit[tasks]"')


# --- the queue ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("overrides", "place"),
    [
        ({}, "{folder}/data/site-tasks.db"),
        ({"databases.default": "sqlite://"}, ""),
        ({"tasks.queue": "sqlite:///own/tasks.db"}, "{folder}/own/tasks.db"),
        ({"tasks.queue": "database://b", "databases.b": "sqlite:///b.db"}, "{folder}/b-tasks.db"),
    ],
    ids=["default", "memory", "own", "another"],
)
def test_the_queue_is_beside_a_database_or_where_it_is_told(
    tmp_path: Path, overrides: dict[str, str], place: str
) -> None:
    found = tasks_of(make(tmp_path, **overrides)).queue.place
    assert found.endswith(place.format(folder=tmp_path))


PASSWORD = "pw-" + "7c1f" * 4


@pytest.mark.parametrize(
    ("overrides", "key"),
    [
        ({"tasks.queue": "nonsense"}, "tasks.queue"),
        ({"tasks.queue": "mysql://host/name"}, "tasks.queue"),
        ({"tasks.queue": "database://nowhere"}, "tasks.queue"),
        ({"databases.default": f"mysql://u:{PASSWORD}@host/name"}, "tasks.queue"),
        ({"tasks.queue": f"redis://:{PASSWORD}@host/no-number"}, "tasks.queue"),
        ({"tasks.queue": f"redis://:{PASSWORD}@host/0"}, "tasks.name"),
        ({"tasks.timezone": "Mars/Olympus"}, "tasks.timezone"),
        ({"tasks.ops_roles": ["Head Master"]}, "tasks.ops_roles[0]"),
        ({"tasks.lease": 1}, "tasks.lease"),
    ],
    ids=["none", "scheme", "bind", "mysql", "redis", "name", "zone", "role", "lease"],
)
def test_what_cannot_be_used_is_refused_with_its_key_and_no_password(
    tmp_path: Path, overrides: dict[str, Any], key: str
) -> None:
    with pytest.raises(SettingsError) as refused:
        make(tmp_path, **overrides)
    (problem,) = refused.value.problems
    assert problem.key == key
    assert PASSWORD not in repr(problem)
    assert problem.expected


def test_the_password_of_a_queue_is_not_listed(tmp_path: Path) -> None:
    settings = Settings.load(
        "testing",
        project_dir=tmp_path,
        overrides={"tasks.queue": f"redis://:{PASSWORD}@host/0"},
    )
    (row,) = [row for row in settings.listing() if row.key == "tasks.queue"]
    assert row.value == "redis://:***@host/0"
    assert PASSWORD not in repr(settings.tasks)


# --- life --------------------------------------------------------------------------------


async def test_what_runs_around_a_task_is_the_sites(tmp_path: Path) -> None:
    counting = {"database_options.default.slow_query": 5}
    async with make(tmp_path, **MEMORY, **counting) as application:
        tasks = tasks_of(application)
        job = await look_around.enqueue()
        ran = await tasks.run_all()
        assert len(ran) == 2
        assert await job.result() == {
            "request_id": job.id,
            "work": f"task {__name__}:look_around",
            "counted": False,
            "queries": 1,
            "cache": True,
            "inner": ran[1].id,
        }
        threaded = await in_thread.enqueue()
        await tasks.run_all()
        assert await threaded.result() == threaded.id
    assert request_id.get() != job.id


async def test_in_development_the_site_runs_them_and_counts_their_queries(tmp_path: Path) -> None:
    async with make(tmp_path, environment="development", **MEMORY):
        job = await look_around.enqueue()
        assert (await job.result(10))["counted"]


async def test_elsewhere_it_runs_them_if_it_is_told_to(tmp_path: Path) -> None:
    async with make(tmp_path, **MEMORY) as application:
        job = await double.enqueue(1)
        assert not await job.wait(0.05)
        assert await tasks_of(application).workers() == {}
    async with make(tmp_path, **MEMORY, **{"tasks.run_in_site": True, "tasks.concurrency": 3}):
        job = await double.enqueue(1)
        assert await job.result(10) == 2


async def test_a_command_can_open_a_site_that_runs_none(tmp_path: Path) -> None:
    application = make(tmp_path, environment="development", **MEMORY)
    await application.startup(run_tasks=False)
    try:
        assert not await (await double.enqueue(1)).wait(0.05)
    finally:
        await application.shutdown()


gates: dict[str, asyncio.Event] = {}


@task
async def wait_for(gate: str) -> str:
    gates[f"{gate} begun"].set()
    await gates[gate].wait()
    return "done"


@pytest.mark.slow
async def test_a_site_that_ends_takes_no_more_and_waits_for_what_runs(tmp_path: Path) -> None:
    application = make(
        tmp_path, **{"tasks.run_in_site": True, "tasks.queue": "sqlite:///tasks.db"}
    )
    gates["end"], gates["end begun"] = asyncio.Event(), asyncio.Event()
    async with application:
        running = await wait_for.enqueue("end")
        await gates["end begun"].wait()
        application.begin_draining()
        assert application.draining.is_set()
        await asyncio.sleep(0.05)
        late = await double.enqueue(1)
        assert not await late.wait(0.2)
        ending = asyncio.create_task(application.shutdown())
        await asyncio.wait([ending], timeout=0.1)
        assert not ending.done()
        gates["end"].set()
        await ending
    async with application:
        assert not application.draining.is_set(), "a site that was closed opens again"
        assert await running.result(10) == "done"
        assert await late.result(10) == 2, "and runs what was left"


async def test_what_does_not_end_in_time_goes_back(tmp_path: Path) -> None:
    overrides = {"tasks.queue": "sqlite:///tasks.db", "tasks.shutdown_timeout": 0}
    gates["late"], gates["late begun"] = asyncio.Event(), asyncio.Event()
    async with make(tmp_path, **overrides, **{"tasks.run_in_site": True}):
        job = await wait_for.enqueue("late")
        await gates["late begun"].wait()
    async with make(tmp_path, **overrides) as application:
        again = await tasks_of(application).get(job.id)
        assert (again.state, again.attempts) == ("queued", 0)


async def test_readiness_asks_the_queue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with make(tmp_path, **MEMORY) as application:
        async with application.db() as session:
            await session.execute(text("SELECT 1"))
        health = await application.health()
        names = {reading.name: reading.error for reading in health.readings}
        assert names["tasks.queue"] is None

        async def ping() -> None:
            raise TaskError("it is away")

        monkeypatch.setattr(application.tasks, "ping", ping)
        health = await application.health()
        assert not health.is_ready
        (told,) = [each for each in health.readings if each.name == "tasks.queue"]
        assert told.error == "it is away"


async def test_what_cannot_be_opened_leaves_nothing_open(tmp_path: Path) -> None:
    (tmp_path / "tasks.db").mkdir()
    application = make(tmp_path, **{"tasks.queue": "sqlite:///tasks.db"})
    with pytest.raises(TaskError, match=r"tasks\.db"):
        await application.startup()
    with pytest.raises(DatabaseError):
        async with application.db() as session:
            await session.execute(text("SELECT 1"))


async def test_a_failed_task_is_logged_with_its_id(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    seen: list[str] = []

    class Watch(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            seen.append(request_id.get())

    async with make(tmp_path, **MEMORY) as application:
        logger = logging.getLogger("tests.tasks")
        logger.addHandler(handler := Watch())
        job = await speak.enqueue()
        with caplog.at_level(logging.INFO):
            await tasks_of(application).run_all()
        logger.removeHandler(handler)
    assert seen == [job.id]


@task
async def speak() -> None:
    logging.getLogger("tests.tasks").warning("from a task")
