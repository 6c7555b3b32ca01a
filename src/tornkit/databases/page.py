"""One page of a list, as templates and JSON answers take it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["CursorPage", "Page"]

T = TypeVar("T")
U = TypeVar("U")


@dataclass(frozen=True, slots=True)
class _Items(Generic[T]):
    items: list[T]

    def __iter__(self) -> Iterator[T]:
        return iter(self.items)

    def __len__(self) -> int:
        return len(self.items)


@dataclass(frozen=True, slots=True)
class Page(_Items[T]):
    """One page of a list, by its number.

    Attributes:
        items: what is on it.
        number: which page it is, counted from 1.
        size: how many items a full page has.
        total: how many items the whole list has.
    """

    number: int
    size: int
    total: int

    @property
    def pages(self) -> int:
        """How many pages the list has; an empty one has one."""
        return max(1, -(-self.total // self.size))

    @property
    def has_next(self) -> bool:
        """Whether a page follows."""
        return self.number < self.pages

    @property
    def has_previous(self) -> bool:
        """Whether a page stands before."""
        return self.number > 1

    @property
    def next_number(self) -> int | None:
        """The number of the page that follows, or None."""
        return self.number + 1 if self.has_next else None

    @property
    def previous_number(self) -> int | None:
        """The number of the page before, or None."""
        return self.number - 1 if self.has_previous else None

    def numbers(self, around: int = 2) -> list[int | None]:
        """Return the numbers to link to; None stands for those left out.

        They are the first, the last, this one and ``around`` on either side of it.
        """
        near = range(max(1, self.number - around), min(self.pages, self.number + around) + 1)
        shown = sorted({1, *near, self.pages})
        numbers: list[int | None] = []
        for number in shown:
            previous = numbers[-1] if numbers else 0
            if previous is not None and number - previous == 2:
                numbers.append(number - 1)  # a gap of one is no shorter than the number itself
            elif previous is not None and number - previous > 2:
                numbers.append(None)
            numbers.append(number)
        return numbers

    def map(self, change: Callable[[T], U]) -> Page[U]:
        """Return the page with every item changed."""
        return Page([change(item) for item in self.items], self.number, self.size, self.total)

    def __json__(self) -> dict[str, object]:
        return {
            "items": self.items,
            "number": self.number,
            "size": self.size,
            "total": self.total,
            "pages": self.pages,
            "next": self.next_number,
            "previous": self.previous_number,
        }


@dataclass(frozen=True, slots=True)
class CursorPage(_Items[T]):
    """One page of a list, by its place.

    Attributes:
        items: what is on it.
        size: how many items a full page has.
        next: what ``after`` takes for the page that follows, or None.
        previous: what ``before`` takes for the page before, or None.
    """

    size: int
    next: str | None
    previous: str | None

    @property
    def has_next(self) -> bool:
        """Whether a page follows."""
        return self.next is not None

    @property
    def has_previous(self) -> bool:
        """Whether a page stands before; it is empty if all its rows were deleted meanwhile."""
        return self.previous is not None

    def map(self, change: Callable[[T], U]) -> CursorPage[U]:
        """Return the page with every item changed."""
        return CursorPage(
            [change(item) for item in self.items], self.size, self.next, self.previous
        )

    def __json__(self) -> dict[str, object]:
        return {
            "items": self.items,
            "size": self.size,
            "next": self.next,
            "previous": self.previous,
        }
