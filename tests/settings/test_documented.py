from __future__ import annotations

import re
from pathlib import Path

import pytest

from tornkit.settings import Settings
from tornkit.settings._shape import tables

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "settings.md"
TABLES = {
    *("paths", "session", "accounts", "limits", "cache", "tasks", "security", "mail", "server"),
}


@pytest.mark.parametrize("key", tables(Settings))
def test_every_setting_has_a_heading_and_its_variable(key: str) -> None:
    text = PAGE.read_text("utf-8")
    assert re.search(rf"^###? `{re.escape(key)}`$", text, re.MULTILINE)
    section = text.split(f"`{key}`\n", 1)[1].split("\n#", 1)[0]
    if key not in TABLES:
        assert f"MYSCHOOL_{key.replace('.', '__').upper()}" in section


def test_no_heading_names_a_setting_that_is_not_there() -> None:
    headings = re.findall(r"^###? `([a-z_.]+)`$", PAGE.read_text("utf-8"), re.MULTILINE)
    assert sorted(headings) == sorted(tables(Settings))
