"""What `task` makes of a function, and what it refuses."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, assert_type

import pytest

from tests.tasks.support import open_tasks
from tornkit.errors import TaskError, UnknownTask
from tornkit.tasks import Job, TaskContext, Tasks, task, use_tasks
from tornkit.tasks.task import AsyncTask, SyncTask

if TYPE_CHECKING:
    from pathlib import Path


@task
async def double(number: int) -> int:
    """Return twice the number."""
    return 2 * number


@task(retries=3, timeout="5m")
def triple(ctx: TaskContext, number: int) -> int:
    return 3 * number * ctx.attempt


@task(name="reports", run_in="process", priority=-5, ttl=timedelta(days=1))
def report(class_id: int, *, year: int = 2026) -> str:
    return f"{class_id} {year}"


async def test_a_task_is_called_like_its_function() -> None:
    assert await double(21) == 42
    assert triple(number=2) == 6
    assert report(1) == "1 2026"
    assert (double.__name__, double.__doc__) == ("double", "Return twice the number.")
    assert double.name == "tests.tasks.test_task:double"
    assert report.name == "reports"
    assert triple.place.endswith("tests/tasks/test_task.py:27")
    assert repr(double) == "<task tests.tasks.test_task:double>"


def test_options_are_read() -> None:
    assert (triple.options.retries, triple.options.timeout) == (3, 300.0)
    assert (double.options.timeout, double.options.ttl) == (3600.0, 604_800.0)
    assert (double.options.run_in, triple.options.run_in, report.options.run_in) == (
        "loop",
        "thread",
        "process",
    )
    assert (triple.takes_context, report.takes_context) == (True, False)


async def test_types_are_kept() -> None:
    assert isinstance(double, AsyncTask)
    assert isinstance(triple, SyncTask)
    assert_type(report(1), str)
    assert_type(await double(1), int)
    async with open_tasks(double, triple, report) as tasks:
        assert_type(await double.enqueue(1), Job[int])
        assert_type(await triple.using(delay=1).enqueue(number=1), Job[int])
        assert_type(await tasks.enqueue(report, 1, year=2), Job[str])
        assert_type(await tasks.enqueue(double.using(key="x"), 1), Job[int])
        with pytest.raises(TypeError, match=r"task .*double: missing a required argument"):
            await double.enqueue()  # type: ignore[call-arg]


def test_what_asks_for_a_context_is_given_one() -> None:
    def named(ctx):  # type: ignore[no-untyped-def]
        return ctx

    def annotated(context: TaskContext) -> Any:
        return context

    def other(ctx: int) -> Any:
        return ctx

    def nothing() -> None: ...

    asks = [task(each).takes_context for each in (named, annotated, other, nothing)]
    assert asks == [True, True, False, False]


class Holder:
    def method(self) -> None: ...


def generator() -> Any:
    yield 1


async def needs(argument: int) -> None: ...


async def plain() -> None: ...


def sync() -> None: ...


@pytest.mark.parametrize(
    ("function", "options", "complaint"),
    [
        (Holder, {}, "it is for functions"),
        (print, {}, "it is for functions"),
        (Holder.method, {}, "is a method; make it a function"),
        (generator, {}, "yields; return a list"),
        (plain, {"retries": -1}, "retries is -1; expected a whole number from 0 to 1000"),
        (plain, {"retries": True}, "retries is True"),
        (plain, {"timeout": "5 parsecs"}, "timeout is '5 parsecs'; give seconds from 0.001"),
        (plain, {"timeout": 0}, "timeout is 0"),
        (plain, {"timeout": float("nan")}, "timeout is nan"),
        (plain, {"ttl": 0.5}, "ttl is 0.5; give seconds from 1"),
        (plain, {"ttl": "9999d"}, "ttl is '9999d'"),
        (plain, {"priority": 101}, "priority is 101; expected a whole number from -100 to 100"),
        (plain, {"every": "5m", "cron": "* * * * *"}, "both every= and cron="),
        (plain, {"every": 0.5}, "every is 0.5; give seconds from 1"),
        (plain, {"missed": "skip"}, "missed= is for polling tasks"),
        (plain, {"every": 5, "missed": "twice"}, "missed is 'twice'; expected run or skip"),
        (plain, {"run_in": "thread"}, "is async and has run_in='thread'"),
        (sync, {"run_in": "loop"}, "expected thread or process: a plain def would stop the loop"),
        (needs, {"every": "5m"}, "runs on a schedule and needs the argument 'argument'"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_cannot_be_a_task_is_refused(
    function: Any, options: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(TaskError) as refused:
        task(**options)(function)
    assert complaint in str(refused.value)


def test_a_process_imports_its_task() -> None:
    def inside() -> None: ...

    with pytest.raises(TaskError, match="move it to the top of its file"):
        task(run_in="process")(inside)


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"delay": 1, "at": datetime(2030, 1, 1, tzinfo=UTC)}, "both delay= and at="),
        ({"delay": -1}, "delay is -1"),
        ({"at": datetime(2026, 1, 1)}, "expected a datetime with a time zone"),  # noqa: DTZ001
        ({"at": "tomorrow"}, "expected a datetime with a time zone"),
        ({"key": ""}, "key is ''; expected 1 to 200 printable characters"),
        ({"key": "x" * 201}, "expected 1 to 200 printable"),
        ({"key": "a\nb"}, "expected 1 to 200 printable"),
        ({"key": 5}, "key is 5"),
        ({"owner": ""}, "owner is ''"),
        ({"priority": 1.5}, "priority is 1.5"),
        ({"timeout": 0}, "timeout is 0"),
        ({"retries": "3"}, "retries is '3'"),
    ],
    ids=str,
)
def test_what_cannot_be_one_job_is_refused(options: dict[str, Any], complaint: str) -> None:
    with pytest.raises(TaskError) as refused:
        double.using(**options)
    assert complaint in str(refused.value)


# --- which application is meant --------------------------------------------------------------


async def test_a_task_finds_its_application() -> None:
    with pytest.raises(TaskError, match="no application has started its tasks here"):
        await double.enqueue(1)
    async with open_tasks(double) as first, open_tasks(triple) as second:
        assert (await double.enqueue(1))._tasks is first
        assert (await triple.enqueue(number=1))._tasks is second
        with pytest.raises(UnknownTask, match=r"reports .* belongs to no application"):
            await report.enqueue(1)
        with use_tasks(first), pytest.raises(UnknownTask, match="there is no task 'reports'"):
            await report.enqueue(1)
        async with open_tasks(double) as third:
            with pytest.raises(TaskError, match="belongs to 2 applications of this process"):
                await double.enqueue(1)
            with use_tasks(third):
                assert (await double.enqueue(1))._tasks is third
            assert (await third.enqueue(double, 1))._tasks is third


WITHOUT_SAQ = """
import sys
sys.modules["saq"] = None
from tornkit.tasks import Tasks, task

