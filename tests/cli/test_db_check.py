"""``tornkit db check`` and ``tornkit check`` notice models without their revision."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tests.cli.conftest import FILES

if TYPE_CHECKING:
    from tests.cli.conftest import Project

COURSE = """
from sqlalchemy.orm import Mapped, mapped_column

class Course(Base):
    __tablename__ = "courses"
    id: Mapped[int] = mapped_column(primary_key=True)
"""


def test_models_and_database_agree(project: Project) -> None:
    project.migrated()
    result = project.tornkit("db", "check")
    assert (result.exit_code, result.stdout) == (0, "default: models and database agree.\n")


def test_each_difference_is_a_line_and_exit_1(project: Project) -> None:
    project.migrated()
    project.write("PACKAGE/models.py", FILES["PACKAGE/models.py"] + COURSE)
    result = project.tornkit("db", "check", "--bind", "default")
    assert result.exit_code == 1
    assert result.stdout == "default: table courses is not in the database\n"
    assert result.stderr.count("\n") == 1
    assert "1 difference;" in result.stderr
    assert "tornkit db revision" in result.stderr
    checked = project.tornkit("check", "--json")
    assert checked.exit_code == 0
    (message,) = json.loads(checked.stdout)["messages"]
    assert (message["id"], message["level"]) == ("databases.differs", "warning")
    assert message["message"] == "database 'default': table courses is not in the database"
    assert message["object"] == "default"
    project.tornkit("db", "revision", "courses")
    project.tornkit("db", "upgrade")
    assert project.tornkit("db", "check").exit_code == 0
    assert json.loads(project.tornkit("check", "--json").stdout)["messages"] == []


def test_an_old_database_is_not_compared(project: Project) -> None:
    project.tornkit("db", "upgrade")
    project.tornkit("db", "revision", "users")
    result = project.tornkit("db", "check")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "tornkit db upgrade" in result.stderr
