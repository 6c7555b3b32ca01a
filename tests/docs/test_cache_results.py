"""The guide to the cache keeps what it promises."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.docs import pages

if TYPE_CHECKING:
    import pytest


async def test_the_test_of_the_guide_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    page = pages.DOCS / "how-to" / "cache-results.md"
    guide = (await pages.run(page, monkeypatch))[-1]
    await guide["test_a_grade_changes_the_average"]()
