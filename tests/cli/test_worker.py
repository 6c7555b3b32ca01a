"""``tornkit worker``, as a process: it runs jobs, waits for its queue, stops without loss."""

from __future__ import annotations

import json
import os
import re
import signal
from typing import TYPE_CHECKING, Any

import pytest

from tests.cli.processes import Running, tornkit
from tests.cli.test_commands import one_line
from tests.sessions.redis_server import RedisServer

if TYPE_CHECKING:
    from tests.cli.conftest import Project

TASKS = """
import asyncio
from tornkit.tasks import TaskContext, task

TEXT = "one"

@task
async def speak(text: str) -> str:
    print("SAID", TEXT, text, flush=True)
    return text

@task
async def last(ctx: TaskContext, seconds: float) -> str:
    print("BEGUN", ctx.attempt, flush=True)
    await asyncio.sleep(seconds)
    return "ended"
"""
ENQUEUE = """
from PACKAGE.tasks import last, speak
print("ID", (await CALL).id)
"""


@pytest.fixture
def site(project: Project) -> Project:
    project.write("PACKAGE/tasks.py", TASKS)
    return project


def worker(site: Project, *options: str, **variables: str) -> Running:
    return Running("worker", "--no-reload", *options, cwd=site.folder, **variables)


def enqueue(site: Project, call: str, **variables: str) -> str:
    """Enqueue a job from a process of its own; return its id."""
    code = ENQUEUE.replace("PACKAGE", site.package).replace("CALL", call)
    done = tornkit("shell", "-c", code, cwd=site.folder, **variables)
    found = re.search(r"ID (\w+)", done.stdout)
    assert found, done.stderr
    return found[1]


def job(site: Project, job_id: str) -> dict[str, Any]:
    shown: dict[str, Any] = json.loads(
        tornkit("tasks", "show", job_id, "--json", cwd=site.folder).stdout
    )
    return shown


def test_how_many_at_a_time_has_limits(project: Project) -> None:
    assert "--concurrency" in one_line(project.tornkit("worker", "--concurrency", "0"), 2)
    assert "--concurrency" in one_line(project.tornkit("worker", "--concurrency", "x"), 2)


@pytest.mark.slow
def test_it_says_once_that_it_is_ready_runs_jobs_and_leaves(site: Project) -> None:
    before = enqueue(site, "speak.enqueue('before')")
    with worker(site, "--concurrency", "3") as running:
        ready = running.wait_for("Working on")
        assert "2 tasks of sqlite:///" in ready.string
        assert "3 at a time (development)" in ready.string
        running.wait_for("SAID one before")
        enqueue(site, "speak.enqueue('after')")
        running.wait_for("SAID one after")
        assert running.end(signal.SIGTERM) == 0
    assert job(site, before)["status"] == "complete"
    assert "Traceback" not in running.text


@pytest.mark.slow
@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_running_jobs_end_before_it_leaves(site: Project, number: int, code: int) -> None:
    job_id = enqueue(site, "last.enqueue(1.5)")
    with worker(site) as running:
        running.wait_for("BEGUN 1")
        assert running.end(number) == code
    assert job(site, job_id)["status"] == "complete"


@pytest.mark.slow
def test_what_does_not_end_in_time_goes_back_and_counts_as_no_attempt(site: Project) -> None:
    job_id = enqueue(site, "last.enqueue(60)")
    with worker(site, SITE_TASKS__SHUTDOWN_TIMEOUT="0.2") as running:
        running.wait_for("BEGUN 1")
        assert running.end(signal.SIGTERM) == 0
    shown = job(site, job_id)
    assert (shown["status"], shown["attempts"]) == ("queued", 0)
    with worker(site, SITE_TASKS__SHUTDOWN_TIMEOUT="0.2") as running:
        running.wait_for("BEGUN 1")


@pytest.mark.slow
def test_a_second_signal_gives_back_at_once(site: Project) -> None:
    job_id = enqueue(site, "last.enqueue(60)")
    with worker(site) as running:
        running.wait_for("BEGUN 1")
        os.kill(running.process.pid, signal.SIGINT)
        assert running.end(signal.SIGTERM) in (0, 130)
    assert job(site, job_id)["status"] == "queued"


@pytest.mark.slow
def test_a_second_signal_gives_back_at_once_in_development_too(site: Project) -> None:
    job_id = enqueue(site, "last.enqueue(60)")
    with Running("worker", cwd=site.folder) as running:
        running.wait_for("BEGUN 1")
        os.kill(running.process.pid, signal.SIGINT)
        assert running.end(signal.SIGTERM) == 0
    shown = job(site, job_id)
    assert (shown["status"], shown["lost"]) == ("queued", 0)


