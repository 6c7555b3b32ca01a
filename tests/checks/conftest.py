"""The small project of the command line's tests, and a generated one as production runs it."""

from __future__ import annotations

import importlib
import secrets
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from tests.cli.conftest import project
from tornkit.checks import look_at_deployment
from tornkit.scaffold.answers import ModuleAnswers, ProjectAnswers
from tornkit.scaffold.database import DEFAULT_DATABASE
from tornkit.scaffold.names import project_name
from tornkit.scaffold.plan import plan_project
from tornkit.scaffold.write import write_project

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tornkit import Application, Settings
    from tornkit.checks import Message

__all__ = ["deployed", "generated", "project"]

PACKAGE = "checked_school"
PREFIX = "CHECKED_SCHOOL_"
SECRET = secrets.token_urlsafe(48)


@dataclass(frozen=True)
class Deployed:
    """A generated project with a secret and hosts, and nothing else, set for production."""

    folder: Path

    def settings(self, text: str = "") -> Settings:
        """Load production's settings with this in ``settings.production.toml``."""
        (self.folder / "settings.production.toml").write_text(text)
        loaded: Settings = self._module("settings").Settings.load("production")
        return loaded

    def app(self, text: str = "") -> Application:
        made: Application = self._module("app").create_app(self.settings(text))
        return made

    @property
    def user_model(self) -> type[Any]:
        model: type[Any] = self._module("models").User
        return model

    def look(self, text: str = "") -> list[Message]:
        return look_at_deployment(self.app(text))

    def _module(self, name: str) -> Any:
        return importlib.import_module(f"{PACKAGE}.{name}")


@pytest.fixture(scope="session")
def generated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployed]:
    folder = tmp_path_factory.mktemp("generated") / "site"
    student = ModuleAnswers("student", "roles", ("student",))
    answers = ProjectAnswers(project_name(PACKAGE), (student,), DEFAULT_DATABASE)
    write_project(plan_project(answers, "1.0"), folder)
    sys.path.insert(0, str(folder))
    yield Deployed(folder)
    sys.path.remove(str(folder))
    for name in [name for name in sys.modules if name.partition(".")[0] == PACKAGE]:
        del sys.modules[name]


@pytest.fixture
def deployed(generated: Deployed, monkeypatch: pytest.MonkeyPatch) -> Deployed:
    monkeypatch.setenv(f"{PREFIX}SECRET", SECRET)
    monkeypatch.setenv(f"{PREFIX}ALLOWED_HOSTS", "www.school.example")
    for name in ("PYTHONASYNCIODEBUG", "PYTHONDEVMODE", "PGSSLMODE"):
        monkeypatch.delenv(name, raising=False)
    return generated
