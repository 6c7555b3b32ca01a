"""``tornkit user``: whom it lets in, keeps out and deletes, and what it refuses."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.cli.test_commands import create, one_line

if TYPE_CHECKING:
    from tests.cli.conftest import Project

pytestmark = pytest.mark.slow  # each command is a process's work

EMAIL = "ada@b.example"
SIGN_IN = (
    "session = app.sessions.begin()\n"
    f"session.sign_in((await app.accounts.get('{EMAIL}')).id)\n"
    "await app.sessions.save(session)"
)


def sessions_of(project: Project) -> int:
    shown = project.tornkit("sessions", "list", "--user", EMAIL)
    assert shown.exit_code == 0, shown.output
    return len(shown.stdout.splitlines()) - 1


def test_a_user_is_disabled_enabled_and_deleted(project: Project) -> None:
    project.migrated()
    create(project, EMAIL, "--role", "teacher")
    assert project.tornkit("shell", "-c", SIGN_IN).exit_code == 0
    assert sessions_of(project) == 1
    disabled = project.tornkit("user", "disable", "Ada@B.example")
    assert disabled.stdout == f"Disabled {EMAIL}; all sessions are ended.\n"
    assert sessions_of(project) == 0
    assert project.tornkit("user", "list").stdout.splitlines()[1].endswith("no")
    assert project.tornkit("user", "enable", EMAIL).stdout == f"Enabled {EMAIL}.\n"
    assert project.tornkit("user", "list").stdout.splitlines()[1].endswith("yes")
    assert project.tornkit("shell", "-c", SIGN_IN).exit_code == 0
    deleted = project.tornkit("user", "delete", EMAIL, "--yes")
    assert deleted.stdout == f"Deleted {EMAIL}.\n"
    assert len(project.tornkit("user", "list").stdout.splitlines()) == 1
    count = "print(len(await app.sessions.list_user(1)))"
    assert project.tornkit("shell", "-c", count).stdout.splitlines()[-1] == "0"


def test_deleting_is_asked_for_on_a_terminal_only(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.migrated()
    create(project, EMAIL)
    assert "--yes" in one_line(project.tornkit("user", "delete", EMAIL), 2)
    monkeypatch.setattr("tornkit.cli.user._has_terminal", lambda: True)
    kept = project.tornkit("user", "delete", EMAIL, stdin="n\n")
    assert kept.exit_code == 130
    assert EMAIL in project.tornkit("user", "list").stdout
    deleted = project.tornkit("user", "delete", EMAIL, stdin="y\n")
    assert deleted.stdout == f"Deleted {EMAIL}.\n"


@pytest.mark.parametrize("command", [["disable"], ["enable"], ["delete", "--yes"]], ids=" ".join)
def test_somebody_unknown_ends_with_1(project: Project, command: list[str]) -> None:
    project.migrated()
    assert "no@b.example" in one_line(project.tornkit("user", *command, "no@b.example"), 1)


@pytest.mark.parametrize("command", ["create", "password", "roles", "disable", "enable", "delete"])
def test_what_is_no_address_is_bad_usage(project: Project, command: str) -> None:
    line = one_line(project.tornkit("user", command, "notanemail"), 2)
    assert "'notanemail' is not an e-mail address" in line


@pytest.mark.parametrize(
    ("password", "said"), [("short", "at least 8 characters"), ("password1", "many people use")]
)
def test_a_weak_password_ends_with_1_and_the_reason(
    project: Project, password: str, said: str
) -> None:
    project.migrated()
    create(project, EMAIL)
    for command, email in (("create", "new@b.example"), ("password", EMAIL)):
        result = project.tornkit("user", command, email, "--password-stdin", stdin=f"{password}\n")
        assert said in one_line(result, 1)
    assert "new@b.example" not in project.tornkit("user", "list").stdout


def test_a_weak_password_is_told_without_being_echoed(project: Project) -> None:
    project.migrated()
    result = project.tornkit("user", "create", EMAIL, "--password-stdin", stdin="qwertyuiop\n")
    assert "qwertyuiop" not in result.output
