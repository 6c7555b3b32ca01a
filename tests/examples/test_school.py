"""The school is what ``tornkit new`` writes today, with features that keep their promises."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.docs import project
from tests.examples import generated

if TYPE_CHECKING:
    from pathlib import Path


def test_only_the_listed_files_differ_from_what_is_generated(tmp_path: Path) -> None:
    fresh = generated.files(generated.generate(tmp_path))
    kept = generated.files(generated.SCHOOL)
    assert {name for name in kept if name not in fresh} == generated.ADDED
    assert {name for name in fresh if name not in kept} == set()
    differing = {name for name in fresh if fresh[name] != kept[name]}
    assert differing == generated.CHANGED, "run: python -m tests.examples.generated"


@pytest.mark.slow
def test_the_models_have_their_migrations(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/site.db"
    folders = {f"SCHOOL_PATHS__{name}": str(tmp_path / name) for name in ("DATA", "LOG", "UPLOAD")}
    variables = {"SCHOOL_DATABASES__DEFAULT": url, **folders}
    project.tornkit("db", "upgrade", cwd=generated.SCHOOL, variables=variables)
    before = generated.files(generated.SCHOOL)
    printed = project.tornkit("db", "revision", "x", cwd=generated.SCHOOL, variables=variables)
    assert "nothing to write" in printed
    assert generated.files(generated.SCHOOL) == before
    for expected in ("Everybody's password", "nothing was changed"):
        printed = project.python("-m", "school.seed", cwd=generated.SCHOOL, variables=variables)
        assert expected in printed
