"""What is echoed is printable, and near misses are near."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tornkit._text import did_you_mean, listing, printable


@given(st.text())
def test_whatever_is_echoed_can_be_printed(text: str) -> None:
    assert printable(text).isprintable()


def test_long_texts_are_cut_and_controls_are_shown() -> None:
    assert printable("a\x1b[31m\n") == r"a\x1b[31m\n"
    assert printable("x" * 100, limit=10) == "xxxxxxxxx…"


def test_a_near_miss_is_named_and_nothing_far() -> None:
    assert did_you_mean("techer", ["student", "teacher"]) == "did you mean 'teacher'?"
    assert did_you_mean("xyz", ["student", "teacher"]) == ""


def test_a_listing_is_sorted_and_never_empty() -> None:
    assert listing(["b", "a"]) == "a, b"
    assert listing([]) == "none"
