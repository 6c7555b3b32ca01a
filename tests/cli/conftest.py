"""A small project with users, written out so that each test can break it its own way."""

from __future__ import annotations

import itertools
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner, Result

from tornkit.cli._main import cli
from tornkit.settings import command_line

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_numbers = itertools.count()

FILES = {
    "pyproject.toml": '[tool.tornkit]\napp = "PACKAGE.app:create_app"\n',
    "settings.toml": "port = 0\n",
    "PACKAGE/__init__.py": "",
    "PACKAGE/settings.py": """
import tornkit

class Settings(tornkit.Settings, env_prefix="SITE_"):
    pass
""",
    "PACKAGE/models.py": """
from sqlalchemy.orm import DeclarativeBase
from tornkit import UserMixin

class Base(DeclarativeBase):
    pass

class User(Base, UserMixin):
    __tablename__ = "user"
""",
    "PACKAGE/app.py": """
from tornkit import Application
from PACKAGE.models import User
from PACKAGE.settings import Settings

def create_app(settings=None):
    return Application(settings or Settings.load(), modules="PACKAGE.modules", user_model=User)
""",
    "PACKAGE/modules/__init__.py": "",
    "PACKAGE/modules/home.py": """
from tornkit import PUBLIC, BaseHandler, Module, path

class Home(BaseHandler):
    async def get(self):
        self.response_html("home.html")

module = Module(access=PUBLIC, routes=[path("/", Home, name="home")])
""",
    "PACKAGE/modules/teacher.py": """
from tornkit import BaseHandler, Module, path, roles

class Course(BaseHandler):
    async def get(self, course_id: int):
        self.response_json(course_id=course_id)

module = Module(
    access=roles("teacher"),
    routes=[path("/courses/{course_id:int}", Course, name="course")],
)
""",
    "PACKAGE/templates/home.html": "<h1>Home</h1>\n",
}


@dataclass
class Project:
    """A project on disk, and the command line in it."""

    folder: Path
    package: str

    def write(self, name: str, text: str) -> Path:
        file = self.folder / name.replace("PACKAGE", self.package)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text.replace("PACKAGE", self.package))
        return file

    def tornkit(self, *arguments: str, stdin: str | None = None) -> Result:
        """Run a command in this process, importing the project afresh."""
        for name in [name for name in sys.modules if name.partition(".")[0] == self.package]:
            del sys.modules[name]
        return CliRunner().invoke(cli, list(arguments), input=stdin, prog_name="tornkit")

    def migrated(self) -> Project:
        """Write the first revision of the project and apply it."""
        assert self.tornkit("db", "upgrade").exit_code == 0
        assert self.tornkit("db", "revision", "users").exit_code == 0
        assert self.tornkit("db", "upgrade").exit_code == 0
        return self


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    made = Project(tmp_path, f"site{next(_numbers)}")
    for name, text in FILES.items():
        made.write(name, text)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TORNKIT_APP", raising=False)
    monkeypatch.setattr(sys, "path", sys.path.copy())
    yield made
    command_line({}, None)
    for name in [name for name in sys.modules if name.partition(".")[0] == made.package]:
        del sys.modules[name]
