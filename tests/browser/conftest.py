"""A generated project under ``tornkit run``, and a real browser to look at it with."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING

import pytest
from selenium import webdriver

from tests import services

if TYPE_CHECKING:
    from collections.abc import Iterator

SOURCE = Path(__file__).parents[2] / "src"
PATIENCE = 60.0
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


class Output:
    """What a process prints, read as it comes."""

    def __init__(self, stream: IO[str]) -> None:
        self._text, self._ended = "", False
        self._changed = threading.Condition()
        self._reader = threading.Thread(target=self._read, args=(stream,), daemon=True)
        self._reader.start()

    def _read(self, stream: IO[str]) -> None:
        for line in stream:
            with self._changed:
                self._text += line
                self._changed.notify_all()
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    @property
    def length(self) -> int:
        with self._changed:
            return len(self._text)

    def expect(self, pattern: str, start: int = 0) -> re.Match[str]:
        """Return the first match after ``start`` characters, once it has been printed."""
        with self._changed:
            self._changed.wait_for(lambda: self._ended or self._found(pattern, start), PATIENCE)
            found = self._found(pattern, start)
            assert found is not None, f"{pattern!r} was not printed:\n{self._text}"
            return found

    def _found(self, pattern: str, start: int) -> re.Match[str] | None:
        return re.compile(pattern, re.MULTILINE | re.DOTALL).search(self._text, start)

    def read_to_the_end(self) -> str:
        self._reader.join(PATIENCE)
        return self._text


class Site:
    """A running project: its folder, its address, its command line, what it prints."""

    def __init__(self, folder: Path, url: str, output: Output) -> None:
        self.folder, self.url, self.output = folder, url, output

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


def make_project(folder: Path) -> Path:
    """Make a project with three roles."""
    _run(folder, "new", "myschool", "--modules", "student,teacher,principal")
    return folder / "myschool"


@contextmanager
def serve(project: Path) -> Iterator[Site]:
    """Serve a project in development."""
    with subprocess.Popen(
        [sys.executable, "-m", "tornkit", "run", "--port", "0", "--no-reload"],
        cwd=project,
        env=_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        assert process.stdout is not None
        output = Output(process.stdout)
        try:
            url = output.expect(r"http://127\.0\.0\.1:\d+")[0]
            yield Site(project, url, output)
        finally:
            process.send_signal(signal.SIGTERM)
            printed = output.read_to_the_end()
        assert process.wait(timeout=30) == 0, printed


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Make a project, and serve it."""
    with serve(make_project(tmp_path_factory.mktemp("browser"))) as served:
        yield served


@contextmanager
def _chromium(profile: Path, *, scripts: bool = True) -> Iterator[webdriver.Chrome]:
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if chromium is None or driver is None:
        services.unavailable("chromium and chromedriver are not installed")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for flag in [*FLAGS, f"--user-data-dir={profile}"]:
        options.add_argument(flag)
    if not scripts:
        forbidden = {"profile.managed_default_content_settings.javascript": 2}
        options.add_experimental_option("prefs", forbidden)
    chrome = webdriver.Chrome(options, webdriver.ChromeService(driver))
    chrome.implicitly_wait(5)
    try:
        yield chrome
    finally:
        chrome.quit()


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[webdriver.Chrome]:
    """Start Chromium with a profile of its own."""
    with _chromium(tmp_path / "profile") as chrome:
        yield chrome


@pytest.fixture
def other_browser(tmp_path: Path) -> Iterator[webdriver.Chrome]:
    """Start Chromium on what stands for another device."""
    with _chromium(tmp_path / "other-profile") as chrome:
        yield chrome


@pytest.fixture
def plain_browser(tmp_path: Path) -> Iterator[webdriver.Chrome]:
    """Start Chromium for somebody who lets no page run scripts."""
    with _chromium(tmp_path / "plain-profile", scripts=False) as chrome:
        yield chrome
