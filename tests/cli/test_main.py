"""The group of commands: help without imports, one-line errors, exit codes."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

import click
import pytest
from click.testing import CliRunner

from tests.cli.processes import COMMAND, environment, tornkit
from tornkit.cli._main import COMMANDS, cli

if TYPE_CHECKING:
    from click.testing import Result


def run(*arguments: str) -> Result:
    return CliRunner().invoke(cli, list(arguments), prog_name="tornkit")


def commands() -> list[tuple[str, click.Command]]:
    context = click.Context(cli)
    found: list[tuple[str, click.Command]] = []
    for name in COMMANDS:
        command = cli.get_command(context, name)
        assert command is not None
        found.append((name, command))
        if isinstance(command, click.Group):
            found += [(f"{name} {child}", each) for child, each in command.commands.items()]
    return found


@pytest.mark.parametrize("name", COMMANDS)
def test_the_listed_help_is_the_commands_own(name: str) -> None:
    target, text = COMMANDS[name]
    module, _, attribute = target.partition(":")
    command = getattr(import_module(module), attribute)
    assert command.name == name
    assert (command.short_help or command.help).partition("\n")[0] == text


def test_every_command_shows_help_with_an_example() -> None:
    for name, _ in commands():
        shown = run(*name.split(), "--help")
        assert shown.exit_code == 0, name
        assert "Example: tornkit" in " ".join(shown.output.split()), name


@pytest.mark.parametrize("words", [[], ["tasks"]], ids=["tornkit", "a group"])
def test_a_group_without_a_command_shows_its_help(words: list[str]) -> None:
    shown = run(*words)
    assert shown.exit_code == 2
    assert shown.output == run(*words, "--help").output


def test_help_imports_nothing_heavy(tmp_path: Path) -> None:
    code = (
        "import sys, json\n"
        "from tornkit.__main__ import main\n"
        "try: main()\n"
        "except SystemExit: print(json.dumps(sorted(sys.modules)), file=sys.stderr)"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code, "--help"],
        env=environment(),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = set(json.loads(ended.stderr))
    assert "click" in loaded
    heavy = {"tornado", "pydantic", "sqlalchemy", "jinja2", "asyncio", "tornkit.errors", "email"}
    assert not heavy & loaded


def test_an_unknown_command_names_the_nearest_and_ends_with_2() -> None:
    ended = run("rnu")
    assert ended.exit_code == 2
    assert "did you mean 'run'?" in ended.stderr
    assert len(ended.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    "arguments", [["\x1b[31mrun"], ["run", "--po\x1brt"], ["run", "--port", "\x07\u200b"]]
)
def test_nothing_unprintable_is_echoed(arguments: list[str]) -> None:
    ended = run(*arguments)
    assert ended.exit_code == 2
    (line,) = ended.stderr.splitlines()
    assert line.isprintable()


def test_version_and_secret() -> None:
    assert run("--version").output.startswith("tornkit ")
    first, second = run("secret").output.strip(), run("secret").output.strip()
    assert first != second
    assert len(first) >= 64


def test_info_shows_versions_and_no_paths() -> None:
    output = run("info").output
    assert "tornado" in output
    assert "/" not in output


def test_outside_of_a_project_one_line_says_what_to_do(tmp_path: Path) -> None:
    ended = tornkit("routes", cwd=tmp_path)
    assert ended.returncode == 1
    (line,) = ended.stderr.splitlines()
    assert line.startswith("Error: no project here")
    assert "--app" in line


def test_traceback_shows_all_of_it_before_and_after_the_command(tmp_path: Path) -> None:
    for arguments in (["--traceback", "routes"], ["routes", "--traceback"]):
        ended = tornkit(*arguments, cwd=tmp_path)
        assert ended.returncode == 1
        assert "Traceback" in ended.stderr
        assert ended.stderr.splitlines()[-1].startswith("Error: no project here")


def test_a_reader_that_leaves_is_no_error(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [*COMMAND, "info"],
        cwd=tmp_path,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout
    assert process.stderr
    process.stdout.close()
    assert process.stderr.read() == ""
    process.stderr.close()
    process.wait()


@pytest.mark.slow
def test_a_name_of_the_package_is_imported_when_asked_for() -> None:
    code = (
        "import sys, tornkit\n"
        "assert not {'tornado', 'pydantic', 'tornkit.errors'} & set(sys.modules)\n"
        "from tornkit import *\n"
        "assert set(tornkit.__all__) <= set(dir(tornkit)) <= set(dir(tornkit))\n"
        "for name in tornkit.__all__: assert globals()[name] is getattr(tornkit, name)\n"
        "assert 'tornado' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], env=environment(), check=True)


def test_an_unknown_name_of_the_package_is_an_attribute_error() -> None:
    import tornkit

    with pytest.raises(AttributeError, match="nonsense"):
        _ = tornkit.nonsense


def test_a_folder_that_is_gone_is_one_line(tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    script = (
        "import os, sys; os.rmdir(os.getcwd())\n"
        "from tornkit.cli._main import cli; cli.main(['routes'], prog_name='tornkit')"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", script],
        cwd=gone,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr == (
        "Error: the folder you are in is gone; change to the project's folder\n"
    )


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="Linux has a full device")
def test_output_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [*COMMAND, "secret"],
            cwd=tmp_path,
            env=environment(),
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == 1
    assert done.stderr == "Error: the output cannot be written: No space left on device\n"
