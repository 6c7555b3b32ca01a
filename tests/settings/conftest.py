"""A project folder, no variables from outside, no command line left behind."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from tornkit.settings import command_line

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PREFIXES = ("MYSCHOOL_", "TORNKIT_")


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    for name in list(os.environ):
        if name.startswith(PREFIXES):
            monkeypatch.delenv(name)
    monkeypatch.setattr("tornkit.settings._load.DEFAULT_SECRETS", tmp_path / "no-secrets")
    command_line({}, None)
    yield
    command_line({}, None)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Give an empty project folder."""
    folder = tmp_path / "project"
    folder.mkdir()
    return folder
