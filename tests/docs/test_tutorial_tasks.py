"""The second chapter of the tutorial, done in the project of the first one."""

from __future__ import annotations

import signal
import subprocess
from typing import TYPE_CHECKING

import httpx
import pytest

from tests.docs import pages
from tests.docs.test_tutorial import EMAIL, PAGE, PASSWORD, Reader, started

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow

CHAPTER = pages.DOCS / "tutorial" / "02-work-in-the-background.md"
LOOKED_AT_BEFORE = ("tornkit run\n", "pytest\n", "tornkit check\n")


def test_the_second_chapter_holds(tmp_path: Path) -> None:
    reader = after_the_first_chapter(tmp_path)
    printed: dict[str, str] = {}
    for block in pages.blocks(CHAPTER, "sh", "python", "html"):
        if block.language != "sh":
            assert block.file is not None
            (reader.folder / block.file).write_text(block.content, "utf-8")
        elif block.text == "tornkit worker\n":
            work(reader)
        else:
            printed[block.text] = reader.run(block.text)
        if block.language == "html":
            take_stock(reader)
    assert "myschool.tasks:remind  0 6 * * *" in printed["tornkit tasks schedules\n"]
    assert "myschool.tasks:take_stock  complete" in printed["tornkit tasks list\n"]
    assert " passed" in printed["pytest\n"]


def after_the_first_chapter(folder: Path) -> Reader:
    """Return a reader whose project has a librarian, and one who holds that role."""
    (folder / "tornkit").symlink_to(pages.ROOT)
    reader = Reader(folder)
    install, make, *further = pages.blocks(PAGE, "sh", "python", "html")
    for block in (install, make):
        reader.run(block.text)
    register = f"tornkit user create {EMAIL} --password-stdin"
    reader.run(f"tornkit db upgrade\necho '{PASSWORD}' | {register}")
    for block in further:
        if block.language != "sh":
            reader.write(block)
        elif block.text not in LOOKED_AT_BEFORE:
            reader.run(block.text)
    return reader


def take_stock(reader: Reader) -> None:
    """Press the button, and follow the job to its end."""
    with started(reader) as site, httpx.Client(base_url=site.url, trust_env=False) as browser:
        form = {"email": EMAIL, "password": PASSWORD}
        assert browser.post("/account/login", data=form).status_code == 303
        assert "Take stock" in browser.get("/librarian/").text
        answer = browser.post("/librarian/stock")
        assert answer.status_code == 303
        place = answer.headers["location"]
        assert browser.get(place).json()["task"]["status"] in {"queued", "active"}
        task = browser.get(f"{place}?wait=30", timeout=40).json()["task"]
        assert task["result"] == "5 shelves are in order."
        assert httpx.get(f"{site.url}{place}", trust_env=False).status_code == 404


def work(reader: Reader) -> None:
    """Start a worker, and end it once it is ready."""
    command = [f"{reader.environment['VIRTUAL_ENV']}/bin/tornkit", "worker"]
    with subprocess.Popen(
        command, cwd=reader.folder, env=reader.environment, stdout=subprocess.PIPE, text=True
    ) as worker:
        assert worker.stdout
        ready = worker.stdout.readline()
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(30) == 0
    assert ready.startswith("Working on 2 tasks of sqlite:///")
