"""The example in one file is served, and installs."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from tests.docs import project

HELLO = Path(__file__).parents[2] / "examples" / "hello"


@pytest.mark.slow
def test_it_is_served_as_its_readme_says(tmp_path: Path) -> None:
    variables = {
        f"TORNKIT_PATHS__{name}": str(tmp_path / name) for name in ("DATA", "LOG", "UPLOAD")
    }
    variables["TORNKIT_DATABASES__DEFAULT"] = f"sqlite:///{tmp_path}/site.db"
    with project.Running(cwd=HELLO, variables=variables) as site:
        assert project.get(f"{site.url}/?name=Ann").json()["hello"] == "Ann"
        assert project.get(f"{site.url}/sum/2/3").json()["sum"] == 5
        assert project.get(f"{site.url}/sum/2/three").status_code == 404


def test_its_wheel_would_hold_the_file() -> None:
    declared = tomllib.loads((HELLO / "pyproject.toml").read_text("utf-8"))
    assert declared["tool"]["hatch"]["build"]["targets"]["wheel"]["include"] == ["hello.py"]
    assert declared["tool"]["tornkit"]["app"] == "hello:create_app"
