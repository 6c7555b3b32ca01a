"""Every mistake gives its one clear message from `tornkit check`, under a documented id."""

from __future__ import annotations

import ast
import json
import logging
import re
import secrets
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.cli.processes import Running

if TYPE_CHECKING:
    from tests.cli.conftest import Project

ROOT = Path(__file__).parents[2]
REFERENCE = ROOT / "docs" / "reference" / "checks.md"


def found(project: Project, *arguments: str) -> list[dict[str, Any]]:
    result = project.tornkit("check", "--json", *arguments)
    report = json.loads(result.stdout)
    errors = [message for message in report["messages"] if message["level"] == "error"]
    assert report["ok"] == (not errors)
    assert result.exit_code == (1 if errors else 0)
    for message in report["messages"]:
        keys = {"id", "level", "message", "hint", "object", "file", "line"}
        assert set(message) == keys
    messages: list[dict[str, Any]] = report["messages"]
    return messages


def ids(messages: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return [(message["id"], message["level"]) for message in messages]


def test_a_migrated_project_is_in_order(project: Project) -> None:
    project.migrated()
    assert found(project) == []
    assert project.tornkit("check").stdout == "Everything is in order.\n"


def test_pending_migrations_are_a_warning_where_run_applies_them(project: Project) -> None:
    (message,) = found(project)
    assert (message["id"], message["level"]) == ("databases.pending", "warning")
    assert message["object"] == "default"
    (message,) = found(project, "--environment", "testing")
    assert (message["id"], message["level"]) == ("databases.pending", "error")
    assert "tornkit db upgrade" in message["hint"]


def test_looking_changes_no_database(project: Project) -> None:
    assert found(project) == found(project) != []


def test_a_database_newer_than_the_code(project: Project) -> None:
    project.migrated()
    for file in (project.folder / project.package / "migrations" / "default").glob("0*.py"):
        file.unlink()
    assert ids(found(project)) == [("databases.unknown-revision", "error")]


def test_bad_settings_are_a_message_each_with_file_and_line(project: Project) -> None:
    project.write("settings.toml", 'port = "abc"\nhost = 3\n')
    first, second = found(project)
    assert ids([first, second]) == [("settings.invalid", "error")] * 2
    assert {first["object"], second["object"]} == {"port", "host"}
    assert {first["line"], second["line"]} == {1, 2}
    assert first["file"].endswith("settings.toml")


def test_an_unknown_variable_is_a_warning(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.migrated()
    monkeypatch.setenv("SITE_PROT", "3")
    (message,) = found(project)
    assert (message["id"], message["level"]) == ("settings.unknown", "warning")
    assert "port" in (message["message"] + message["hint"]).lower()


def test_a_broken_template_is_named_with_its_line(project: Project) -> None:
    project.migrated()
    file = project.write("PACKAGE/templates/home.html", "one\n{% if %}\n")
    (message,) = found(project)
    assert (message["id"], message["level"]) == ("templates.broken", "error")
    assert (message["file"], message["line"]) == (str(file), 2)


def test_a_role_that_no_module_names_is_a_warning(project: Project) -> None:
    project.migrated()
    arguments = ["user", "create", "a@b.example", "--role", "teacher", "--password-stdin"]
    assert project.tornkit(*arguments, stdin="long-one-1\n").exit_code == 0
    text = (project.folder / project.package / "modules" / "teacher.py").read_text()
    project.write("PACKAGE/modules/teacher.py", text.replace('"teacher"', '"teachers"'))
    (message,) = found(project)
    assert (message["id"], message["level"]) == ("accounts.unknown-role", "warning")
    assert message["object"] == "teacher"
    assert message["hint"] == "did you mean 'teachers'?"


def test_a_port_in_use_is_an_error(project: Project) -> None:
    project.migrated()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        project.write("settings.toml", f"port = {taken.getsockname()[1]}\n")
        assert ids(found(project)) == [("server.port", "error")]


@pytest.mark.slow
def test_a_port_where_a_site_answers_is_a_warning(project: Project) -> None:
    project.migrated()
    with Running("run", "--port", "0", "--no-reload", cwd=project.folder) as running:
        port = running.address().rpartition(":")[2]
        project.write("settings.toml", f"port = {port}\n")
        assert ids(found(project)) == [("server.port", "warning")]


def test_logging_that_is_not_valid_is_an_error_and_this_process_keeps_its_own(
    project: Project,
) -> None:
    project.migrated()
    before = logging.getLogger().handlers[:]
    project.write("settings.toml", '[logging.root]\nlevel = "LOUD"\n')
    assert ids(found(project)) == [("settings.invalid", "error")]
    project.write("settings.toml", '[logging.root]\nhandlers = ["console", "file"]\n')
    assert found(project) == []
    assert logging.getLogger().handlers == before
    assert not (project.folder / "log" / "site.log").exists()


def test_an_exception_of_the_project_is_a_message_with_its_place(project: Project) -> None:
    file = project.write("PACKAGE/app.py", "\nraise KeyError('mine')\n")
    (message,) = found(project)
    assert (message["id"], message["level"]) == ("app.raised", "error")
    assert "KeyError: 'mine'" in message["message"]
    assert (message["file"], message["line"]) == (str(file), 2)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("PACKAGE/modules/empty.py", "x = 1\n"),
        ("PACKAGE/modules/static.py", "x = 1\n"),
        ("PACKAGE/modules/twin.py", "from PACKAGE.modules.teacher import module\nmodule = 3\n"),
    ],
)
def test_a_module_that_cannot_be_mounted_is_one_error(
    project: Project, name: str, text: str
) -> None:
    file = project.write(name, text)
    (message,) = found(project)
    assert message["level"] == "error"
    assert message["id"].startswith("modules.")
    assert str(file) in (message["file"], *re.findall(r"[^ ;,()]+", message["message"]))
    assert message["hint"]


