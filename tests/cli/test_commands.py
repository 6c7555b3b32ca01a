"""The commands in a small project: what they print, change and refuse."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from click.testing import Result

    from tests.cli.conftest import Project


pytestmark = pytest.mark.slow  # each starts whole commands


def data(result: Result) -> Any:
    return json.loads(result.stdout)


def one_line(result: Result, exit_code: int) -> str:
    assert result.exit_code == exit_code, result.output
    (line,) = result.stderr.splitlines()
    assert line.startswith("Error: ")
    assert line.isprintable()
    return str(line)


def create(project: Project, email: str, *arguments: str) -> Result:
    """Create a user with a good password."""
    arguments = ("user", "create", email, *arguments, "--password-stdin")
    return project.tornkit(*arguments, stdin="long-one-1\n")


# --- routes ----------------------------------------------------------------------------------


def test_routes_json_has_the_stable_shape(project: Project) -> None:
    routes = data(project.tornkit("routes", "--json"))
    (course,) = [route for route in routes if route["name"] == "teacher:course"]
    assert course == {
        "methods": ["GET", "HEAD"],
        "path": "/teacher/courses/{course_id:int}",
        "name": "teacher:course",
        "module": "teacher",
        "access": {"kind": "roles", "roles": ["teacher"]},
        "handler": f"{project.package}.modules.teacher:Course",
        "file": str(project.folder / project.package / "modules" / "teacher.py"),
        "line": 4,
    }


def test_match_names_the_winner_with_converted_values(project: Project) -> None:
    found = project.tornkit("routes", "--match", "get", "/teacher/courses/3", "--json")
    assert data(found)["name"] == "teacher:course"
    assert data(found)["arguments"] == {"course_id": 3}
    assert (
        "course_id=3" in project.tornkit("routes", "--match", "GET", "/teacher/courses/3").output
    )


def test_no_match_ends_with_1(project: Project) -> None:
    one_line(project.tornkit("routes", "--match", "GET", "/nowhere"), 1)
    line = one_line(project.tornkit("routes", "--match", "POST", "/teacher/courses/3"), 1)
    assert "takes GET, HEAD" in line


def test_routes_of_one_module_and_of_an_unknown_one(project: Project) -> None:
    routes = data(project.tornkit("routes", "--json", "--module", "teacher"))
    assert {route["module"] for route in routes} == {"teacher"}
    assert "did you mean 'teacher'?" in one_line(
        project.tornkit("routes", "--module", "techer"), 2
    )


# --- settings --------------------------------------------------------------------------------


def test_settings_json_has_the_stable_shape_and_no_secret(project: Project) -> None:
    project.write("settings.toml", 'port = 0\nsecret = "do-not-show-this-anywhere-0123456789"\n')
    result = project.tornkit("settings", "--json")
    rows = {row["key"]: row for row in data(result)}
    assert rows["port"] == {
        "key": "port",
        "value": 0,
        "origin": "settings.toml:1",
        "secret": False,
    }
    assert rows["secret"]["value"] is None
    assert rows["secret"]["secret"] is True
    plain = project.tornkit("settings")
    assert "do-not-show" not in result.output + plain.output


def test_the_environment_option_reaches_the_settings(project: Project) -> None:
    rows = data(project.tornkit("settings", "--json", "--environment", "testing"))
    assert {"key": "environment", "value": "testing"}.items() <= rows[0].items()


def test_every_bad_setting_is_a_line(project: Project) -> None:
    project.write("settings.toml", 'port = "abc"\nprot = 3\n')
    result = project.tornkit("settings")
    assert result.exit_code == 1
    first, second = result.stderr.splitlines()
    assert first.startswith("Error: settings: ")
    assert second.startswith("Error: settings: ")


def test_a_plain_application_has_no_settings(project: Project) -> None:
    project.write("PACKAGE/app.py", "import tornado.web\ncreate_app = tornado.web.Application")
    assert "plain" in one_line(project.tornkit("settings"), 1)
    assert project.tornkit("routes").exit_code == 0
    assert project.tornkit("check").exit_code == 0


# --- user ------------------------------------------------------------------------------------


def test_users_are_created_listed_and_changed(project: Project) -> None:
    project.migrated()
    made = project.tornkit(
        "user",
        "create",
        "Ada@B.example",
        "--role",
        "teacher",
        "--password-stdin",
        stdin="long-one-1\n",
    )
    assert made.stdout == "Created ada@b.example with the role teacher.\n"
    assert "ada@b.example" in project.tornkit("user", "list").stdout
    taken = project.tornkit("user", "roles", "ada@b.example", "--remove", "teacher")
    assert taken.stdout == "ada@b.example has no roles.\n"
    twice = project.tornkit(
        "user", "create", "ada@b.example", "--password-stdin", stdin="long-one-1\n"
    )
    assert "ada@b.example" in one_line(twice, 1)


def test_an_unknown_role_suggests_the_nearest_and_ends_with_2(project: Project) -> None:
    project.migrated()
    line = one_line(project.tornkit("user", "create", "a@b.example", "--role", "techer"), 2)
    assert "did you mean 'teacher'?" in line
    line = one_line(project.tornkit("user", "roles", "a@b.example", "--add", "techer"), 2)
    assert "did you mean 'teacher'?" in line


def test_without_a_terminal_a_password_is_not_asked_for(project: Project) -> None:
    assert "--password-stdin" in one_line(project.tornkit("user", "create", "a@b.example"), 2)
    one_line(project.tornkit("user", "create", "a@b.example", "--password-stdin", stdin=""), 2)


def test_an_unknown_user_ends_with_1(project: Project) -> None:
    project.migrated()
    arguments = ["--password-stdin"]
    for command, rest in (("password", arguments), ("roles", []), ("roles", ["--add", "teacher"])):
        result = project.tornkit("user", command, "no@b.example", *rest, stdin="long-one-1\n")
        assert "no@b.example" in one_line(result, 1)


def test_a_new_password_ends_the_sessions(project: Project) -> None:
    project.migrated()
    create(project, "a@b.example")
    sign_in = (
        "session = await app.sessions.load(None)\n"
        "session.sign_in((await app.accounts.get('a@b.example')).id)\n"
        "await app.sessions.save(session)"
    )
    assert project.tornkit("shell", "-c", sign_in).exit_code == 0
    shown = project.tornkit("sessions", "list", "--user", "a@b.example")
    assert len(shown.stdout.splitlines()) == 2
    changed = project.tornkit(
        "user", "password", "a@b.example", "--password-stdin", stdin="other-one-1\n"
    )
    assert changed.exit_code == 0
    shown = project.tornkit("sessions", "list", "--user", "a@b.example")
    assert len(shown.stdout.splitlines()) == 1


def test_one_session_is_revoked_by_what_the_list_calls_it(project: Project) -> None:
    project.migrated()
    create(project, "a@b.example")
    sign_in = (
        "session = app.sessions.begin(describe=lambda: {'ip': '::1', 'user_agent': 'curl/8'})\n"
        "session.sign_in((await app.accounts.get('a@b.example')).id)\n"
        "await app.sessions.save(session)"
    )
    for _ in range(2):
        assert project.tornkit("shell", "-c", sign_in).exit_code == 0
    shown = project.tornkit("sessions", "list", "--user", "a@b.example").stdout.splitlines()
    assert [line.split()[-2:] for line in shown[1:]] == [["::1", "curl"]] * 2
    names = [line.split()[0] for line in shown[1:]]
    revoke = ("sessions", "revoke", "--user", "a@b.example", "--session")
    for unclear in ("", "zzz"):
        assert "begin with" in one_line(project.tornkit(*revoke, unclear), 1)
    assert "Ended one session" in project.tornkit(*revoke, names[0]).stdout
    one_line(project.tornkit(*revoke, names[0]), 1)
    left = project.tornkit("sessions", "list", "--user", "a@b.example").stdout.splitlines()
    assert [line.split()[0] for line in left[1:]] == names[1:]


def test_sessions_are_revoked_and_cleared(project: Project) -> None:
    project.migrated()
    create(project, "a@b.example")
    assert project.tornkit("sessions", "revoke", "--user", "a@b.example").exit_code == 0
    assert project.tornkit("sessions", "clear").exit_code == 0
    one_line(project.tornkit("sessions", "revoke", "--user", "no@b.example"), 1)


def test_sessions_in_memory_cannot_be_seen_from_here(project: Project) -> None:
    project.write("settings.toml", '[session]\nstore = "memory://"\n')
    assert "memory" in one_line(project.tornkit("sessions", "clear"), 1)


# --- db --------------------------------------------------------------------------------------


def test_db_goes_up_down_and_says_where_it_is(project: Project) -> None:
    pending = data(project.tornkit("db", "status", "--json"))
    assert [row["history"] for row in pending] == ["tornkit", "project"]
    assert pending[0]["pending"]
    project.migrated()
    current = data(project.tornkit("db", "status", "--json"))
    assert not any(row["pending"] for row in current)
    assert "took back" in project.tornkit("db", "downgrade").stdout
    assert "applied" in project.tornkit("db", "upgrade").stdout
    assert "nothing to do" in project.tornkit("db", "upgrade").stdout
    assert "agree" in project.tornkit("db", "revision", "same").stdout


def test_an_unknown_bind_is_named(project: Project) -> None:
    line = one_line(project.tornkit("db", "upgrade", "--bind", "defualt"), 1)
    assert "did you mean 'default'?" in line
    one_line(project.tornkit("db", "revision", " "), 2)


# --- shell -----------------------------------------------------------------------------------


def test_shell_awaits_at_the_top_level(project: Project) -> None:
    project.migrated()
    code = (
        "async with db(read_only=True) as session:\n    print(config.port, type(session).__name__)"
    )
    assert project.tornkit("shell", "-c", code).stdout == "0 AsyncSession\n"


TASKS = """
from tornkit.tasks import task

