"""The tutorial, done as it is written: its commands in one shell, its files in one project."""

from __future__ import annotations

import os
import shlex
import subprocess
import time
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING

import httpx
import pytest

from tests.docs import pages, project

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow

PAGE = pages.DOCS / "tutorial" / "01-first-site.md"
EMAIL, PASSWORD = "ann@school.example", "three words or four"


class Reader:
    """Somebody with a shell: environment and folder stay from one block to the next."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = project.environment()
        del self.environment["PYTHONPATH"]  # what is installed is what is used

    def run(self, text: str) -> str:
        mark = "-- after this, the state of the shell --"
        script = f"set -e\n{text}\necho {shlex.quote(mark)}\npwd\nenv -0"
        done = subprocess.run(
            ["bash", "-c", script],
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
            timeout=600,
        )
        printed, _, state = done.stdout.decode().partition(f"{mark}\n")
        assert done.returncode == 0, f"{text}\nended with {done.returncode}:\n{printed}"
        folder, _, variables = state.partition("\n")
        self.folder = type(self.folder)(folder)
        pairs = (pair.partition("=") for pair in variables.split("\0") if "=" in pair)
        self.environment = {name: value for name, _, value in pairs}
        return printed

    def write(self, block: pages.Block) -> None:
        assert block.file is not None, f"{PAGE}:{block.line}: its first line names no file"
        (self.folder / block.file).write_text(block.content, "utf-8")


def test_the_tutorial_holds(tmp_path: Path) -> None:
    (tmp_path / "tornkit").symlink_to(pages.ROOT)
    reader = Reader(tmp_path)
    printed: dict[str, str] = {}
    with ExitStack() as stack:
        browser = stack.enter_context(httpx.Client(trust_env=False, timeout=60))
        for block in pages.blocks(PAGE, "sh", "python", "html"):
            if block.language != "sh":
                reader.write(block)
            elif block.text == "tornkit run\n":
                site = stack.enter_context(started(reader))
                browser.base_url = httpx.URL(site.url)
                register(browser)
            else:
                printed[block.text] = reader.run(block.text)
            check(block, browser)
    assert " passed" in printed["pytest\n"]
    matched = printed["tornkit routes --match GET /librarian/books/2\n"]
    assert "librarian:book" in matched
    assert "number=2" in matched


def started(reader: Reader) -> project.Running:
    command = [f"{reader.environment['VIRTUAL_ENV']}/bin/tornkit"]
    path = os.pathsep.join([f"{reader.environment['VIRTUAL_ENV']}/bin", os.environ["PATH"]])
    return project.Running(
        cwd=reader.folder, command=command, variables={"PYTHONPATH": "", "PATH": path}
    )


def register(browser: httpx.Client) -> None:
    assert browser.get("/").status_code == 200
    form = {"email": EMAIL, "password": PASSWORD}
    assert browser.post("/account/register", data=form).status_code == 303
    assert browser.get("/teacher/").status_code == 403


def check(block: pages.Block, browser: httpx.Client) -> None:
    """Look at the page that the text after a block tells the reader to look at."""
    if "--add teacher" in block.text:
        assert browser.get("/teacher/").status_code == 200
    elif "add-module librarian" in block.text:
        assert eventually(browser, "/librarian/", "Librarian")
    elif block.language == "html":
        assert eventually(browser, "/librarian/", "Night and Day")
        answer = browser.get("/librarian/books/2")
        assert answer.json()["title"] == "Night and Day"


def eventually(browser: httpx.Client, path: str, text: str) -> bool:
    """Ask until the page shows the text, as somebody does who reloads it."""
    deadline = time.monotonic() + project.PATIENCE
    while time.monotonic() < deadline:
        # A kept-alive connection may be closed by the reload just as it is used again;
        # browsers then ask once more by themselves.
        with suppress(httpx.RemoteProtocolError, httpx.ReadError):
            answer = browser.get(path)
            if answer.status_code == 200 and text in answer.text:
                return True
        time.sleep(0.05)
    return False
