"""What is generated, for every combination of options: complete, clean, without a secret."""

from __future__ import annotations

import ast
import itertools
import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import jinja2
import pytest

from tests.plugin import PLUGIN
from tests.scaffold.helpers import DATABASES, MODULES, NAMES, answers
from tornkit.scaffold.plan import plan_project
from tornkit.scaffold.records import fingerprint
from tornkit.scaffold.write import write_project

pytestmark = pytest.mark.slow

COMBINATIONS = list(itertools.product(NAMES, MODULES, DATABASES))
SAMPLE = [
    each for each in COMBINATIONS if each[2] == "default" or each[:2] == ("longest", "longest")
]
ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(("name", "modules", "database"), COMBINATIONS)
def test_what_is_generated_is_complete(name: str, modules: str, database: str) -> None:
    chosen = answers(name, modules, database)
    files = plan_project(chosen, "1.2.3")
    package = chosen.package
    for path, content in files.items():
        text = content.decode()
        assert text.endswith("\n"), path
        assert not text.endswith("\n\n"), path
        assert not any(mark in text for mark in ("<<", "<%", "<#")), path
        assert all(line == line.rstrip() for line in text.splitlines()), path
        if path.endswith(".py"):
            compile(ast.parse(text), path, "exec")
        elif path.endswith(".html"):
            jinja2.Environment().parse(text)
    project = tomllib.loads(files["pyproject.toml"].decode())
    assert project["tool"]["tornkit"]["app"] == f"{package}.app:create_app"
    settings = tomllib.loads(files["settings.toml"].decode())
    chosen_database = DATABASES[database]
    assert settings["databases"] == (
        {"default": chosen_database.public} if chosen_database else {}
    )
    assert (f"{package}/models.py" in files) is (database != "minimal")
    for module in MODULES[modules]:
        assert f"{package}/modules/{module.name}/__init__.py" in files
        assert f"tests/modules/test_{module.slug}.py" in files


@pytest.mark.parametrize("database", DATABASES)
def test_every_file_is_recorded_once_and_no_secret_is(database: str) -> None:
    files = plan_project(answers("short", "all", database), "1.2.3")
    recorded: dict[str, str] = {}
    for path, content in files.items():
        if path.startswith(".tornkit/"):
            record = json.loads(content)
            assert record["tornkit"] == "1.2.3"
            twice = recorded.keys() & record["files"].keys()
            assert twice <= {"s/modules/staff/__init__.py"}  # a group's file is its modules'
            recorded |= record["files"]
    own = {path for path in files if not path.startswith(".tornkit/") and path != ".env"}
    assert recorded == {path: fingerprint(files[path]) for path in own}
    assert (".env" in files) is (database == "secret")
    for path, content in files.items():
        assert path == ".env" or b"s3cret-word" not in content, path


def test_the_password_stands_in_a_file_that_git_ignores(tmp_path: Path) -> None:
    write_project(plan_project(answers("short", "one", "secret"), "1"), tmp_path / "site")
    environment = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull}
    for command in (["init", "-q"], ["add", "."]):
        subprocess.run(["git", *command], cwd=tmp_path / "site", env=environment, check=True)
    listed = subprocess.run(
        ["git", "ls-files"],
        cwd=tmp_path / "site",
        env=environment,
        check=True,
        capture_output=True,
        text=True,
    ).stdout.split()
    assert ".env" not in listed
    assert {".env.example", ".tornkit/modules/student.json", "settings.toml"} <= set(listed)


def test_every_combination_is_formatted_and_linted(tmp_path: Path) -> None:
    for name, modules, database in SAMPLE:
        files = plan_project(answers(name, modules, database), "1.2.3")
        write_project(files, tmp_path / f"{name}-{modules}-{database}")
    for command in (["check"], ["format", "--check"]):
        done = subprocess.run(
            [sys.executable, "-m", "ruff", *command, "--no-cache", "."],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout[-4000:]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "modules", "database"),
    [
        ("dashed", "all", "default"),
        ("short", "all", "minimal"),
        ("longest", "longest", "default"),
        ("late", "none", "minimal"),
    ],
)
def test_a_project_passes_its_own_tests_and_types(
    tmp_path: Path, name: str, modules: str, database: str
) -> None:
    chosen = answers(name, modules, database)
    site = tmp_path / "site"
    write_project(plan_project(chosen, "0"), site)
    source = str(ROOT / "src")
    environment = {**os.environ, "PYTHONPATH": source, "MYPYPATH": source}
    plugin = [*PLUGIN, "-p", "no:cacheprovider", "-q"]
    for command in (
        ["pytest", *plugin],
        ["mypy", "--strict", "--cache-dir", os.devnull, "."],
    ):
        done = subprocess.run(
            [sys.executable, "-m", *command],
            cwd=site,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout[-4000:]
