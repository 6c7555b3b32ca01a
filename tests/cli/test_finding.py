"""How a command finds the application."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest
import tornado.web

from tornkit._project import find_project, load_application
from tornkit.errors import StartError, UserCodeError

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(sys, "path", sys.path.copy())
    monkeypatch.delenv("TORNKIT_APP", raising=False)
    monkeypatch.chdir(tmp_path)
    before = set(sys.modules)
    (tmp_path / "pyproject.toml").write_text('[tool.tornkit]\napp = "found_app:make"\n')
    for name in set(sys.modules) - before:
        del sys.modules[name]
    sys.modules.pop("found_app", None)
    return tmp_path


def app(folder: Path, text: str) -> None:
    sys.modules.pop("found_app", None)
    (folder / "found_app.py").write_text("import tornado.web\n" + text)
    sys.path_importer_cache.clear()


def test_pyproject_is_looked_for_upward(folder: Path) -> None:
    below = folder / "a" / "b"
    below.mkdir(parents=True)
    (below / "pyproject.toml").write_text("[project]\nname = 'other'\n")  # names no application
    found = find_project(start=below)
    assert (found.directory, found.app, found.package) == (folder, "found_app:make", "found_app")


def test_app_wins_over_the_variable_which_wins_over_pyproject(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORNKIT_APP", "from_variable:app")
    assert find_project().app == "from_variable:app"
    assert find_project("given:app").app == "given:app"
    assert find_project("given:app").directory == folder


@pytest.mark.parametrize(
    "text",
    ["def make(): return tornado.web.Application()", "make = tornado.web.Application()"],
)
def test_a_function_and_an_application_both_work(folder: Path, text: str) -> None:
    app(folder, text)
    assert isinstance(load_application(find_project()), tornado.web.Application)
    assert sys.path[0] == str(folder)


@pytest.mark.parametrize(
    ("text", "check_id", "words"),
    [
        ("def makes(): pass", "app.not-found", "did you mean 'makes'?"),
        ("def make(): return 3", "app.not-an-application", "'int'"),
        ("async def make(): return 3", "app.not-an-application", "'coroutine'"),
        ("make = 'text'", "app.not-an-application", "'str'"),
        ("def make(settings, *rest): return 3", "app.not-an-application", "settings"),
    ],
)
def test_what_is_no_application_is_named(
    folder: Path, text: str, check_id: str, words: str
) -> None:
    app(folder, text)
    with pytest.raises(StartError) as caught:
        load_application(find_project())
    assert caught.value.check_id == check_id
    assert words in str(caught.value)


def test_a_module_that_does_not_exist_is_not_the_users_exception(folder: Path) -> None:
    with pytest.raises(StartError) as caught:
        load_application(find_project("nowhere_at_all.app:make"))
    assert caught.value.check_id == "app.not-found"


@pytest.mark.parametrize(
    "text", ["import no_such_thing_at_all", "def broken(:", "def make(): raise OSError('x')"]
)
def test_the_users_own_exception_is_the_cause(folder: Path, text: str) -> None:
    app(folder, text)
    with pytest.raises(UserCodeError) as caught:
        load_application(find_project())
    assert caught.value.__cause__ is not None
    assert caught.value.file == str(folder / "found_app.py")
    assert caught.value.line == 2


@pytest.mark.parametrize("name", ["", "app", "app:", ":app", "a b:c", "a:b:c", "../x:y", "a:\x1b"])
def test_a_name_of_another_form_is_refused(name: str) -> None:
    with pytest.raises(StartError) as caught:
        find_project(name or ":")
    assert caught.value.check_id == "app.bad-name"
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    ("text", "check_id"),
    [
        ("[tool.tornkit", "app.no-project"),
        ("[tool.tornkit]\napp = 3", "app.bad-name"),
        ("[tool.tornkit]", "app.bad-name"),
    ],
)
def test_a_bad_pyproject_is_named(folder: Path, text: str, check_id: str) -> None:
    (folder / "pyproject.toml").write_text(text)
    with pytest.raises(StartError) as caught:
        find_project()
    assert caught.value.check_id == check_id
    assert caught.value.file == str(folder / "pyproject.toml")
    assert find_project("given:app").app == "given:app"  # it does not stand in the way


def test_no_pyproject_at_all(folder: Path) -> None:
    (folder / "pyproject.toml").unlink()
    with pytest.raises(StartError) as caught:
        find_project()
    assert caught.value.check_id == "app.no-project"
