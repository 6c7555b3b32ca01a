"""Keep ``examples/school`` equal to what ``tornkit new`` writes, but for what it adds.

After a change of the templates: ``python -m tests.examples.generated``.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from tests.docs import project

ROOT = Path(__file__).parents[2]
SCHOOL = ROOT / "examples" / "school"
COMMAND = ("new", "school", "--modules", "student,teacher,principal", "--directory")

CHANGED = {
    "README.md",
    "school/models.py",
    "school/modules/principal/handlers.py",
    "school/modules/principal/templates/dashboard.html",
    "school/modules/student/handlers.py",
    "school/modules/student/templates/dashboard.html",
    "school/modules/teacher/__init__.py",
    "school/modules/teacher/handlers.py",
    "school/modules/teacher/templates/dashboard.html",
    "tests/modules/test_principal.py",
    "tests/modules/test_student.py",
    "tests/modules/test_teacher.py",
}
ADDED = {
    "school/grades.py",
    "school/migrations/default/0002_add_courses_and_grades.py",
    "school/modules/teacher/forms.py",
    "school/modules/teacher/templates/course.html",
    "school/seed.py",
    "tests/conftest.py",
    "tests/helpers.py",
}
# What using the project leaves in its folder; Git ignores it.
_TRACES = {"__pycache__", "data", "log", "upload", ".venv"}


def generate(folder: Path) -> Path:
    """Run ``tornkit new`` in ``folder``; return the project that it made."""
    project.tornkit(*COMMAND, str(folder / "school"), cwd=folder)
    return folder / "school"


def files(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not is_trace(path.relative_to(folder))
    }


def is_trace(path: Path) -> bool:
    caches = [part for part in path.parts if part.endswith(("_cache", ".egg-info"))]
    return bool(caches) or not _TRACES.isdisjoint(path.parts)


def main() -> None:
    """Bring every file that the example does not change to what is generated today."""
    with tempfile.TemporaryDirectory() as temporary:
        fresh = generate(Path(temporary))
        for name in files(SCHOOL).keys() - CHANGED - ADDED:
            (SCHOOL / name).unlink()
        for name in files(fresh).keys() - CHANGED:
            target = SCHOOL / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(fresh / name, target)


if __name__ == "__main__":
    main()
