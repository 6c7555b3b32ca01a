from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, given, settings

from tests.settings.school import School, Smtp
from tornkit.settings import Settings, command_line

if TYPE_CHECKING:
    from pathlib import Path


def test_each_layer_wins_over_the_one_below_and_says_so(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def now() -> tuple[int, str]:
        loaded = School.load(project_dir=project)
        return loaded.port, loaded.origins["port"]

    assert now() == (8888, "default")
    (project / "settings.toml").write_text("# a school\n\nport = 1\n")
    assert now() == (1, "settings.toml:3")
    (project / "settings.development.toml").write_text("port = 2")
    assert now() == (2, "settings.development.toml:1")
    (project / ".env").write_text("# x\n\nOTHER=1\nexport MYSCHOOL_PORT='3' # three\n")
    assert now() == (3, ".env:4")
    monkeypatch.setenv("MYSCHOOL_PORT", "4")
    assert now() == (4, "env MYSCHOOL_PORT")
    folder = project / "hidden"
    folder.mkdir()
    (folder / "port").write_text("5\n")
    monkeypatch.setenv("MYSCHOOL_SECRETS_DIR", "hidden")
    assert now() == (5, f"secrets file {folder / 'port'}")
    (folder / "MYSCHOOL_PORT").write_text("6")
    assert now() == (6, f"secrets file {folder / 'MYSCHOOL_PORT'}")
    loaded = School.load(project_dir=project, overrides={"port": 7})
    assert (loaded.port, loaded.origins["port"]) == (7, "override")
    command_line({"port": 8, "host": None, "session.idle_timeout": "9"}, None)
    assert now() == (8, "command line")
    assert School.load(project_dir=project, overrides={"port": 7}).port == 8
    assert School.load(project_dir=project).session.idle_timeout == 9


def test_tables_are_merged_key_by_key_across_layers(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (project / "settings.toml").write_text(
        '[smtp]\nport = 587\n[databases]\narchive = "sqlite:///a.db"\n[places]\nteachers = 4\n'
    )
    monkeypatch.setenv("MYSCHOOL_DATABASES__Catalog", "sqlite:///c.db")
    monkeypatch.setenv("MYSCHOOL_SMTP__PASSWORD", "12345")
    monkeypatch.setenv("MYSCHOOL_LOGGING__LOGGERS__SQL__LEVEL", "DEBUG")
    loaded = School.load(project_dir=project)
    assert (loaded.smtp.host, loaded.smtp.port) == ("mail.example", 587)
    assert loaded.smtp.password.get_secret_value() == "12345", "a variable stays text"
    assert set(loaded.databases) == {"default", "archive", "catalog"}
    assert loaded.places == {"pupils": 30, "teachers": 4}
    assert loaded.logging == {"loggers": {"sql": {"level": "DEBUG"}}}
    assert loaded.origins["smtp.port"] == "settings.toml:2"
    assert loaded.origins["smtp.host"] == "default"
    assert loaded.origins["databases.catalog"] == "env MYSCHOOL_DATABASES__Catalog"


def test_a_value_replaces_a_table_and_a_table_a_value(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (project / "settings.toml").write_text('motto = "x"\n[printer]\nname = "p"\npin = 1\n')
    monkeypatch.setenv("MYSCHOOL_PRINTER", "")
    loaded = School.load(project_dir=project)
    assert (loaded.printer, loaded.origins["printer"]) == (None, "env MYSCHOOL_PRINTER")
    again = School.load(project_dir=project, overrides={"printer": {"name": "q"}})
    assert again.printer is not None
    assert (again.printer.name, again.printer.pin) == ("q", 0)
    assert again.origins["printer.name"] == "override"


def test_variables_give_lists_tables_and_nothing(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = {
        "ALLOWED_HOSTS": "a.example, b.example,",
        "INSTALLED_MODULES": '["x", "y"]',
        "PLACES": '{"rooms": 3}',
        "PRINTER": "",
        "PRINTERS": '[{"name": "p"}]',
        "DEBUG": "no",
        "MOTTO": "7",
        "ANYTHING": "12",
        "SECRET": "12345",
        "LOG_LEVEL": "debug",
        "PAUSE": "90",
    }
    for name, value in values.items():
        monkeypatch.setenv(f"MYSCHOOL_{name}", value)
    loaded = School.load(project_dir=project)
    assert loaded.allowed_hosts == ["a.example", "b.example"]
    assert loaded.installed_modules == ["x", "y"]
    assert loaded.places == {"pupils": 30, "rooms": 3}
    assert loaded.printer is None
    assert [printer.name for printer in loaded.printers] == ["p"]
    assert (loaded.debug, loaded.motto, loaded.anything) == (False, "7", 12)
    assert loaded.secret.get_secret_value() == "12345"
    assert loaded.log_level == "DEBUG"
    assert loaded.pause.total_seconds() == 90


def test_the_environment_comes_from_argument_command_line_variable(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert School.load(project_dir=project).environment == "development"
    monkeypatch.setenv("MYSCHOOL_ENVIRONMENT", "testing")
    loaded = School.load(project_dir=project)
    assert (loaded.environment, loaded.origins["environment"]) == (
        "testing",
        "env MYSCHOOL_ENVIRONMENT",
    )
    command_line({}, "development")
    assert School.load(project_dir=project).origins["environment"] == "command line"
    assert School.load("testing", project_dir=project).origins["environment"] == "argument"


def test_testing_does_not_read_dotenv(project: Path) -> None:
    (project / ".env").write_text("MYSCHOOL_PORT=1")
    assert School.load("testing", project_dir=project).port == 8888
    assert School.load("development", project_dir=project).port == 1


def test_defaults_depend_on_the_environment(project: Path) -> None:
    development = School.load(project_dir=project)
    testing = School.load("testing", project_dir=project)
    assert development.debug is True
    assert testing.debug is False
    local = ["localhost", "127.0.0.1", "[::1]", ".localhost"]
    assert development.allowed_hosts == testing.allowed_hosts == local


def test_values_of_dotenv_are_taken_as_written(project: Path) -> None:
    (project / ".env").write_text(
        '\ufeffMYSCHOOL_MOTTO="two\nlines"\n\nMYSCHOOL_HOST=h#x\r\nMYSCHOOL_SECRET=${HOME}$x\n'
    )
    loaded = School.load(project_dir=project)
    assert (loaded.motto, loaded.host) == ("two\nlines", "h#x")
    assert loaded.secret.get_secret_value() == "${HOME}$x"
    assert loaded.origins["host"] == ".env:4"


def test_a_shared_secrets_folder_may_hold_what_others_need(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared = tmp_path / "shared"
    (shared / "..data").mkdir(parents=True)
    (shared / "somebody_elses").write_bytes(b"\xff")
    (shared / "databases__default").write_text("postgresql://u:p@h/d\n")
    (shared / "myschool_secret").write_text(" kept \n\n")
    monkeypatch.setattr("tornkit.settings._load.DEFAULT_SECRETS", shared)
    loaded = School.load(project_dir=project)
    assert loaded.database_urls() == {"default": "postgresql://u:p@h/d"}
    assert loaded.secret.get_secret_value() == " kept \n", "only the last line end is taken"
    assert loaded.warnings == []


def test_unknown_variables_are_warnings_with_a_near_miss(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MYSCHOOL_PROT", "1")
    monkeypatch.setenv("MYSCHOOL_PORT__X", "1")
    monkeypatch.setenv("MYSCHOOL_SESSION__IDEL_TIMEOUT", "topsecret")
    warnings = {each.key: each for each in School.load(project_dir=project).warnings}
    assert "'MYSCHOOL_PORT'" in warnings["MYSCHOOL_PROT"].hint
    assert "'MYSCHOOL_SESSION__IDLE_TIMEOUT'" in warnings["MYSCHOOL_SESSION__IDEL_TIMEOUT"].hint
    assert "MYSCHOOL_PORT__X" in warnings
    assert "topsecret" not in str(warnings)


def test_calling_the_class_is_a_load_with_overrides(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tornkit.settings._load.find_project", lambda _: project)
    (project / "settings.toml").write_text("port = 3")
    loaded = School(classes=4, environment="testing", smtp=Smtp(port=1))
    assert (loaded.port, loaded.classes, loaded.environment) == (3, 4, "testing")
    assert (loaded.smtp.host, loaded.smtp.port) == ("mail.example", 1)


def test_tornkits_own_class_needs_no_prefix(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORNKIT_PORT", "0")
    monkeypatch.setenv("TORNKIT_APP", "x:y")
    loaded = Settings.load(project_dir=project)
    assert (loaded.port, loaded.warnings) == (0, [])


def test_two_loads_share_nothing(project: Path) -> None:
    first = School.load(project_dir=project)
    second = School.load(project_dir=project, overrides={"places.pupils": 1, "logging": {"a": {}}})
    first.places["x"] = 1
    first.logging["y"] = 1
    first.allowed_hosts.append("z")
    third = School.load(project_dir=project)
    assert second.places == {"pupils": 1}
    assert third.places == {"pupils": 30}
    assert third.logging == {}
    assert "z" not in third.allowed_hosts


def test_threads_load_at_once(project: Path) -> None:
    seen: dict[int, int] = {}

    def load(port: int) -> None:
        for _ in range(10):
            seen[port] = School.load(project_dir=project, overrides={"port": port}).port

    threads = [threading.Thread(target=load, args=(port,)) for port in range(1, 9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == {port: port for port in range(1, 9)}


TEXT = st.text(st.characters(blacklist_characters="\0", blacklist_categories=["Cs"]), max_size=30)


@given(TEXT)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_text_in_a_variable_arrives_unchanged(project: Path, text: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MYSCHOOL_API_KEY", text)
        assert School.load(project_dir=project).api_key.get_secret_value() == text


@given(st.dictionaries(st.from_regex(r"[a-z][a-z0-9_-]{0,8}", fullmatch=True), st.integers(-9, 9)))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_table_of_a_file_arrives_with_its_lines(project: Path, limits: dict[str, int]) -> None:
    text = "[places]\n" + "".join(f"{key} = {value}\n" for key, value in limits.items())
    (project / "settings.toml").write_text(text)
    loaded = School.load(project_dir=project)
    assert loaded.places == {"pupils": 30, **limits}
    for number, key in enumerate(limits, start=2):
        name = key if key.replace("-", "_").isidentifier() else repr(key)
        assert loaded.origins[f"places.{name}"] == f"settings.toml:{number}"