@task
async def report(class_id: int) -> int:
    return class_id
"""


@pytest.mark.slow
def test_shell_enqueues_jobs(project: Project) -> None:
    project.write("PACKAGE/tasks.py", TASKS)
    code = f"from {project.package}.tasks import report\njob = await report.enqueue(3)\n"
    ran = project.tornkit("shell", "-c", code + "print('made', await job.status())")
    assert "made queued" in ran.stdout
    (job,) = data(project.tornkit("tasks", "list", "--json"))
    assert job["name"] == f"{project.package}.tasks:report"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("queue", "said"),
    [
        ("redis://me:hush@127.0.0.1:1/0", "does not answer"),
        ("sqlite:///settings.toml", "settings.toml, is no SQLite database"),
    ],
    ids=["server", "file"],
)
def test_shell_opens_without_the_queue(project: Project, queue: str, said: str) -> None:
    project.migrated()
    project.write("PACKAGE/tasks.py", TASKS)
    project.write("settings.toml", f'port = 0\n[tasks]\nqueue = "{queue}"\n')
    ran = project.tornkit("shell", "-c", "print('open')")
    assert (ran.exit_code, ran.stdout) == (0, "open\n")
    (line,) = ran.stderr.splitlines()
    assert line.startswith("Warning: ")
    assert said in line
    assert "hush" not in line


def test_a_mistake_in_shell_code_shows_its_own_traceback(project: Project) -> None:
    project.migrated()
    result = project.tornkit("shell", "-c", "1/0")
    assert result.exit_code == 1
    assert "ZeroDivisionError" in result.stderr
    assert "_main.py" not in result.stderr


def test_the_prompt_reads_standard_input(project: Project) -> None:
    from tests.cli.processes import tornkit

    project.migrated()
    lines = "users = await app.accounts.list()\nprint('found', users)\n1/0\nprint('goes on')\n"
    ended = tornkit("shell", cwd=project.folder, stdin=lines)
    assert ended.returncode == 0
    assert "found []" in ended.stdout
    assert "goes on" in ended.stdout
    assert "ZeroDivisionError" in ended.stderr
    assert "shell.py" not in ended.stderr


@pytest.mark.parametrize("command", ["routes", "check", "settings"])
def test_an_exception_of_the_project_is_shown_with_its_own_traceback(
    project: Project, command: str
) -> None:
    file = project.write(
        "PACKAGE/modules/teacher.py", "def oops():\n    raise KeyError('mine')\n\noops()\n"
    )
    result = project.tornkit(command)
    assert result.exit_code == 1
    head, *trace = result.stderr.splitlines()
    assert head.startswith("Error: module 'teacher'")
    assert trace[-1] == "KeyError: 'mine'"
    shown = [line for line in trace if "File" in line]
    assert [str(file) in line for line in shown] == [True, True]
