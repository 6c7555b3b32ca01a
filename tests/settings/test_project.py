from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import assert_type
from urllib.parse import unquote

import pytest
from pydantic import SecretStr, ValidationError

from tests.settings.school import School, Smtp, problems
from tornkit.errors import SettingsError
from tornkit.settings import PathSettings, Settings


def test_fields_keep_their_types(project: Path) -> None:
    loaded = School.load(project_dir=project)
    assert_type(loaded, School)
    assert_type(loaded.classes, int)
    assert_type(loaded.smtp, Smtp)
    assert_type(loaded.secret, SecretStr)
    assert_type(loaded.paths.data, Path)
    assert_type(loaded.databases["default"], SecretStr)


def test_settings_are_frozen(project: Path) -> None:
    loaded = School.load(project_dir=project)
    with pytest.raises(ValidationError):
        loaded.port = 1
    with pytest.raises(ValidationError):
        loaded.session.store = "memory://"


def test_every_listed_value_is_json_with_an_origin(project: Path) -> None:
    (project / "settings.toml").write_text(
        "[[printers]]\nname = 'p'\n[logging.loggers.'a.b']\nlevel = 'INFO'\n"
    )
    loaded = School.load(project_dir=project)
    rows = {row.key: row for row in loaded.listing()}
    json.dumps([row.value for row in rows.values()], allow_nan=False)
    assert {row.key: row.origin for row in rows.values()} == dict(loaded.origins)
    assert {key.partition(".")[0] for key in rows} == set(School.model_fields)
    assert rows["databases.default"].value == "sqlite:///data/site.db"
    assert rows["printers"].value == [{"name": "p", "pin": 0}]
    assert rows["printers"].origin == "settings.toml:1"
    assert rows["logging.loggers.'a.b'.level"].origin == "settings.toml:4"
    assert rows["paths.log"].value == str(project / "log")


def test_paths_start_at_the_project_folder(project: Path, tmp_path: Path) -> None:
    class MyPaths(PathSettings):
        reports: Path = Path("out/reports")

    class WithPaths(Settings, env_prefix="MYSCHOOL_"):
        paths: MyPaths = MyPaths()

    loaded = WithPaths.load(
        project_dir=project, overrides={"paths.log": "../logs", "paths.upload": str(tmp_path)}
    )
    assert loaded.paths.log == tmp_path / "logs"
    assert loaded.paths.upload == tmp_path
    assert loaded.paths.reports == project / "out" / "reports"
    loaded.create_paths()
    assert loaded.paths.reports.is_dir()


def test_sqlite_urls_become_absolute(project: Path) -> None:
    urls = {
        "a": "sqlite:///x/y.db?mode=ro",
        "b": "sqlite:////abs.db",
        "c": "sqlite://",
        "d": "sqlite:///:memory:",
        "e": "sqlite+aiosqlite:///../z.db",
        "f": "postgresql://u:p%25@h/d",
    }
    loaded = School.load(project_dir=project, overrides={"databases": urls})
    assert loaded.database_urls() == {
        "default": f"sqlite:///{project}/data/site.db",
        "a": f"sqlite:///{project}/x/y.db?mode=ro",
        "b": "sqlite:////abs.db",
        "c": "sqlite://",
        "d": "sqlite:///:memory:",
        "e": f"sqlite+aiosqlite:///{project.parent}/z.db",
        "f": "postgresql://u:p%25@h/d",
    }


@pytest.mark.parametrize("name", ["50%", "a%2Fb", "what?", "no#1", "a b", "é"])
def test_a_project_in_a_folder_of_any_name_keeps_its_files_inside(
    tmp_path: Path, name: str
) -> None:
    project = tmp_path / name
    project.mkdir()
    urls = {"x": "sqlite:///in%3F/x.db"}
    loaded = School.load(project_dir=project, overrides={"databases": urls})
    loaded.create_paths()
    assert (project / "in?").is_dir()
    assert [path.name for path in tmp_path.iterdir()] == [name]
    path = loaded.database_urls()["default"].removeprefix("sqlite:///")
    assert "?" not in path
    assert unquote(path) == f"{project}/data/site.db"


def test_create_paths_makes_the_folders_and_names_all_it_cannot(project: Path) -> None:
    loaded = School.load(project_dir=project, overrides={"databases.x": "sqlite:///deep/er/x.db"})
    loaded.create_paths()
    made = {path.relative_to(project).as_posix() for path in project.rglob("*")}
    assert made == {"log", "upload", "data", "deep", "deep/er"}
    (project / "file").touch()
    broken = School.load(
        project_dir=project, overrides={"paths": {"log": "file", "upload": "file/below"}}
    )
    with pytest.raises(SettingsError) as caught:
        broken.create_paths()
    found = problems(caught.value)
    assert set(found) == {"paths.log", "paths.upload"}
    assert "is a file" in found["paths.log"][2]


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is read-only for root")
def test_a_read_only_folder_is_named(project: Path) -> None:
    project.chmod(0o500)
    with pytest.raises(SettingsError, match=r"paths\.log .*cannot be made"):
        School.load(project_dir=project).create_paths()


def test_the_project_folder_is_found_from_the_class_else_the_current_one(
    tmp_path: Path,
) -> None:
    package = tmp_path / "site" / "src" / "shop"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "settings.py").write_text(
        "import tornkit.settings\n"
        'class Settings(tornkit.settings.Settings, env_prefix="SHOP_"):\n    shelves: int = 1\n'
    )
    program = (
        "from shop.settings import Settings; import tornkit.settings as t;"
        "print(Settings.load().project_dir, t.Settings.load().project_dir)"
    )

    def run() -> list[str]:
        path = os.pathsep.join([str(package.parent), *sys.path])
        result = subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONPATH": path},
            cwd=tmp_path,
            check=True,
            capture_output=True,
            text=True,
        )
        return result.stdout.split()

    assert run() == [str(tmp_path), str(tmp_path)]
    (tmp_path / "site" / "pyproject.toml").touch()
    assert run() == [str(tmp_path / "site"), str(tmp_path)]


def test_validators_of_a_project_find_the_settings_loaded(project: Path) -> None:
    from pydantic import model_validator

    class Curious(Settings, env_prefix="MYSCHOOL_"):
        seen: str = ""

        @model_validator(mode="after")
        def _look(self) -> Curious:
            assert self.project_dir == project
            assert self.database_urls()
            return self

    assert Curious.load(project_dir=project).project_dir == project
