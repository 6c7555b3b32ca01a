"""The number service: its README, its page in a browser, a killed worker."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import signal
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from tests import services
from tests.browser.conftest import browser
from tests.cli import processes
from tests.docs import project

if TYPE_CHECKING:
    from collections.abc import Iterator

    from selenium.webdriver import Chrome

__all__ = ["browser"]  # a fixture

NUMBERS = Path(__file__).parents[2] / "examples" / "number_service"
README = NUMBERS / "README.md"
FACTORISE = "number_service.tasks:factorise"
LARGEST = 9007199254740881
PRIMES = (99999999999973, 9999999999971)  # for half a second, and for a tenth
SHOWN = "http://127.0.0.1:8888"


def variables(folder: Path, **more: str) -> dict[str, str]:
    """Keep what the example writes out of its folder."""
    prefix = "NUMBER_SERVICE_"
    paths = {f"{prefix}PATHS__{name}": str(folder / name) for name in ("DATA", "LOG", "UPLOAD")}
    database = {f"{prefix}DATABASES__DEFAULT": f"sqlite:///{folder}/site.db"}
    return {**database, **paths, **{f"{prefix}{name}": value for name, value in more.items()}}


# --- the project -------------------------------------------------------------------------


@pytest.mark.slow
def test_the_models_have_their_migrations(tmp_path: Path) -> None:
    settings = variables(tmp_path)
    project.tornkit("db", "upgrade", cwd=NUMBERS, variables=settings)
    printed = project.tornkit("db", "revision", "x", cwd=NUMBERS, variables=settings)
    assert "nothing to write" in printed
    project.tornkit("db", "downgrade", cwd=NUMBERS, variables=settings)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[str]:
    """Serve the example as a developer does; give its address."""
    with project.Running("--no-reload", cwd=NUMBERS, variables=variables(tmp_path)) as running:
        yield running.url


# --- the README --------------------------------------------------------------------------


@pytest.mark.slow
def test_the_readme_shows_true_answers(site: str, tmp_path: Path) -> None:
    if shutil.which("curl") is None:
        services.unavailable("curl is not installed")
    text = README.read_text("utf-8")
    lines = re.findall(r"^(curl .*\S)\s+# (\d{3})$", text, re.MULTILINE)
    assert len(lines) == len(re.findall(r"^curl ", text, re.MULTILINE)) > 0
    job_id = ""
    for line, status in lines:
        told, answered = ask(line.replace(SHOWN, site).replace("ID", job_id), tmp_path)
        assert (line, answered) == (line, status)
        job_id = told.get("task", {}).get("id", job_id)


def ask(line: str, folder: Path) -> tuple[dict[str, Any], str]:
    """Run a line with curl; return the JSON that came, {} for a stream, and the status."""
    command = [*shlex.split(line), "-sS", "--noproxy", "*", "-w", "\n%{http_code}"]
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, f"{line}\n{done.stderr}"
    body, _, status = done.stdout.rpartition("\n")
    return ({} if body.startswith("retry:") else json.loads(body)), status


@pytest.mark.slow
def test_the_load_script_and_the_job_that_the_readme_shows(site: str, tmp_path: Path) -> None:
    options = ("--url", site, "--count", "12", "--users", "4", "--seconds", "50")
    printed = project.python("load.py", *options, cwd=NUMBERS)
    assert re.search(r"^finished +12$", printed, re.MULTILINE)
    assert re.search(r"^failures +0$", printed, re.MULTILINE)
    with httpx.Client(base_url=site, trust_env=False, timeout=60) as visitor:
        task = visitor.post("/number_request", json={"n": 360}).json()["task"]
        told = visitor.get(f"/tasks/{task['id']}?wait=30").json()["task"]
    shown = re.search(r"```json\n(.*?)\n```", README.read_text("utf-8"))
    assert shown is not None
    expected = {**json.loads(shown[1]), "id": task["id"], "message": told["message"]}
    moments = {"enqueued_at", "run_at", "started_at", "finished_at"}
    assert {name: value for name, value in told.items() if name not in moments} == expected
    assert moments < set(told)


# --- the page ----------------------------------------------------------------------------


@pytest.mark.slow
def test_the_page_follows_a_job_to_its_end(browser: Chrome, site: str) -> None:
    browser.get(site)
    browser.find_element(By.ID, "n").send_keys(str(LARGEST))
    browser.find_element(By.TAG_NAME, "button").click()
    seen = set()

    def has_ended(_: Chrome) -> bool:
        seen.add(browser.execute_script("return document.getElementById('progress')?.value ?? -1"))
        return -1 in seen

    assert browser.find_element(By.ID, "progress").is_displayed()
    WebDriverWait(browser, 60, poll_frequency=0.05).until(has_ended)
    assert len(seen) > 3  # it was told more than once, without a reload
    WebDriverWait(browser, 10).until(lambda _: "prime number" in browser.page_source)
    entries: list[dict[str, str]] = browser.get_log("browser")  # type: ignore[no-untyped-call]
    assert entries == []


@pytest.mark.slow
@pytest.mark.parametrize("width", [360, 1280])
def test_the_pages_are_no_wider_than_the_window(browser: Chrome, site: str, width: int) -> None:
    with httpx.Client(base_url=site, trust_env=False, timeout=60) as visitor:
        task = visitor.post("/number_request", json={"n": LARGEST}).json()["task"]
        visitor.get(f"/tasks/{task['id']}?wait=60")
    browser.set_window_size(width, 900)
    for place in ("/", f"/numbers/{task['id']}", "/history"):
        browser.get(f"{site}{place}")
        assert browser.execute_script(
            "return document.documentElement.scrollWidth <= window.innerWidth"
        )


# --- workers -----------------------------------------------------------------------------


@pytest.mark.slow
def test_a_killed_worker_loses_nothing_and_nothing_is_there_twice(tmp_path: Path) -> None:
    settings = variables(tmp_path, TASKS__RUN_IN_SITE="false", TASKS__LEASE="3")
    with (
        project.Running("--no-reload", cwd=NUMBERS, variables=settings) as site,
        httpx.Client(base_url=site.url, trust_env=False, timeout=60) as visitor,
    ):
        sent = [
            visitor.post("/number_request", json={"n": PRIMES[number % 2]}).json()["task"]["id"]
            for number in range(50)
        ]
        with worker(settings) as first:
            first.wait_for("Working on")
            for job_id in sent[:10]:
                assert ended(visitor, job_id)
            assert first.end(signal.SIGKILL) == -signal.SIGKILL
        with worker(settings) as second:
            for job_id in sent:
                assert ended(visitor, job_id)
            assert second.end(signal.SIGTERM) == 0
    options = ("--name", FACTORISE, "--limit", "1000", "--json")
    printed = project.tornkit("tasks", "list", *options, cwd=NUMBERS, variables=settings)
    jobs = json.loads(printed)
    assert sorted(job["id"] for job in jobs) == sorted(sent)
    assert {job["status"] for job in jobs} == {"complete"}
    assert lost(settings) > 0  # some were running when the first one was killed
    with closing(sqlite3.connect(tmp_path / "site.db")) as database:
        kept = [job_id for (job_id,) in database.execute("SELECT job_id FROM results")]
    assert sorted(kept) == sorted(sent)


def worker(settings: dict[str, str]) -> processes.Running:
    return processes.Running("worker", "--no-reload", cwd=NUMBERS, **settings)


def ended(visitor: httpx.Client, job_id: str) -> bool:
    """Wait until a job is complete."""
    task = visitor.get(f"/tasks/{job_id}?wait=50").json()["task"]
    return bool(task["status"] == "complete")


def lost(settings: dict[str, str]) -> int:
    """Return how many jobs have outlived a worker."""
    code = (
        f"jobs = await app.tasks.list(name='{FACTORISE}', limit=1000)\n"
        "print('LOST', sum(job.lost for job in jobs))"
    )
    printed = project.tornkit("shell", "-c", code, cwd=NUMBERS, variables=settings)
    return int(printed.rpartition("LOST ")[2])
