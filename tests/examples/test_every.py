"""What holds for every example: its own tests pass, and its linters are content."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests import services
from tests.docs import project
from tests.docs.pages import ROOT

if TYPE_CHECKING:
    from pathlib import Path

EXAMPLES = sorted(file.parent for file in (ROOT / "examples").glob("*/pyproject.toml"))
NEEDS = {"factorial": ["redis"], "storage": ["postgresql", "redis"]}
LINTERS = ("ruff check", "ruff format --check", "mypy --strict .")


@pytest.fixture(params=EXAMPLES, ids=lambda folder: folder.name)
def example(request: pytest.FixtureRequest) -> Path:
    """Return the folder of an example, each in turn."""
    folder: Path = request.param
    return folder


def test_all_are_found() -> None:
    assert {"hello", "school", *NEEDS} <= {folder.name for folder in EXAMPLES}


@pytest.mark.slow
def test_its_own_tests_pass(example: Path) -> None:
    for service in NEEDS.get(example.name, []):
        services.require(service)
    assert " passed" in project.pytest(cwd=example)


@pytest.mark.slow
@pytest.mark.parametrize("linter", LINTERS)
def test_its_linters_are_content(example: Path, linter: str, tmp_path: Path) -> None:
    name, *rest = linter.split()
    cache = ("--no-cache",) if name == "ruff" else ("--cache-dir", str(tmp_path))
    project.python("-m", name, *rest, *cache, cwd=example)
