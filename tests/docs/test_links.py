"""Every link of the documentation and the examples leads somewhere."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.docs import pages

if TYPE_CHECKING:
    from pathlib import Path

EVERYTHING = [
    *pages.PAGES,
    *(pages.ROOT / page for page in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")),
    *sorted((pages.ROOT / "examples").glob("*/README.md")),
]
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")


def without_code(text: str) -> str:
    return re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)


def anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", without_code(page.read_text("utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in headings}


@pytest.mark.parametrize("page", EVERYTHING, ids=pages.name)
def test_every_link_leads_to_a_file_and_a_heading(page: Path) -> None:
    broken = []
    for link in _LINK.findall(without_code(page.read_text("utf-8"))):
        target, _, anchor = link.partition("#")
        if "://" in target:
            continue
        file = (page.parent / target).resolve() if target else page
        if not file.exists() or (anchor and anchor not in anchors(file)):
            broken.append(link)
    assert broken == []


def test_the_index_leads_to_every_page() -> None:
    index = pages.DOCS / "README.md"
    linked = {(pages.DOCS / link).resolve() for link in _LINK.findall(index.read_text("utf-8"))}
    assert [pages.name(p) for p in pages.PAGES if p != index and p.resolve() not in linked] == []