def test_two_routes_of_one_name_are_an_error(project: Project) -> None:
    text = (project.folder / project.package / "modules" / "teacher.py").read_text()
    line = '        path("/other", Course, name="course"),\n'
    project.write("PACKAGE/modules/teacher.py", text.replace("    ],\n", f"{line}    ],\n"))
    text = text.replace("    routes=[", '    routes=[path("/other", Course, name="course"), ')
    project.write("PACKAGE/modules/teacher.py", text)
    (message,) = found(project)
    assert message["level"] == "error"
    assert message["id"].startswith("routes.")


def test_deploy_reports_every_refusal_of_production(project: Project) -> None:
    project.migrated()
    errors = [each for each in found(project, "--deploy") if each["level"] == "error"]
    assert {each["object"] for each in errors} == {"secret", "allowed_hosts"}
    project.write("settings.toml", "port = 0\ndebug = true\n")
    errors = [each for each in found(project, "--deploy") if each["level"] == "error"]
    assert {each["object"] for each in errors} == {"secret", "allowed_hosts", "debug"}


def test_deploy_passes_where_production_would_start(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.migrated()
    monkeypatch.setenv("SITE_SECRET", secrets.token_urlsafe(48))
    project.write("settings.production.toml", 'allowed_hosts = ["school.example"]\nport = 0\n')
    assert found(project, "--deploy") == []


def test_no_project_and_bad_names_are_messages_too(project: Project) -> None:
    assert ids(found(project, "--app", "nonsense")) == [("app.bad-name", "error")]
    assert ids(found(project, "--app", "nonsense_x:y")) == [("app.not-found", "error")]
    project.write("PACKAGE/app.py", "create_app = 3\n")
    assert ids(found(project)) == [("app.not-an-application", "error")]
    (project.folder / "pyproject.toml").unlink()
    assert ids(found(project)) == [("app.no-project", "error")]


def test_two_error_codes_of_one_number(project: Project) -> None:
    number = 40_000 + int(project.package.removeprefix("site"))
    text = "from tornkit import ErrorCode\nA = ErrorCode({n}, 'a')\nB = ErrorCode({n}, 'b')\n"
    app = (project.folder / project.package / "app.py").read_text()
    project.write("PACKAGE/app.py", text.format(n=number) + app)
    try:
        assert ids(found(project)) == [("errors.duplicate-code", "error")]
    finally:
        from tornkit import errors

        errors._duplicates.clear()


# --- the reference ---------------------------------------------------------------------------


def documented() -> set[str]:
    return set(re.findall(r"^### `([a-z.-]+)`$", REFERENCE.read_text(), re.MULTILINE))


def raised() -> set[str]:
    """Return every identifier that the source writes out."""
    names: set[str] = {"app.error", "settings.unknown", "accounts.unknown-role"}
    names |= {"sessions.unavailable", "tasks.unavailable"}
    for file in (ROOT / "src" / "tornkit").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Constant) and re.fullmatch(
                r"deploy\.[a-z-]+", str(node.value)
            ):
                names.add(str(node.value))
            elif isinstance(node, ast.keyword) and node.arg == "check_id":
                names |= {
                    each.value
                    for each in ast.walk(node.value)
                    if isinstance(each, ast.Constant)
                    and isinstance(each.value, str)
                    and re.fullmatch(r"[a-z]+\.[a-z-]+", each.value)
                }
    # Written with the kind of duplicate in it.
    return names - {"routes.duplicate-"} | {"routes.duplicate-name", "routes.duplicate-pattern"}


def test_every_identifier_has_a_heading_and_no_heading_is_left_over() -> None:
    assert documented() == raised()
