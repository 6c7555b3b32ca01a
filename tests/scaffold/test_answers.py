"""What answers say about themselves in the files written from them."""

from __future__ import annotations

import pytest

from tornkit.scaffold.answers import ModuleAnswers


@pytest.mark.parametrize(
    ("answers", "summary"),
    [
        (
            ModuleAnswers("teacher", "roles", ("teacher",)),
            "The teacher area: pages for the role teacher.",
        ),
        (
            ModuleAnswers("staff/head_office", "roles", ("a", "b-c", "d")),
            "The head office area: pages for the roles a, b-c and d.",
        ),
        (ModuleAnswers("news", "public"), "The news area: pages for everybody."),
        (ModuleAnswers("club", "signed-in"), "The club area: pages for whoever is signed in."),
        (ModuleAnswers("x" * 40, "roles", ("y" * 64,)), "Pages for its role."),
        (ModuleAnswers("x", "roles", ("y" * 64, "z" * 64)), "Pages for its roles."),
    ],
)
def test_a_module_is_summed_up_in_a_line_that_fits(answers: ModuleAnswers, summary: str) -> None:
    assert answers.summary == summary
