"""`Search`: the prime factors of a number, found a piece at a time; it knows nothing of tasks."""

from math import isqrt

__all__ = ["Search"]


class Search:
    """Try divisors from 2 upward; between two pieces there is time for something else.

    Example:
        >>> search = Search(360)
        >>> while not search.is_done:
        ...     search.go_on(1000)
        >>> search.factors
        [2, 2, 2, 3, 3, 5]
    """

    def __init__(self, n: int) -> None:
        self._rest = n  # what no factor is known of yet
        self._divisor = 2
        self._found: list[int] = []

    @property
    def divisor(self) -> int:
        """The one that is tried next."""
        return self._divisor

    @property
    def is_done(self) -> bool:
        """Whether the rest is a prime, or 1: no divisor up to its root is left to try."""
        return self._divisor > isqrt(self._rest)

    @property
    def progress(self) -> float:
        """How far it is, from 0 to 1; a factor that is found brings the end nearer at once."""
        return 1.0 if self.is_done else self._divisor / isqrt(self._rest)

    @property
    def factors(self) -> list[int]:
        """The prime factors, each as often as it divides; of 1 there are none."""
        return self._found + ([self._rest] if self._rest > 1 else [])

    def go_on(self, divisors: int) -> None:
        """Try so many divisors more."""
        if self._divisor == 2:
            self._divide_by(2)
            self._divisor = 3
        end = self._divisor + 2 * divisors
        while not self.is_done and self._divisor < end:
            self._divisor = self._next(min(end, isqrt(self._rest) + 1))
            self._divide_by(self._divisor)

    def _next(self, end: int) -> int:
        """Return the next odd number that divides the rest, or the one after the last tried."""
        rest = self._rest
        for divisor in range(self._divisor, end, 2):
            if rest % divisor == 0:
                return divisor
        return end + (end % 2 == 0)

    def _divide_by(self, divisor: int) -> None:
        while self._rest > 1 and self._rest % divisor == 0:
            self._found.append(divisor)
            self._rest //= divisor
