"""``tornkit tasks``: what it lists, shows and changes, and what it refuses."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from tests.cli.processes import tornkit
from tests.cli.test_commands import data, one_line

if TYPE_CHECKING:
    from tests.cli.conftest import Project

TASKS = """
from tornkit.tasks import TaskContext, task

@task
async def report(ctx: TaskContext, class_id: int, api_key: str = "", where: str = "") -> dict:
    await ctx.progress(0.5, f"class {class_id}")
    return {"pages": class_id, "password": "hush"}

@task
async def fail(number: int) -> None:
    raise ValueError(f"no {number}")

@task(every="10s")
async def tick() -> None:
    pass

@task(cron="0 3 * * *")
async def nightly() -> None:
    pass
"""
RUN = """
from PACKAGE.tasks import fail, nightly, report, tick
job = await report.using(owner="ann").enqueue(3, "hush", where="redis://me:hush@host/0")
print(job.id)
print((await fail.enqueue(4)).id)
await app.tasks.run_all(check=False)
print((await report.using(owner="bob", priority=5).enqueue(5)).id)
"""


@pytest.fixture
def ids(project: Project) -> list[str]:
    """Enqueue a job that is complete, one that failed and one that waits; return their ids."""
    project.write("PACKAGE/tasks.py", TASKS)
    ran = project.tornkit("shell", "-c", RUN.replace("PACKAGE", project.package))
    assert ran.exit_code == 0, ran.output
    return [line for line in ran.stdout.splitlines() if re.fullmatch("[0-9a-f]{32}", line)]


def listed(project: Project, *options: str) -> list[str]:
    return [job["id"] for job in data(project.tornkit("tasks", "list", "--json", *options))]


def show(project: Project, job_id: str) -> dict[str, Any]:
    shown: dict[str, Any] = data(project.tornkit("tasks", "show", job_id, "--json"))
    return shown


# --- what is refused before anything is loaded ------------------------------------------------


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["list", "--status", "fialed"], "'fialed' is no status; did you mean 'failed'?"),
        (
            ["list", "--status", "x"],
            "there is new, queued, active, aborting, aborted, failed, com",
        ),
        (["list", "--limit", "0"], "--limit"),
        (["list", "--owner", "\udcff"], "'\\udcff' has characters that nothing is named by"),
        (["list", "--name", "a\n"], "'a\\n' has characters that nothing is named by"),
        (["show"], "ID"),
    ],
    ids=["near", "far", "limit", "owner", "name", "no id"],
)
def test_bad_usage_ends_with_2(project: Project, options: list[str], said: str) -> None:
    assert said in one_line(project.tornkit("tasks", *options), 2)


# --- without tasks ----------------------------------------------------------------------------


@pytest.mark.slow
def test_a_site_without_tasks_says_where_they_go(project: Project) -> None:
    for command in (["tasks", "list"], ["tasks", "schedules"], ["worker", "--no-reload"]):
        assert "a file of the project called tasks.py" in one_line(project.tornkit(*command), 1)


@pytest.mark.slow
def test_jobs_in_the_memory_of_a_server_cannot_be_reached(project: Project) -> None:
    project.write("PACKAGE/tasks.py", TASKS)
    project.write("settings.toml", 'port = 0\n[tasks]\nqueue = "memory://"\n')
    for command in (["tasks", "list"], ["worker", "--no-reload"]):
        assert "choose database://default" in one_line(project.tornkit(*command), 1)


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["redis", "postgresql"])
def test_a_queue_that_does_not_answer_is_one_line_without_its_password(
    project: Project, scheme: str
) -> None:
    project.write("PACKAGE/tasks.py", TASKS)
    url = f"{scheme}://me:hush@127.0.0.1:1/0"
    # In a process of its own, for what drivers log there is printed.
    done = tornkit("tasks", "list", cwd=project.folder, SITE_TASKS__QUEUE=url)
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert "does not answer" in line
    assert "127.0.0.1:1" in line
    assert "hush" not in line


# --- list -------------------------------------------------------------------------------------


@pytest.mark.slow
def test_jobs_are_listed_the_latest_first_and_by_what_is_asked(
    project: Project, ids: list[str]
) -> None:
    complete, failed, queued = ids
    assert listed(project) == [queued, failed, complete]
    assert listed(project, "--limit", "1") == [queued]
    assert listed(project, "--status", "failed") == [failed]
    assert listed(project, "--status", "failed", "--status", "queued") == [queued, failed]
    assert listed(project, "--owner", "ann") == [complete]
    assert listed(project, "--name", f"{project.package}.tasks:report") == [queued, complete]
    assert listed(project, "--name", f"{project.package}.tasks:tick") == []


@pytest.mark.slow
def test_the_table_says_what_a_job_says(project: Project, ids: list[str]) -> None:
    result = project.tornkit("tasks", "list")
    header, queued, failed, complete = result.stdout.splitlines()
    assert header.split() == ["job", "task", "status", "done", "tries", "enqueued", "says"]
    assert queued.startswith(f"{ids[2]}  {project.package}.tasks:report  queued")
    assert failed.endswith("ValueError: no 4")
    assert "100%" in complete
    assert complete.endswith("class 3")
    assert result.stderr == "No worker is running; to start one: tornkit worker\n"
    assert project.tornkit("tasks", "list", "--status", "failed").stderr == ""


@pytest.mark.slow
@pytest.mark.parametrize("name", ["report", "PACKAGE.tasks:reprot"])
def test_an_unknown_name_ends_with_2_and_the_nearest(project: Project, name: str) -> None:
    project.write("PACKAGE/tasks.py", TASKS)
    name = name.replace("PACKAGE", project.package)
    line = one_line(project.tornkit("tasks", "list", "--name", name), 2)
    assert f"did you mean '{project.package}.tasks:report'?" in line
    assert "tick" in one_line(project.tornkit("tasks", "list", "--name", "zzz"), 2)


@pytest.mark.slow
def test_jobs_of_a_task_that_is_gone_are_found_by_its_name(
    project: Project, ids: list[str]
) -> None:
    project.write("PACKAGE/tasks.py", TASKS.replace("def fail", "def broken"))
    assert listed(project, "--name", f"{project.package}.tasks:fail") == [ids[1]]


# --- show -------------------------------------------------------------------------------------


@pytest.mark.slow
def test_json_has_the_stable_shape_and_nothing_secret(project: Project, ids: list[str]) -> None:
    shown = show(project, ids[0])
    moments = {"enqueued_at", "run_at", "started_at", "finished_at"}
    for name in moments:
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", shown[name])
    assert re.search(r"/\d+/", shown.pop("worker"))
    assert {name: value for name, value in shown.items() if name not in moments} == {
        "id": ids[0],
        "name": f"{project.package}.tasks:report",
        "status": "complete",
        "owner": "ann",
        "progress": 1.0,
        "message": "class 3",
        "attempts": 1,
        "error": None,
        "priority": 0,
        "retries": 0,
        "lost": 0,
        "arguments": {"class_id": 3, "api_key": "********", "where": "redis://me:***@host/0"},
        "result": {"pages": 3, "password": "********"},
        "traceback": None,
    }
    (job,) = data(project.tornkit("tasks", "list", "--json", "--owner", "ann"))
    assert job == {name: shown[name] for name in job}
    assert {"arguments", "result", "traceback"}.isdisjoint(job)


@pytest.mark.slow
def test_a_failed_job_is_shown_with_its_traceback(project: Project, ids: list[str]) -> None:
    text = project.tornkit("tasks", "show", ids[1]).stdout
    assert "error        ValueError: no 4\n" in text
    assert "arguments    number=4\n" in text
    assert "finished_at  20" in text
    assert text.endswith('    raise ValueError(f"no {number}")\nValueError: no 4\n')
    assert "Traceback" in show(project, ids[1])["traceback"]


@pytest.mark.slow
@pytest.mark.parametrize("command", ["show", "retry", "abort"])
def test_an_unknown_id_ends_with_1(project: Project, command: str) -> None:
    project.write("PACKAGE/tasks.py", TASKS)
    assert "there is no job 'no'" in one_line(project.tornkit("tasks", command, "no"), 1)


# --- retry and abort --------------------------------------------------------------------------


@pytest.mark.slow
def test_what_has_failed_is_retried(project: Project, ids: list[str]) -> None:
    complete, failed, _ = ids
    name = f"{project.package}.tasks:fail"
    said = project.tornkit("tasks", "retry", failed).stdout
    assert said == f"Job {failed} of {name} is queued again.\n"
    assert show(project, failed)["status"] == "queued"
    for job_id in (failed, complete):
        assert "only one that has failed" in one_line(project.tornkit("tasks", "retry", job_id), 1)


@pytest.mark.slow
def test_what_waits_is_aborted_and_may_be_retried(project: Project, ids: list[str]) -> None:
    complete, failed, queued = ids
    said = project.tornkit("tasks", "abort", queued).stdout
    assert said == f"Job {queued} of {project.package}.tasks:report is aborted.\n"
    shown = show(project, queued)
    assert (shown["status"], shown["error"]) == ("aborted", "aborted by tornkit tasks abort")
    for job_id in (failed, complete):
        assert "nothing to abort" in one_line(project.tornkit("tasks", "abort", job_id), 1)
    assert project.tornkit("tasks", "retry", queued).exit_code == 0


# --- schedules --------------------------------------------------------------------------------


@pytest.mark.slow
def test_schedules_say_when_each_is_due(project: Project) -> None:
    project.write("PACKAGE/tasks.py", TASKS)
    tick, nightly = data(project.tornkit("tasks", "schedules", "--json"))
    assert (tick["name"], tick["schedule"]) == (f"{project.package}.tasks:tick", "every 10 s")
    assert nightly["schedule"] == "0 3 * * *"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT03:00:00\.000Z", nightly["next"])
    header, first, _ = project.tornkit("tasks", "schedules").stdout.splitlines()
    assert header.split() == ["task", "schedule", "next"]
    assert first.endswith(" UTC")
