"""Wording shared by messages: escaping what is echoed, and near misses."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["did_you_mean", "listing", "printable"]


def printable(text: object, *, limit: int = 80) -> str:
    """Return ``text`` with everything unprintable escaped, cut to ``limit`` characters."""
    raw = str(text)
    cut = raw if len(raw) <= limit else raw[: limit - 1] + "…"
    if cut.isprintable():
        return cut
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode("ascii")
        for char in cut
    )


def did_you_mean(found: str, known: Iterable[str]) -> str:
    """Return ``did you mean 'x'?`` for the nearest of ``known``, or ""."""
    near = difflib.get_close_matches(found, list(known), n=1, cutoff=0.6)
    return f"did you mean {near[0]!r}?" if near else ""


def listing(names: Iterable[str]) -> str:
    """Return the names sorted and joined by commas, or ``none``."""
    return ", ".join(sorted(names)) or "none"
