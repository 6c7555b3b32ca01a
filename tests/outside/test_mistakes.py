"""Every mistake in a project is one message from `check` and from `run`, before a port opens."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import pytest

from tests.cli.processes import Running, get, tornkit

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow

MODULE = """
from tornkit import PUBLIC, BaseHandler, Module, path, roles

class Page(BaseHandler):
    async def get(self):
        self.response_json()

module = Module({})
"""
OTHER = "school/modules/other.py"
TOML = "settings.toml"
CODES = """
from tornkit import ErrorCode
A = ErrorCode(1001, "a", 400)
B = ErrorCode(1001, "b", 400)
"""
SECRET = "SCHOOL_SECRET"
PRODUCTION = {"SCHOOL_ENVIRONMENT": "production", SECRET: "s4-Gz0Yw9TqLk2Vb7Nn5Xc8Rm1Hd6PfJ3u"}


def a_module(arguments: str) -> str:
    return MODULE.format(arguments)


# What is written where, and the parts of the one message that follows.
FILES = {
    "two modules of one name": (
        "school/modules/teacher.py",
        a_module("access=PUBLIC, routes=[]"),
        ["two modules are called 'teacher'", "teacher.py", "rename or remove"],
    ),
    "two routes of one name": (
        OTHER,
        a_module('access=PUBLIC, routes=[path("/a", Page, name="x"), path("/b", Page, name="x")]'),
        ["two routes have the name 'other:x'", "other.py:8", "rename one"],
    ),
    "two routes of one pattern": (
        OTHER,
        a_module('access=PUBLIC, prefix="/teacher", routes=[path("/", Page)]'),
        ["two routes have the pattern '/teacher/'", "other.py:8", "teacher/__init__.py"],
    ),
    "a reserved name": (
        "school/modules/tasks.py",
        a_module("access=PUBLIC, routes=[]"),
        ["'tasks' is reserved", "choose another"],
    ),
    "no module": (OTHER, "x = 1\n", ["has no `module`", "write module = Module("]),
    "an empty group": ("school/modules/staff/__init__.py", "", ["holds none", "staff"]),
    "no access": (OTHER, a_module("routes=[]"), ["other.py:8", "access is None; give PUBLIC"]),
    "a wrong expression": (
        OTHER,
        a_module('access=PUBLIC, routes=[("/(", Page)]'),
        ["other.py", "unterminated subpattern", "correct the regular expression"],
    ),
    "the user's exception": (
        OTHER,
        "def fail():\n    raise ValueError('my own words')\nfail()\n",
        ["module 'other' (school.modules.other)", "Traceback", "ValueError: my own words"],
    ),
    "a syntax error": (OTHER, "def f(:\n", ["module 'other'", "other.py", "SyntaxError"]),
    "a broken template": (
        "school/templates/base.html",
        "{% if %}",
        ["'base.html'", "base.html:1", "Expected an expression"],
    ),
    "a missing parent": (
        "school/templates/errors/error.html",
        '{% extends "bsae.html" %}',
        ["error.html:1", "'bsae.html', which does not exist"],
    ),
    "two bad settings": (
        TOML,
        'log_level = "LOUD"\n[session]\nidle_timeout = -5\n',
        ["log_level is 'LOUD' (settings.toml:1)", "idle_timeout is -5 (settings.toml:3)"],
    ),
    "an unknown setting": (TOML, "prot = 1\n", ["prot (settings.toml:1)", "did you mean 'port'?"]),
    "no TOML": (TOML, "port = = 1\n", ["settings.toml:1", "cannot be read"]),
    "an unknown store": (
        TOML,
        '[session]\nstore = "database://defualt"\n',
        ["session.store is 'database://defualt' (settings.toml:2)", "database://default"],
    ),
    "an unknown scheme": (
        TOML,
        '[databases]\ndefault = "oracle://u:hunter22@h/x"\n',
        ["database 'default'", "'oracle'", "sqlite"],
    ),
    "nobody at the address": (
        TOML,
        '[databases]\ndefault = "postgresql://u:hunter22@127.0.0.1:1/x"\n',
        ["database 'default'", "cannot be reached", "check that it runs"],
    ),
    "error codes of one number": (
        OTHER,
        CODES + a_module("access=PUBLIC, routes=[]"),
        ["error code 1001 is defined twice", "other.py:3", "other.py:4"],
    ),
}
VARIABLES = {
    "an unknown environment": (
        {"SCHOOL_ENVIRONMENT": "prodution"},
        ["environment is 'prodution'", "did you mean 'production'?"],
    ),
    "no secret": (PRODUCTION | {SECRET: ""}, ["secret", "tornkit secret", "allowed_hosts"]),
    "a short secret": (PRODUCTION | {SECRET: "hunter22"}, ["has 8 characters", "at least 32"]),
    "debug in production": (
        PRODUCTION | {"SCHOOL_DEBUG": "1"},
        ["debug is true", "expected false"],
    ),
    "an unmigrated database": (
        {"SCHOOL_ENVIRONMENT": "testing", "SCHOOL_DATABASES__DEFAULT": "sqlite:///data/empty.db"},
        ["database 'default'", "3 pending migrations", "tornkit db upgrade"],
    ),
}


@pytest.fixture
def copied(school: Path, tmp_path: Path) -> Path:
    return shutil.copytree(school, tmp_path / "copied")


def refused(folder: Path, parts: list[str], **variables: str) -> None:
    """Ask `check` and `run`; both name every part, end with 1, and nothing was served."""
    check = tornkit("check", cwd=folder, **variables)
    run = tornkit("run", "--port", "0", cwd=folder, **variables)
    for done in (check, run):
        said = done.stdout + done.stderr
        assert done.returncode == 1, said
        assert not [part for part in parts if part not in said], said
        assert "hunter22" not in said
        assert "Serving" not in said
        assert ("Traceback" in said) == ("Traceback" in parts)
    data = json.loads(tornkit("check", "--json", cwd=folder, **variables).stdout)
    assert data["ok"] is False


@pytest.mark.parametrize("mistake", FILES)
def test_a_mistake_in_a_file_is_one_message(copied: Path, mistake: str) -> None:
    name, text, parts = FILES[mistake]
    (copied / name).parent.mkdir(exist_ok=True)
    (copied / name).write_text(text)
    refused(copied, parts)


@pytest.mark.parametrize("mistake", VARIABLES)
def test_a_mistake_in_the_environment_is_one_message(copied: Path, mistake: str) -> None:
    variables, parts = VARIABLES[mistake]
    refused(copied, parts, **variables)


def test_an_unknown_variable_is_a_warning_with_a_near_miss(copied: Path) -> None:
    done = tornkit("check", cwd=copied, SCHOOL_PROT="1")
    assert done.returncode == 0
    assert "warning: settings: SCHOOL_PROT" in done.stdout
    assert "did you mean 'SCHOOL_PORT'?" in done.stdout


def test_a_user_needs_no_role_and_a_wrong_one_suggests_the_right(copied: Path) -> None:
    create = ("user", "create", "a@b.example", "--password-stdin")
    wrong = tornkit(*create, "--role", "techer", cwd=copied, stdin="secret words\n")
    assert (wrong.returncode, wrong.stdout) == (2, "")
    assert "did you mean 'teacher'?" in wrong.stderr
    plain = tornkit(*create, cwd=copied, stdin="secret words\n")
    assert (plain.returncode, plain.stderr) == (0, "")


@pytest.mark.parametrize("name", ["a b", "é", "50%25", "100%", "what?", "no#1", "{x}", "-dash"])
def test_a_project_works_in_a_folder_of_any_name(tmp_path: Path, name: str) -> None:
    made = tornkit("new", "school", "--directory", f"./{name}", cwd=tmp_path)
    assert made.returncode == 0, made.stderr
    with Running("run", "--port", "0", cwd=tmp_path / name) as running:
        address = running.address()
        assert get(f"{address}/")[0] == get(f"{address}/account/is-signed-in")[0] == 200
    assert (tmp_path / name / "data" / "site.db").is_file()
    assert [path.name for path in tmp_path.iterdir()] == [name]
