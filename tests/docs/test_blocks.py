"""Every Python block of the documentation runs, after those before it on its page."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.docs import pages, project

if TYPE_CHECKING:
    from pathlib import Path

LANGUAGES = {"python", "sh", "console", "html", "toml", "json", "text"}


@pytest.mark.parametrize("page", pages.PAGES, ids=pages.name)
async def test_the_python_of_a_page_runs(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # settings and databases start at the current folder
    if page.parent.name == "tutorial":
        # Its files belong together in a project: test_tutorial.py runs them there.
        for block in pages.blocks(page, "python"):
            compile(block.text, str(page), "exec")
        return
    await pages.run(page, monkeypatch)


@pytest.mark.slow
@pytest.mark.parametrize("page", pages.PAGES, ids=pages.name)
def test_the_python_of_a_page_runs_in_a_process_of_its_own(page: Path, tmp_path: Path) -> None:
    """Show that no page needs what another one, or another test, has imported."""
    if page.parent.name != "tutorial" and pages.blocks(page, "python"):
        code = (
            "import asyncio, pathlib, pytest; from tests.docs import pages\n"
            f"page = pathlib.Path({str(page)!r})\n"
            "asyncio.run(pages.run(page, pytest.MonkeyPatch()))"
        )
        project.python("-c", code, cwd=tmp_path, path=(pages.ROOT,))


def test_python_that_fails_is_noticed(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("```python\nx = 1\n```\n\n```python\nassert await_ == x\n```\n", "utf-8")
    assert [block.line for block in pages.blocks(page, "python")] == [1, 5]


@pytest.mark.parametrize("page", pages.PAGES, ids=pages.name)
def test_every_block_names_a_known_language(page: Path) -> None:
    fences = [line for line in page.read_text("utf-8").splitlines() if line.startswith("```")]
    assert {fence.removeprefix("```") for fence in fences[::2]} <= LANGUAGES
    assert set(fences[1::2]) <= {"```"}
