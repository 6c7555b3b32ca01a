"""What users get: a wheel, installed where no checkout is in reach, and projects made with it."""

from __future__ import annotations

import importlib.util
import os
import re
import signal
import subprocess
import sys
import threading
import urllib.request
import venv
import zipfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests import services

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]
TIMEOUT = 600  # seconds; installing from an index may take a while
# Nothing of the developer's shell, and nothing of the checkout, may reach what is tested.
FOREIGN = ("PYTHON", "PYTEST", "MYPY", "COVERAGE", "VIRTUAL_ENV", "TORNKIT", "MYSCHOOL")


def environment(**more: str) -> dict[str, str]:
    """Return this process's environment without what could lead to the checkout."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN)}
    return {**kept, **more}


def run(*command: str | Path, cwd: Path) -> str:
    """Run a command to its end; return what it printed, or fail with that."""
    done = subprocess.run(
        command,
        cwd=cwd,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=TIMEOUT,
        check=False,
    )
    line = " ".join(map(str, command))
    assert done.returncode == 0, f"{line} ended with {done.returncode}:\n{done.stdout}"
    return done.stdout


@dataclass(frozen=True)
class Site:
    """A virtual environment with tornkit's wheel in it, and an empty folder to work in."""

    environment: Path
    folder: Path
    wheel: Path

    def __call__(self, program: str, *arguments: str | Path, cwd: Path | None = None) -> str:
        return run(self.environment / "bin" / program, *arguments, cwd=cwd or self.folder)

    def install(self, *what: str | Path) -> None:
        self("python", "-m", "pip", "install", *what)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    """Build the wheel, and install it and nothing else into a fresh environment."""
    base = tmp_path_factory.mktemp("wheel")
    isolation = [] if importlib.util.find_spec("hatchling") is None else ["--no-isolation"]
    run(sys.executable, "-m", "build", "--wheel", *isolation, "--outdir", base, ROOT, cwd=base)
    (wheel,) = base.glob("tornkit-*.whl")
    venv.create(base / "venv", with_pip=True)
    site = Site(base / "venv", tmp_path_factory.mktemp("elsewhere"), wheel)
    site.install(wheel)
    return site


@pytest.fixture(scope="module")
def equipped(site: Site) -> Site:
    """Add the drivers and the tools that check a generated project."""
    site.install(f"{site.wheel}[postgresql,mysql,test]", "ruff>=0.14", "mypy>=1.18")
    return site


@contextmanager
def served(*command: str | Path, cwd: Path, **variables: str) -> Iterator[str]:
    """Start a command that serves, yield the address it prints, and stop it with SIGTERM."""
    process = subprocess.Popen(
        command,
        cwd=cwd,
        env=environment(PYTHONUNBUFFERED="1", **variables),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    watchdog = threading.Timer(120, os.killpg, (process.pid, signal.SIGKILL))
    watchdog.start()
    printed = []
    try:
        for line in process.stdout:
            printed.append(line)
            found = re.search(r"http://127\.0\.0\.1:[1-9]\d*", line)
            if found:
                yield found[0]
                break
        else:
            pytest.fail("it ended before it served:\n" + "".join(printed))
        process.send_signal(signal.SIGTERM)
        printed += process.stdout
        assert process.wait() == 0, "".join(printed)
    finally:
        watchdog.cancel()
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.stdout.close()
        process.wait()


def fetch(url: str) -> str:
    with urllib.request.urlopen(url, timeout=20) as response:
        assert response.status == 200
        return str(response.read().decode())


def test_the_wheel_is_what_is_imported(site: Site) -> None:
    where = site("python", "-c", "import tornkit; print(tornkit.__file__)").strip()
    assert Path(where).is_relative_to(site.environment)
    assert not Path(where).is_relative_to(ROOT)


def test_the_wheel_brings_the_pages_of_the_library(site: Site) -> None:
    source = ROOT / "src"
    pages = {page.relative_to(source).as_posix() for page in source.rglob("*.html")}
    assert "tornkit/handlers/pages/ops_tasks.html" in pages
    with zipfile.ZipFile(site.wheel) as wheel:
        assert pages <= set(wheel.namelist())


def test_a_project_from_the_wheel_tests_itself_and_is_served(site: Site) -> None:
    modules = ("--modules", "student,teacher,principal")
    site("tornkit", "new", "myschool", *modules)
    project = site.folder / "myschool"
    site.install("-e", f"{project}[test]")
    assert " passed" in site("python", "-m", "pytest", cwd=project)
    tornkit = site.environment / "bin" / "tornkit"
    with served(tornkit, "run", "--port", "0", cwd=project) as address:
        page = fetch(f"{address}/")
    assert "<!doctype html>" in page.lower()


def test_new_run_serves_the_project_at_once(site: Site) -> None:
    tornkit = site.environment / "bin" / "tornkit"
    command = (tornkit, "new", "atonce", "--modules", "student,teacher,principal", "--run")
    with served(*command, cwd=site.folder, ATONCE_PORT="0") as address:
        assert "<!doctype html>" in fetch(f"{address}/").lower()


# --- every combination of the options of `new` -------------------------------------------------

MODULES: Mapping[str, list[str]] = {
    "bare": [],
    "three": ["--modules", "student,teacher,principal"],
}
DATABASES = ["minimal", "default", "sqlite", "postgresql", "mysql"]


@contextmanager
def options(modules: str, database: str) -> Iterator[list[str]]:
    """Give the options of one combination, with a real database where it names a server."""
    match database:
        case "minimal":
            yield [*MODULES[modules], "--minimal"]
        case "default":
            yield MODULES[modules]
        case "sqlite":
            yield [*MODULES[modules], "--database", "sqlite:///data/other.db"]
        case _:
            with services.fresh_database(database) as url:
                yield [*MODULES[modules], "--database", url]


def inspect(site: Site, project: Path) -> None:
    """Run what a project's owner runs: tests, linter, formatter, types."""
    assert " passed" in site("python", "-m", "pytest", cwd=project)
    site("ruff", "check", cwd=project)
    site("ruff", "format", "--check", cwd=project)
    cache = site.folder.parent / "mypy-cache"
    site("mypy", "--strict", "--cache-dir", cache, ".", cwd=project)


@pytest.mark.parametrize("modules", MODULES)
@pytest.mark.parametrize("database", DATABASES)
def test_every_combination_passes_its_own_checks(
    equipped: Site, modules: str, database: str
) -> None:
    name = f"{database}-{modules}"
    with options(modules, database) as chosen:
        equipped("tornkit", "new", name, *chosen)
        inspect(equipped, equipped.folder / name)


def test_a_folder_of_another_name_changes_nothing(equipped: Site) -> None:
    equipped("tornkit", "new", "my-school", "--directory", "here/and-there", "--modules", "a,b_c")
    inspect(equipped, equipped.folder / "here" / "and-there")


@pytest.mark.parametrize("minimal", [True, False])
def test_every_kind_of_added_module_passes_too(equipped: Site, minimal: bool) -> None:
    name = f"grown{minimal:d}"
    equipped("tornkit", "new", name, *(["--minimal"] if minimal else []))
    project = equipped.folder / name
    for arguments in [
        ["librarian"],
        ["cooks", "--role", "cook", "--role", "head-cook"],
        ["news", "--public"],
        ["club_house", "--signed-in"],
        ["staff/principal", "--prefix", "/office"],
    ]:
        equipped("tornkit", "add-module", *arguments, cwd=project)
    inspect(equipped, project)
