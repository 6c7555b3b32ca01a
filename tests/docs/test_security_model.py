"""The page of the security model is complete, and names only what exists."""

from __future__ import annotations

import ast
import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from tests.docs import pages
from tornkit.settings import Settings
from tornkit.settings._shape import tables

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PAGE = pages.DOCS / "explanation" / "security-model.md"
ASVS = "5.0.0"
# By chapter: how many requirements each of its sections has in that version.
CHAPTERS = {
    3: (1, 3, 5, 8, 8, 1, 5),
    6: (3, 12, 8, 6, 8, 4, 2, 4),
    7: (3, 4, 2, 5, 3, 2),
    16: (1, 5, 4, 3, 4),
}
REQUIREMENTS = [
    f"{chapter}.{section}.{number}"
    for chapter, sections in CHAPTERS.items()
    for section, last in enumerate(sections, 1)
    for number in range(1, last + 1)
]
CATEGORIES = [f"A{number:02}" for number in range(1, 11)]
HEADINGS = [
    "Session ID Name Fingerprinting",
    "Session ID Length",
    "Session ID Entropy",
    "Session ID Content (or Value)",
    "Built-in Session Management Implementations",
    "Used vs. Accepted Session ID Exchange Mechanisms",
    "Transport Layer Security",
    "Secure Attribute",
    "HttpOnly Attribute",
    "SameSite Attribute",
    "Domain and Path Attributes",
    "Expire and Max-Age Attributes",
    "Session ID Generation and Verification: Permissive and Strict Session Management",
    "Manage Session ID as Any Other User Input",
    "Renew the Session ID After Any Privilege Level Change",
    "Considerations When Using Multiple Cookies",
    "Idle Timeout",
    "Absolute Timeout",
    "Renewal Timeout",
    "Logout Button",
    "Web Content Caching",
    "Initial Login Timeout",
    "Force Session Logout On Web Browser Window Close Events",
    "Disable Web Browser Cross-Tab Sessions",
    "Automatic Client Logout",
    "Session ID Guessing and Brute Force Detection",
    "Detecting Session ID Anomalies",
    "Binding the Session ID to Other User Properties",
    "Logging Sessions Life Cycle: Monitoring Creation, Usage, and Destruction of Session IDs",
    "Simultaneous Session Logons",
    "Session Management WAF Protections",
]
_TEST = re.compile(r"`([\w/.-]+\.py)::([\w:]+)`")
_DOTTED = re.compile(r"`([a-z]+\.[a-z_-]+)`")
# What is written with a dot and is neither a setting nor a check.
_CODE = {"accounts.create", "accounts.make_reset_token"}
_LOGGERS = ("tornkit.", "tornado.")


@dataclass(frozen=True)
class Row:
    """A line of a list: its name there, the threat, what stops it, what shows it."""

    name: str
    threat: str
    stopped_by: str
    shown_by: str


def rows(text: str) -> Iterator[Row]:
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split(" |")]
        if line.startswith("| ") and len(cells) == 4 and cells[0] not in {"", "heading"}:
            yield Row(*cells)


TEXT = PAGE.read_text("utf-8")
ROWS = list(rows(TEXT))


def named_in(file: Path) -> set[str]:
    """Return the tests of a file and the classes that hold some, without importing it."""
    body = ast.parse(file.read_text("utf-8")).body
    found = set(functions(body))
    for node in body:
        if isinstance(node, ast.ClassDef) and node.name.startswith("Test"):
            found.add(node.name)
            found |= {f"{node.name}::{name}" for name in functions(node.body)}
    return found


def functions(body: list[ast.stmt]) -> Iterator[str]:
    for node in body:
        match node:
            case ast.FunctionDef(name) | ast.AsyncFunctionDef(name) if name.startswith("test_"):
                yield name


@pytest.mark.parametrize(
    ("of", "expected"),
    [
        (f"ASVS {ASVS}", REQUIREMENTS),
        ("Top 10:2025", CATEGORIES),
        ("the cheat sheet", HEADINGS),
    ],
    ids=["asvs", "top-10", "cheat-sheet"],
)
def test_every_line_of_a_list_has_one_row(of: str, expected: list[str]) -> None:
    counted = Counter(row.name for row in ROWS)
    assert [name for name in expected if counted[name] != 1] == [], of


def test_the_page_has_no_other_row_and_names_the_version() -> None:
    known = {*REQUIREMENTS, *CATEGORIES, *HEADINGS}
    assert [row.name for row in ROWS if row.name not in known] == []
    assert len(REQUIREMENTS) == 114
    assert f"ASVS {ASVS}" in TEXT


@pytest.mark.parametrize("file", sorted({found[0] for found in _TEST.findall(TEXT)}))
def test_every_test_that_is_named_exists(file: str) -> None:
    named = {name for path, name in _TEST.findall(TEXT) if path == file}
    assert sorted(named - named_in(pages.ROOT / file)) == []


def test_every_row_names_a_test_or_says_why_there_is_none() -> None:
    for row in ROWS:
        assert row.threat, row
        assert row.stopped_by, row
        shown = _TEST.sub("", row.shown_by).strip(" ,")
        if _TEST.search(row.shown_by):
            assert shown == "", row
        elif row.shown_by:
            assert row.shown_by == "documentation", row
        else:
            assert "project's" in row.stopped_by or "not offered" in row.stopped_by, row


def test_every_setting_and_check_that_is_named_exists() -> None:
    checks = (pages.DOCS / "reference" / "checks.md").read_text("utf-8")
    known = {*re.findall(r"^### `([\w.-]+)`$", checks, re.MULTILINE), *tables(Settings), *_CODE}
    named = {name for name in _DOTTED.findall(TEXT) if not name.startswith(_LOGGERS)}
    assert len(named) > 15
    assert sorted(named - known) == []


def test_a_test_that_is_missing_is_noticed(tmp_path: Path) -> None:
    file = tmp_path / "test_x.py"
    file.write_text(
        "class TestA:\n    async def test_b(self): ...\n\ndef test_c(): ...\n", "utf-8"
    )
    assert named_in(file) == {"TestA", "TestA::test_b", "test_c"}
    assert list(rows("| 1.1.1 | a | `b` | |\n|---|---|---|---|\n| x | y |")) == [
        Row("1.1.1", "a", "`b`", "")
    ]
