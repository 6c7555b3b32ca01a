"""Importing by name, and telling whose fault a failed import is."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from tornkit._imports import MissingModuleError, import_module, list_package
from tornkit.errors import UserCodeError

if TYPE_CHECKING:
    from pathlib import Path


def test_a_module_that_is_not_there_is_missing() -> None:
    with pytest.raises(MissingModuleError, match="there is no module 'jsonn_missing'"):
        import_module("jsonn_missing", what="the thing")


def test_an_import_that_fails_inside_is_the_users() -> None:
    with pytest.raises(UserCodeError, match="the thing could not be imported") as caught:
        import_module("tests.apps.raises.teacher", what="the thing")
    assert isinstance(caught.value.__cause__, ZeroDivisionError)
    assert (caught.value.file or "").endswith("raises/teacher.py")
    assert caught.value.line == 2


def test_a_package_is_listed_by_name_without_importing_anything() -> None:
    import tests.apps.good

    before = set(sys.modules)
    listed = [(child.name, child.is_package) for child in list_package(tests.apps.good)]
    assert listed == [("home", False), ("lab_staff", True), ("staff", True), ("teacher", False)]
    assert set(sys.modules) == before


def test_a_module_and_its_compiled_twin_are_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "twins_under_test"
    package.mkdir()
    for name in ["__init__.py", "one.py", "one.pyc", ".#one.py", "notes.txt"]:
        (package / name).touch()
    monkeypatch.syspath_prepend(str(tmp_path))
    found = import_module("twins_under_test", what="it")
    assert [child.name for child in list_package(found)] == ["one"]
