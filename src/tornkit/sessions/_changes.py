"""Changes of one session, several at a time: what they come to when all are carried out."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tornkit.errors import SessionError
from tornkit.sessions import _values

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

__all__ = ["Change", "Refused", "fold"]


@dataclass(frozen=True, slots=True)
class Change:
    """One call of `SessionStore.apply`, or of `SessionStore.increment` where it counts."""

    seen_at: float
    expires_at: float
    put: Mapping[str, str] = field(default_factory=dict)
    drop: Collection[str] = ()
    counts: tuple[str, int] | None = None
    """The key to count under, and what to add."""


class Refused(Exception):
    """Nothing was changed, for every single change was refused."""

    def __init__(self, results: list[int | Exception | None]) -> None:
        super().__init__()
        self.results = results


def fold(
    changes: Sequence[Change], counters: Mapping[str, str]
) -> tuple[dict[str, str | None], list[int | Exception | None]]:
    """Return what is to be written, None for what is to be deleted, and each change's number.

    Args:
        changes: in the order in which they came.
        counters: the stored texts of the keys that are counted.

    Raises:
        Refused: all of them count what is no integer.
    """
    written: dict[str, str | None] = {}
    results: list[int | Exception | None] = []
    for change in changes:
        written.update(dict.fromkeys(change.drop))
        written.update(change.put)
        number: int | Exception | None = None
        if change.counts is not None:
            name, by = change.counts
            try:
                number = _values.add_to_text(written.get(name, counters.get(name)), by, name)
            except SessionError as refused:
                number = refused
            else:
                written[name] = str(number)
        results.append(number)
    if all(isinstance(each, Exception) for each in results):
        raise Refused(results)
    return written, results
