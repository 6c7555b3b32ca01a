"""The prime factors themselves."""

import pytest

from number_service.search import Search


def search(n: int, piece: int) -> tuple[list[int], list[float]]:
    """Return the factors of n, and how far the search was before each piece."""
    found, told = Search(n), []
    while not found.is_done:
        told.append(found.progress)
        found.go_on(piece)
    return found.factors, told


def slowly(n: int) -> list[int]:
    """Return what they should be."""
    factors, divisor = [], 2
    while n > 1:
        while n % divisor == 0:
            factors.append(divisor)
            n //= divisor
        divisor += 1
    return factors


@pytest.mark.parametrize("piece", [1, 7, 1000])
def test_the_factors_of_every_small_number(piece: int) -> None:
    for n in range(1, 1500):
        assert search(n, piece)[0] == slowly(n)


@pytest.mark.parametrize(
    ("n", "factors"),
    [
        (99999999999973, [99999999999973]),
        (9999991 * 9999991, [9999991, 9999991]),
        (2**52, [2] * 52),
        (2**53 - 1, [6361, 69431, 20394401]),
    ],
)
def test_large_ones_tell_how_far_they_are(n: int, factors: list[int]) -> None:
    found, told = search(n, 10_000)
    assert found == factors
    assert told == sorted(told)
    assert all(0 <= each <= 1 for each in told)
