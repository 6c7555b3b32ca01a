"""Signatures: the first secret signs, all of them verify, and nothing else gets through."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tornkit.security.signing import Signer, key_version

OLD, NEW = "an old secret of many characters", "a new secret of many characters"


def signer(*secrets: str, purpose: str = "test") -> Signer:
    return Signer(lambda: secrets, purpose)


def test_what_was_signed_is_verified() -> None:
    assert signer(NEW).unsign(signer(NEW).sign("text.with.dots")) == ("text.with.dots", True)


def test_an_old_secret_verifies_and_says_that_it_is_old() -> None:
    assert signer(NEW, OLD).unsign(signer(OLD).sign("x")) == ("x", False)
    assert signer(NEW).unsign(signer(OLD).sign("x")) is None


def test_a_signature_is_worth_nothing_for_another_purpose() -> None:
    assert signer(NEW, purpose="a").unsign(signer(NEW, purpose="b").sign("x")) is None


@pytest.mark.parametrize(
    "made_up", ["", ".", "x", "x.", "." * 40, "x." + "0" * 32, "é." + "0" * 32]
)
def test_what_was_never_signed_is_refused(made_up: str) -> None:
    assert signer(NEW).unsign(made_up) is None


def test_every_changed_character_is_noticed() -> None:
    signed = signer(NEW).sign("abc")
    for place, character in enumerate(signed):
        other = "0" if character != "0" else "1"
        assert signer(NEW).unsign(signed[:place] + other + signed[place + 1 :]) is None
        assert signer(NEW).unsign(signed[:place]) is None
    assert signer(NEW).unsign(signed.upper()) is None
    assert signer(NEW).unsign(signed + "0") is None


@given(st.text(max_size=80))
def test_any_text_at_all_is_refused_without_an_error(text: str) -> None:
    assert signer(NEW, OLD).unsign(text) is None


def test_a_verdict_that_is_kept_is_that_of_one_text_only() -> None:
    known = signer(NEW, OLD)
    fresh, old = known.sign("abc"), signer(OLD).sign("abc")
    for _ in range(2):
        assert known.unsign(fresh) == ("abc", True)
        assert known.unsign(old) == ("abc", False)
        assert known.unsign(fresh[:-1] + ("1" if fresh[-1] == "0" else "0")) is None
    assert signer(OLD).unsign(fresh) is None


def test_the_verdicts_that_are_kept_are_bounded() -> None:
    flooded: Any = signer(NEW)
    signed = flooded.sign("abc")
    for number in range(5000):
        assert flooded.unsign(f"{number}.0") is None
    assert flooded.unsign.cache_info().currsize < 5000
    assert flooded.unsign(signed) == ("abc", True)


def test_secrets_are_asked_for_only_when_something_is_signed() -> None:
    asked = []

    def secrets() -> list[str]:
        asked.append(1)
        return [NEW]

    lazy = Signer(secrets, "x")
    assert not asked
    lazy.sign("a")
    lazy.unsign("b." + "0" * 32)
    assert len(asked) == 1


def test_a_secret_keeps_its_version_wherever_it_stands() -> None:
    assert key_version(OLD) == key_version(OLD)
    assert key_version(OLD) != key_version(NEW)
    assert 0 <= key_version(OLD) < 2**32
