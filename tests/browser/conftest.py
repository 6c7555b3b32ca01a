"""A generated project under ``tornkit run``, and a real browser to look at it with."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from selenium import webdriver

from tests import services

if TYPE_CHECKING:
    from collections.abc import Iterator

SOURCE = Path(__file__).parents[2] / "src"
FLAGS = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
]


class Site:
    """A running project: its folder, its address, its command line."""

    def __init__(self, folder: Path, url: str) -> None:
        self.folder, self.url = folder, url

    def tornkit(self, *arguments: str, stdin: str = "") -> None:
        """Run a command in the project."""
        _run(self.folder, *arguments, stdin=stdin)


def _environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("MYSCHOOL_")}
    return {**kept, "PYTHONPATH": str(SOURCE), "PYTHONUNBUFFERED": "1"}


def _run(folder: Path, *arguments: str, stdin: str = "") -> None:
    subprocess.run(
        [sys.executable, "-m", "tornkit", *arguments],
        cwd=folder,
        env=_environment(),
        input=stdin,
        text=True,
        check=True,
        stdout=subprocess.PIPE,
    )


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Make a project with three roles, and serve it in development."""
    folder = tmp_path_factory.mktemp("browser")
    _run(folder, "new", "myschool", "--modules", "student,teacher,principal")
    project = folder / "myschool"
    with subprocess.Popen(
        [sys.executable, "-m", "tornkit", "run", "--port", "0", "--no-reload"],
        cwd=project,
        env=_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        assert process.stdout is not None
        seen = []
        for line in process.stdout:
            seen.append(line)
            if found := re.search(r"http://127\.0\.0\.1:\d+", line):
                yield Site(project, found[0])
                break
        else:
            pytest.fail("tornkit run ended:\n" + "".join(seen))
        process.send_signal(signal.SIGTERM)
        process.stdout.read()
        assert process.wait(timeout=30) == 0


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[webdriver.Chrome]:
    """Start Chromium with a profile of its own."""
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if chromium is None or driver is None:
        services.unavailable("chromium and chromedriver are not installed")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for flag in [*FLAGS, f"--user-data-dir={tmp_path / 'profile'}"]:
        options.add_argument(flag)
    chrome = webdriver.Chrome(options, webdriver.ChromeService(driver))
    chrome.implicitly_wait(5)
    try:
        yield chrome
    finally:
        chrome.quit()