@pytest.mark.slow
def test_what_runs_is_aborted_from_elsewhere(site: Project) -> None:
    job_id = enqueue(site, "last.enqueue(60)")
    with worker(site) as running:
        running.wait_for("BEGUN 1")
        said = tornkit("tasks", "abort", job_id, cwd=site.folder).stdout
        assert re.match(f"Job {job_id} of .* is abort(ing|ed)\\.", said)
        assert running.end(signal.SIGTERM) == 0  # in less than the 30 seconds that it may take
    shown = job(site, job_id)
    assert (shown["status"], shown["error"]) == ("aborted", "aborted by tornkit tasks abort")


@pytest.mark.slow
def test_a_killed_worker_is_replaced_by_the_next(site: Project) -> None:
    job_id = enqueue(site, "last.enqueue(1)")
    with worker(site, SITE_TASKS__LEASE="3") as running:
        running.wait_for("BEGUN 1")
        assert running.end(signal.SIGKILL) == -signal.SIGKILL
    with worker(site, SITE_TASKS__LEASE="3") as running:
        running.wait_for("BEGUN")
        running.end(signal.SIGTERM)
    shown = job(site, job_id)
    assert (shown["status"], shown["lost"]) == ("complete", 1)


@pytest.mark.slow
def test_a_queue_that_is_away_is_waited_for_with_one_line(site: Project) -> None:
    server = RedisServer()
    with worker(site, SITE_TASKS__QUEUE=server.url) as running:
        running.wait_for("does not answer.*; asking again until it does")
        with server:
            running.wait_for("Working on 2 tasks of redis://")
            enqueue(site, "speak.enqueue('late')", SITE_TASKS__QUEUE=server.url)
            running.wait_for("SAID one late")
            assert running.end(signal.SIGTERM) == 0
    assert running.text.count("does not answer") == 1


@pytest.mark.slow
@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_it_leaves_while_it_waits(site: Project, number: int, code: int) -> None:
    with worker(site, SITE_TASKS__QUEUE="redis://127.0.0.1:1/0") as running:
        running.wait_for("asking again")
        assert running.end(number) == code


@pytest.mark.slow
@pytest.mark.parametrize("command", ["check", "worker --no-reload", "run --no-reload"])
def test_a_file_that_can_be_no_queue_is_one_line(site: Project, command: str) -> None:
    file = site.write("data/tasks.db", "x" * 5000)
    done = tornkit(*command.split(), cwd=site.folder, SITE_TASKS__QUEUE="sqlite:///data/tasks.db")
    assert done.returncode == 1
    (line,) = [line for line in (done.stdout + done.stderr).splitlines() if "rror: " in line]
    assert f"the file of the task queue, {file}, is no SQLite database" in line


@pytest.mark.slow
def test_what_run_would_refuse_it_refuses(site: Project) -> None:
    site.write("PACKAGE/templates/home.html", "{% if %}")
    done = tornkit("worker", "--no-reload", cwd=site.folder)
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert "home.html" in line


@pytest.mark.slow
def test_a_changed_file_restarts_it_in_development(site: Project) -> None:
    job_id = enqueue(site, "last.enqueue(60)")
    with Running("worker", cwd=site.folder) as running:
        running.wait_for("Working on 2 tasks")
        running.wait_for("BEGUN 1")
        site.write("PACKAGE/tasks.py", TASKS.replace('"one"', '"two"').replace("seconds)", "0)"))
        running.wait_for("Changed: .*; restarting")
        running.wait_for("Working on 2 tasks")
        enqueue(site, "speak.enqueue('again')")
        running.wait_for("SAID two again")
        assert running.end(signal.SIGTERM) == 0
    shown = job(site, job_id)
    assert (shown["status"], shown["attempts"]) == ("complete", 1)  # as the file has it now


@pytest.mark.slow
def test_a_mistake_is_waited_out_in_development(site: Project) -> None:
    with Running("worker", cwd=site.folder) as running:
        running.wait_for("Working on")
        site.write("PACKAGE/tasks.py", "this is no Python")
        running.wait_for("SyntaxError")
        running.wait_for("Waiting for a change")
        site.write("PACKAGE/tasks.py", TASKS)
        running.wait_for("Working on")
        assert running.end(signal.SIGINT) == 130


@pytest.mark.slow
def test_other_environments_do_not_reload(site: Project) -> None:
    with Running("worker", "--environment", "testing", cwd=site.folder) as running:
        site.migrated()
        running.wait_for("Working on")
        assert running.end(signal.SIGTERM) == 0
