"""Rules of entry: who is admitted, and which names a role may have."""

from __future__ import annotations

import pytest

from tornkit import PUBLIC, SIGNED_IN, roles


def test_one_of_the_roles_is_enough() -> None:
    rule = roles("teacher", "principal")
    assert rule.admits({"principal", "x"})
    assert not rule.admits({"student"})
    assert not rule.admits(set())


def test_signed_in_and_public_ask_for_no_role() -> None:
    assert SIGNED_IN.admits(set())
    assert PUBLIC.admits(set())


def test_rules_compare_by_what_they_say() -> None:
    assert roles("a", "a", "b") == roles("a", "b")
    assert str(roles("a", "b")) == "roles(a, b)"
    assert str(SIGNED_IN) == "signed-in"


@pytest.mark.parametrize("name", ["", "Teacher", "1a", "a b", "ä", "a" * 65, "a\n", "-a"])
def test_a_role_has_a_plain_name(name: str) -> None:
    with pytest.raises(ValueError, match="not a role's name"):
        roles(name)


def test_no_role_is_a_mistake_and_not_an_open_door() -> None:
    with pytest.raises(ValueError, match="SIGNED_IN"):
        roles()