@task(every="5m")
async def poll(): ...

for url in ("memory://", "postgresql://host/x", "redis://host"):
    try:
        Tasks(url, [poll])
    except ImportError as error:
        print(type(error).__name__, error)
"""


@pytest.mark.slow
def test_without_saq_tasks_can_be_declared_and_the_queue_says_what_to_install(
    tmp_path: Path,
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_SAQ],
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
    )
    lines = done.stdout.splitlines()
    assert [line.split()[0] for line in lines] == ["MissingDriver"] * 3
    assert lines[0].endswith('; run pip install "tornkit[tasks]"')
    assert lines[1].endswith('; run pip install "tornkit[tasks,postgresql]"')
    assert lines[2].endswith('; run pip install "tornkit[tasks,redis]"')


@pytest.mark.slow
def test_a_task_of_the_main_module_has_the_name_that_others_import_it_by(tmp_path: Path) -> None:
    package = tmp_path / "shop"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "jobs.py").write_text(
        "from tornkit.tasks import task\n@task\nasync def sell(): ...\nprint(sell.name)\n"
    )
    command = [sys.executable, "-m", "shop.jobs"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=tmp_path)
    assert done.stdout == "shop.jobs:sell\n"


def test_importing_costs_neither_saq_nor_sqlalchemy() -> None:
    code = (
        "import sys, tornkit.tasks; "
        "print({'saq', 'sqlalchemy', 'redis', 'psycopg'}.intersection(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


def test_tasks_are_shown_by_where_their_queue_is() -> None:
    assert repr(Tasks("memory://")) == "<Tasks memory://>"
