"""Tasks are found where an application is told to look, in whichever order."""

from __future__ import annotations

import importlib
import sys
from typing import TYPE_CHECKING

import pytest

from tornkit.errors import TaskError, UnknownTask, UserCodeError
from tornkit.tasks import Tasks, find_tasks, task
from tornkit.tasks.registry import Registry

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TASK = "from tornkit.tasks import task\n@task\nasync def {name}(): ...\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Return a folder on sys.path, whose modules are forgotten after the test."""
    monkeypatch.syspath_prepend(tmp_path)
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        if name.partition(".")[0] == "myschool":
            del sys.modules[name]


def write(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def names(*sources: object) -> list[str]:
    return [each.name for each in find_tasks(*sources)]  # type: ignore[arg-type]


def test_files_called_tasks_are_found_below_a_package(folder: Path) -> None:
    write(
        folder,
        {
            "myschool/__init__.py": TASK.format(name="own"),
            "myschool/tasks.py": TASK.format(name="mail"),
            "myschool/handlers.py": "raise AssertionError('imported')",
            "myschool/modules/__init__.py": "",
            "myschool/modules/teacher/__init__.py": "",
            "myschool/modules/teacher/tasks/__init__.py": "from .grades import report",
            "myschool/modules/teacher/tasks/grades.py": TASK.format(name="report"),
            "myschool/modules/teacher/tasks/_hidden.py": "raise AssertionError('imported')",
            "myschool/modules/student.py": TASK.format(name="beside_a_handler"),
            "myschool/templates/page.html": "",
            "myschool/tests/tasks/test_grades.py": "raise AssertionError('imported')",
            "myschool/tests/__init__.py": "",
        },
    )
    found = ["myschool:own", "myschool.modules.teacher.tasks.grades:report", "myschool.tasks:mail"]
    assert names("myschool") == found
    # A module that is imported already is looked at where it is named.
    student = importlib.import_module("myschool.modules.student")
    assert names("myschool", student, "myschool.tasks") == [
        *found,
        "myschool.modules.student:beside_a_handler",
    ]
    registry = Tasks("memory://", ["myschool"]).registry
    assert registry["myschool.tasks:mail"].file == str(folder / "myschool/tasks.py")


def test_a_file_that_raises_is_the_users_own_fault(folder: Path) -> None:
    write(folder, {"myschool/__init__.py": "", "myschool/tasks.py": "x = 1 / 0"})
    with pytest.raises(UserCodeError, match=r"myschool\.tasks \(its tasks\)") as raised:
        find_tasks("myschool")
    assert isinstance(raised.value.__cause__, ZeroDivisionError)
    assert raised.value.file == str(folder / "myschool/tasks.py")


def test_two_tasks_of_one_name_are_refused_with_both_places() -> None:
    @task(name="report")
    async def first() -> None: ...

    @task(name="report")
    async def second() -> None: ...

    with pytest.raises(TaskError, match="two tasks are called 'report'") as refused:
        Tasks("memory://", [first, second])
    assert first.place in str(refused.value)
    assert second.place in str(refused.value)
    assert (refused.value.file, refused.value.line) == (second.file, second.line)
    assert len(Registry([first, first])) == 1


def test_an_unknown_name_is_told_with_the_nearest_one() -> None:
    @task(name="report")
    async def report() -> None: ...

    registry = Registry([report])
    with pytest.raises(UnknownTask, match=r"there is no task 'reprot'; did you mean 'report'\?"):
        registry["reprot"]
    with pytest.raises(UnknownTask, match="there is report"):
        registry["x"]
    assert (registry.get("x"), "report" in registry, list(registry)) == (None, True, ["report"])
