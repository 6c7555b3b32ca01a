from __future__ import annotations

import logging
import traceback
from typing import TYPE_CHECKING

import pytest

from tests.settings.school import School, problems
from tornkit.errors import SettingsError

if TYPE_CHECKING:
    from pathlib import Path

SECRET = "hunter2-correct-horse"


def refused(project: Path, environment: str | None = None, **overrides: object) -> SettingsError:
    with pytest.raises(SettingsError) as caught:
        School.load(environment, project_dir=project, overrides=overrides)
    error = caught.value
    assert error.__cause__ is None
    assert error.__context__ is None
    assert len(str(error).splitlines()) == len(error.problems), "a line for each problem"
    return error


def test_one_error_lists_every_bad_value_with_key_origin_and_expectation(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (project / "settings.toml").write_text(
        'port = 70000\nclasses = 100\nkind = "tertiary"\nratio = true\nprot = 1\n'
        "secret = 12345\nallowed_hosts = ['https://a.example', '*.b.example']\n"
        "trusted_origins = ['b.example']\n"
        "motto = 'LOUD'\nsession.idle = 5\n[databases]\nArchive = 'sqlite:///x'\nb = 'hunter2'\n"
        "[smtp]\nport = 'x'\n[printer]\npin = 1\n[paths]\nlog = ''\n"
    )
    monkeypatch.setenv("MYSCHOOL_SESSION__IDLE_TIMEOUT", "0")
    monkeypatch.setenv("MYSCHOOL_INSTALLED_MODULES", "[1")
    (project / ".env").write_text("\nMYSCHOOL_LOG_LEVEL=loud\n")
    found = problems(refused(project))
    port = "expected a whole number from 1 to 65535, or 0 for any free port"
    assert found["port"] == ("settings.toml:1", "70000", port)
    assert found["classes"] == ("settings.toml:2", "100", "expected a whole number from 1 to 99")
    assert found["kind"] == ("settings.toml:3", "'tertiary'", "expected primary or secondary")
    assert found["ratio"] == ("settings.toml:4", "true", "expected a number")
    assert found["prot"][0] == "settings.toml:5"
    assert found["secret"] == ("settings.toml:6", "", "expected text")
    assert found["allowed_hosts[0]"][:2] == ("settings.toml:7", "'https://a.example'")
    assert found["allowed_hosts[1]"][1] == "'*.b.example'"
    assert found["trusted_origins[0]"][0] == "settings.toml:8"
    assert found["motto"][2] == "expected a motto that does not shout"
    assert found["session.idle"][0] == "settings.toml:10"
    assert "lower-case" in found["databases.Archive"][2]
    assert found["databases.b"][:2] == ("settings.toml:13", "")
    assert found["smtp.port"] == ("settings.toml:15", "'x'", "expected a whole number")
    assert found["printer.name"][0] == "not set"
    assert found["paths.log"][2] == "expected a folder"
    assert found["session.idle_timeout"] == (
        "env MYSCHOOL_SESSION__IDLE_TIMEOUT",
        "'0'",
        "expected a whole number of at least 1",
    )
    assert found["installed_modules"] == (
        "env MYSCHOOL_INSTALLED_MODULES",
        "",
        "expected a list",
    )
    assert found["log_level"] == (
        ".env:2",
        "'LOUD'",
        "expected DEBUG, INFO, WARNING, ERROR or CRITICAL",
    )
    assert len(found) == 19


def test_a_near_miss_is_suggested_for_unknown_keys(project: Path) -> None:
    (project / "settings.toml").write_text(
        "Prot = 1\ntouch_interval = 3\n[session]\nidle-timeout = 1\n[smpt]\nport = 1\n"
    )
    hints = {each.key: each.hint for each in refused(project).problems}
    assert hints["Prot"] == "did you mean 'port'?"
    assert hints["touch_interval"] == "did you mean 'session.touch_interval'?"
    assert hints["session.idle-timeout"] == "did you mean 'idle_timeout'?"
    assert hints["smpt"] == "did you mean 'smtp'?"


@pytest.mark.parametrize(
    ("argument", "variable", "origin"),
    [("prodution", None, "argument"), (None, "Production", "env MYSCHOOL_ENVIRONMENT")],
)
def test_an_unknown_environment_is_refused_with_a_near_miss(
    project: Path,
    monkeypatch: pytest.MonkeyPatch,
    argument: str | None,
    variable: str | None,
    origin: str,
) -> None:
    if variable:
        monkeypatch.setenv("MYSCHOOL_ENVIRONMENT", variable)
    (problem,) = refused(project, argument).problems
    assert (problem.key, problem.origin) == ("environment", origin)
    assert problem.hint == "did you mean 'production'?"


def test_files_never_name_the_environment(project: Path) -> None:
    (project / "settings.toml").write_text('environment = "production"\n')
    (project / ".env").write_text("MYSCHOOL_ENVIRONMENT=production\n")
    found = refused(project).problems
    assert [each.origin for each in found] == ["settings.toml:1", ".env:1"]
    assert all("never read from files" in each.expected for each in found)


@pytest.mark.parametrize(
    ("name", "content", "origin"),
    [
        ("settings.toml", b"port = 1\nhost = \n", "settings.toml:2"),
        ("settings.toml", b"port = 1\nhost = 'x", "settings.toml:2"),
        ("settings.toml", b"a = 1\na = 2\n", "settings.toml:2"),
        ("settings.toml", b"a = 1\nb = '\xff'\n", "settings.toml:2"),
        ("settings.toml", b"a = " + b"[" * 20000, "settings.toml"),
        ("settings.toml", b"a = " + b"1" * 5000, "settings.toml:1"),
        (".env", b"A=1\nMYSCHOOL_HOST='x\n", ".env:2"),
        (".env", b"A=1\n\n  just words\n", ".env:3"),
        (".env", b"A=1\n" + SECRET.encode() + b"\n", ".env:2"),
        (".env", b"A=1\nB=\xff\n", ".env:2"),
    ],
)
def test_a_file_that_does_not_read_is_one_line_with_its_place(
    project: Path, name: str, content: bytes, origin: str
) -> None:
    (project / name).write_bytes(content)
    error = refused(project)
    assert origin in [each.origin for each in error.problems]
    assert SECRET not in str(error)


def test_a_folder_in_place_of_a_file_is_named(project: Path) -> None:
    (project / "settings.toml").mkdir()
    (project / ".env").mkdir()
    assert [each.key for each in refused(project).problems] == ["settings.toml", ".env"]


def test_a_byte_order_mark_and_windows_line_ends_are_read(project: Path) -> None:
    (project / "settings.toml").write_bytes(b"\xef\xbb\xbf# x\r\nport = 1\r\nclasses = 2\r\n")
    assert School.load(project_dir=project).origins["classes"] == "settings.toml:3"


def test_a_missing_project_or_secrets_folder_is_named(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "is not a folder" in str(refused(project / "nowhere"))
    monkeypatch.setenv("MYSCHOOL_SECRETS_DIR", "nowhere")
    assert "secrets folder" in str(refused(project))


def test_secrets_appear_in_no_message_repr_log_or_traceback(
    project: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    monkeypatch.setenv("PYDANTIC_SETTINGS_DEBUG", "1")
    (project / "settings.toml").write_text(
        f"api_key = '{SECRET}'\nclasses = 66\nupstream_password = '{SECRET}'\n"
        f"databases.default = '{SECRET}'\nsession.store = 'redis://:{SECRET}@h/0'\n"
        f"[smtp]\npassword = ['{SECRET}']\n[logging.handlers.mail]\ncredentials = '{SECRET}'\n"
    )
    monkeypatch.setenv("MYSCHOOL_DATABASES__B", SECRET)
    error = refused(project)
    shown = "".join(traceback.format_exception(error)) + repr(error) + str(error) + caplog.text
    shown += repr(error.problems)
    assert SECRET not in shown
    (project / "settings.toml").write_text(f"api_key = '{SECRET}'\nclasses = 66\n")
    monkeypatch.delenv("MYSCHOOL_DATABASES__B")
    assert "bad with ***" in str(refused(project)), "a validator's own words are scrubbed"


def test_secrets_appear_in_no_listing_or_repr(project: Path) -> None:
    (project / "settings.toml").write_text(
        f"api_key = '{SECRET}'\nupstream_password = '{SECRET}'\nsecret = '{SECRET}'\n"
        f"secret_fallbacks = ['{SECRET}']\n"
        f"session.store = 'redis://:{SECRET}@h/0'\n"
        f"databases.a = 'postgresql://me:p/@{SECRET}@h/d?password={SECRET}'\n"
        f"[smtp]\npassword = '{SECRET}'\n[logging.handlers.mail]\n"
        f"credentials = ['a', '{SECRET}']\n"
    )
    loaded = School.load(project_dir=project)
    shown = repr(loaded) + str(loaded) + f"{loaded}" + repr(loaded.session) + repr(loaded.smtp)
    shown += repr(loaded.listing()) + repr(dict(loaded.origins)) + repr(loaded.databases)
    assert SECRET not in shown
    rows = {row.key: row for row in loaded.listing()}
    assert rows["databases.a"].value == "postgresql://me:***@h/d?password=***"
    assert all(row.value is None for row in rows.values() if row.secret)
    hidden = {key for key, row in rows.items() if row.secret}
    assert hidden == {
        "secret", "secret_fallbacks", "api_key", "upstream_password", "smtp.password",
        "logging.handlers.mail.credentials",
    }  # fmt: skip


def test_what_is_echoed_has_no_control_characters(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MYSCHOOL_PORT", "1\x1b[2J\nsettings: forged")
    (project / "settings.toml").write_text('"bad\\u001bkey\\n" = 1\n')
    assert all(line.isprintable() for line in str(refused(project)).splitlines())


def test_a_wrong_prefix_is_refused_where_the_class_is_written() -> None:
    with pytest.raises(TypeError, match="env_prefix is 'school'"):
        type("Wrong", (School,), {"__module__": __name__}, env_prefix="school")
