"""Colours: apart from each other, the same every time, never running out."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tornkit.scaffold.answers import ModuleAnswers
from tornkit.scaffold.hues import HUES, SITE_HUE, coloured, free_hue


def hues(count: int) -> list[int]:
    names = (ModuleAnswers(f"m{number}", "public") for number in range(count))
    return [module.hue for module in coloured(names)]


def distance(one: int, other: int) -> int:
    return min(abs(one - other), 360 - abs(one - other))


@pytest.mark.parametrize(("count", "least"), [(3, 58), (4, 55), (8, 30), (len(HUES) - 1, 2)])
def test_modules_of_a_project_differ_from_each_other_and_from_the_site(
    count: int, least: int
) -> None:
    pairs = itertools.combinations([SITE_HUE, *hues(count)], 2)
    assert min(distance(one, other) for one, other in pairs) >= least


def test_more_modules_than_hues_share_them_evenly() -> None:
    found = hues(2 * len(HUES))
    assert sorted(found) == sorted([*HUES, *HUES])


@given(st.lists(st.integers()))
def test_any_taken_hues_leave_one_that_the_stylesheet_is_tested_with(taken: list[int]) -> None:
    assert free_hue(taken) in HUES
    assert free_hue(taken) == free_hue(reversed(taken))
