"""The pages on the command line say what the commands say."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.processes import COMMAND, environment
from tornkit.cli.reference import render

DOCS = Path(__file__).parents[2] / "docs"


def test_the_page_of_commands_is_current() -> None:
    text = (DOCS / "reference" / "commands.md").read_text(encoding="utf-8")
    assert text == render(), "run `make docs`"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_documented_completion_script_is_written(shell: str) -> None:
    text = (DOCS / "how-to" / "shell-completion.md").read_text(encoding="utf-8")
    assert f"_TORNKIT_COMPLETE={shell}_source tornkit" in text
    code = "from tornkit.cli._main import cli; cli.main(prog_name='tornkit')"
    ended = subprocess.run(
        [sys.executable, "-c", code],
        env=environment(_TORNKIT_COMPLETE=f"{shell}_source"),
        capture_output=True,
        text=True,
        check=False,
    )
    # The script for Bash first asks Bash for its version, where there is one.
    assert "_TORNKIT_COMPLETE" in ended.stdout


def test_commands_and_options_are_completed(tmp_path: Path) -> None:
    def complete(words: str) -> list[str]:
        variables = {"COMP_WORDS": words, "COMP_CWORD": str(len(words.split()) - 1)}
        ended = subprocess.run(
            COMMAND,
            env=environment(_TORNKIT_COMPLETE="bash_complete", **variables),
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=True,
        )
        return [line.partition(",")[2] for line in ended.stdout.split(os.linesep) if line]

    assert complete("tornkit ro") == ["routes"]
    assert complete("tornkit run --po") == ["--port"]
    assert complete("tornkit db up") == ["upgrade"]
