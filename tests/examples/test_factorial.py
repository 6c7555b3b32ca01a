"""The factorial example: what its README shows."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.docs import project
from tests.examples import readme

FACTORIAL = Path(__file__).parents[2] / "examples" / "factorial"
README = FACTORIAL / "README.md"


def variables(folder: Path, **more: str) -> dict[str, str]:
    """Keep what the example writes out of its folder."""
    paths = {f"FACTORIAL_PATHS__{name}": str(folder / name) for name in ("DATA", "LOG", "UPLOAD")}
    return {"FACTORIAL_DATABASES__DEFAULT": f"sqlite:///{folder}/site.db", **paths, **more}


@pytest.mark.slow
def test_the_readme_shows_true_answers(tmp_path: Path) -> None:
    settings = variables(tmp_path, FACTORIAL_CACHE__STORE="memory://")
    with project.Running("--no-reload", cwd=FACTORIAL, variables=settings) as site:
        shown = re.search(r"```json\n(.*?)```", README.read_text("utf-8"), re.DOTALL)
        assert shown is not None
        for line in shown[1].splitlines():
            assert project.get(f"{site.url}/factorial?n=10").json() == json.loads(line)
        for line, expected, status in readme.statuses(README, site.url):
            assert (line, status) == (line, expected)
