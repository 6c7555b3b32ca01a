"""`tornkit check --deploy`: real projects through the real command."""

from __future__ import annotations

import ast
import json
import re
import secrets
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.checks.test_checks import ROOT, found, ids, raised
from tests.cli.conftest import Project
from tests.cli.processes import tornkit
from tornkit.checks.deploy import CHECKS

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.slow  # each starts whole commands

SECRET = secrets.token_urlsafe(48)


@pytest.fixture
def fresh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    """Give the folder where `tornkit new` is called, with what production needs and no more."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TORNKIT_APP", raising=False)
    monkeypatch.setattr(sys, "path", sys.path.copy())
    monkeypatch.setenv("MYSCHOOL_SECRET", SECRET)
    monkeypatch.setenv("MYSCHOOL_ALLOWED_HOSTS", "www.school.example")
    yield Project(tmp_path / "myschool", "myschool")
    for name in [name for name in sys.modules if name.partition(".")[0] == "myschool"]:
        del sys.modules[name]


def made(fresh: Project, monkeypatch: pytest.MonkeyPatch, *options: str) -> Project:
    assert fresh.tornkit("new", "myschool", *options).exit_code == 0
    monkeypatch.chdir(fresh.folder)
    # The default port may be taken on the machine of the tests.
    monkeypatch.setenv("MYSCHOOL_PORT", "0")
    return fresh


def test_a_fresh_project_passes(fresh: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    site = made(fresh, monkeypatch, "--modules", "teacher,student")
    assert ids(found(site, "--deploy")) == [("databases.pending", "error")]
    assert site.tornkit("db", "upgrade").exit_code == 0
    assert found(site, "--deploy") == []
    result = site.tornkit("check", "--deploy")
    assert (result.exit_code, result.stdout) == (0, "Everything is in order.\n")


def test_a_minimal_project_keeps_its_sessions_in_memory(
    fresh: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = made(fresh, monkeypatch, "--minimal")
    assert site.tornkit("db", "upgrade").exit_code == 0
    (message,) = found(site, "--deploy")
    assert (message["id"], message["level"]) == ("deploy.session-memory", "warning")
    assert message["file"] == "settings.toml"
    monkeypatch.setenv("MYSCHOOL_SESSION__STORE", "database://default")
    assert site.tornkit("db", "upgrade").exit_code == 0
    assert found(site, "--deploy") == []


@pytest.mark.slow
def test_a_fresh_project_passes_in_a_process_of_its_own(tmp_path: Path) -> None:
    given = {
        "MYSCHOOL_SECRET": SECRET,
        "MYSCHOOL_ALLOWED_HOSTS": "www.school.example",
        "MYSCHOOL_PORT": "0",
    }
    assert tornkit("new", "myschool", cwd=tmp_path).returncode == 0
    assert tornkit("db", "upgrade", cwd=tmp_path / "myschool").returncode == 0
    ended = tornkit("check", "--deploy", cwd=tmp_path / "myschool", **given)
    assert (ended.returncode, ended.stdout) == (0, "Everything is in order.\n"), ended.stderr


def test_what_the_guide_says_is_in_order(fresh: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    guide = (ROOT / "docs/how-to/deploy.md").read_text()
    lines = re.findall(r"^MYSCHOOL_(\w+)=(.+)$", guide, re.MULTILINE)
    assert {name for name, _ in lines} >= {"ENVIRONMENT", "SECRET", "ALLOWED_HOSTS"}
    for name, value in lines:
        monkeypatch.setenv(f"MYSCHOOL_{name}", SECRET if name == "SECRET" else value)
    site = made(fresh, monkeypatch, "--modules", "teacher")
    assert site.tornkit("db", "upgrade").exit_code == 0
    assert found(site, "--deploy") == []
    settings = {
        row["key"]: row["value"] for row in json.loads(site.tornkit("settings", "--json").stdout)
    }
    unit = dict(re.findall(r"^(\w+)=(.+)$", guide.partition("[Service]")[2], re.MULTILINE))
    assert int(unit["TimeoutStopSec"]) > settings["server.shutdown_timeout"]


# --- what production refuses -----------------------------------------------------------------


def production(monkeypatch: pytest.MonkeyPatch, **values: str) -> None:
    given = {"SECRET": SECRET, "ALLOWED_HOSTS": "school.example", **values}
    for name, value in given.items():
        monkeypatch.setenv(f"SITE_{name}", value)


@pytest.mark.parametrize(
    ("values", "check_id"),
    [
        ({"SECRET": ""}, "deploy.secret"),
        ({"SECRET": "short"}, "deploy.secret"),
        ({"SECRET": "change-me-" * 5}, "deploy.secret"),
        ({"DEBUG": "true"}, "deploy.debug"),
        ({"ALLOWED_HOSTS": ""}, "deploy.allowed-hosts"),
    ],
    ids=["missing", "short", "example", "debug", "hosts"],
)
def test_what_production_refuses_is_an_error(
    project: Project, monkeypatch: pytest.MonkeyPatch, values: dict[str, str], check_id: str
) -> None:
    project.migrated()
    production(monkeypatch, **values)
    assert ids(found(project, "--deploy")) == [(check_id, "error")]


def test_the_rest_is_judged_beside_what_production_refuses(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.migrated()
    project.write("settings.toml", 'port = 0\nhost = "0.0.0.0"\ndebug = true\n')
    assert ids(found(project, "--deploy")) == [
        ("deploy.secret", "error"),
        ("deploy.debug", "error"),
        ("deploy.allowed-hosts", "error"),
        ("deploy.open-host", "warning"),
    ]


def test_a_setting_that_cannot_be_read_is_all_that_is_told(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.write("settings.toml", 'port = "abc"\nhost = "0.0.0.0"\n')
    told = ids(found(project, "--deploy"))
    assert ("settings.invalid", "error") in told
    assert ("deploy.open-host", "warning") not in told
    production(monkeypatch)
    assert ids(found(project, "--deploy")) == [("settings.invalid", "error")]


def test_production_is_judged_whatever_the_environment_says(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.migrated()
    production(monkeypatch)
    project.write("settings.development.toml", 'host = "0.0.0.0"\n')
    assert found(project, "--deploy", "--environment", "development") == []
    project.write("settings.production.toml", 'host = "0.0.0.0"\n')
    told = found(project, "--deploy", "--environment", "development")
    assert ids(told) == [("deploy.open-host", "warning")]
    assert found(project, "--environment", "testing") == []


def test_a_warning_alone_ends_with_0(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    project.migrated()
    production(monkeypatch, SESSION__STORE="memory://")
    result = project.tornkit("check", "--deploy")
    assert result.exit_code == 0
    (line,) = result.stdout.splitlines()
    assert line.startswith(
        "warning: settings: session.store is memory:// (env SITE_SESSION__STORE)"
    )
    assert line.endswith("[deploy.session-memory]")


def test_an_application_that_is_made_while_it_is_imported_is_judged_too(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.migrated()
    file = project.folder / project.package / "app.py"
    project.write("PACKAGE/app.py", file.read_text() + "\napp = create_app()\n")
    name = f"{project.package}.app:app"
    assert ids(found(project, "--deploy", "--app", name)) == [
        ("deploy.secret", "error"),
        ("deploy.allowed-hosts", "error"),
    ]
    production(monkeypatch, HOST="0.0.0.0")
    assert ids(found(project, "--deploy", "--app", name)) == [("deploy.open-host", "warning")]


def test_a_plain_application_has_nothing_to_be_judged_by(project: Project) -> None:
    project.write("PACKAGE/app.py", "import tornado.web\ncreate_app = tornado.web.Application")
    result = project.tornkit("check", "--deploy", "--json")
    assert json.loads(result.stdout) == {"ok": True, "messages": []}


# --- the reference ---------------------------------------------------------------------------


def told_in(file: Path) -> set[str]:
    """Return the identifiers of these checks that a file writes out."""
    return {
        node.value
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and re.fullmatch(r"deploy\.[a-z-]+", node.value)
    }


def test_each_check_is_shown_to_fail() -> None:
    known = {name for name in raised() if name.startswith("deploy.")}
    here = Path(__file__).parent
    files = [*here.glob("test_deploy_*.py"), here / "test_tasks.py"]
    shown = {name for file in files for name in told_in(file)}
    assert known == shown
    assert len(known) >= 25
    assert len(CHECKS) == len(set(CHECKS)) >= 25
