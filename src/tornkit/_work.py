"""What is being worked on: a request, for whoever below it wants to know or to count."""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Final

__all__ = ["CountedWork", "Work", "current_work"]


@dataclass(slots=True)
class Work:
    """One piece of work, and what was counted in it so far."""

    name: str
    """What messages call it, such as ``GET myschool.modules.teacher:Dashboard``."""
    cache: Any = None
    """The `tornkit.cache.Cache` of its site, for ``@cached``."""
    queries: int = 0
    query_seconds: float = 0.0


@dataclass(slots=True)
class CountedWork(Work):
    """Work whose queries are counted one by one, to notice those that are repeated."""

    statements: dict[str, int] = field(default_factory=dict)
    """How often each statement was run."""


current_work: Final[ContextVar[Work | None]] = ContextVar("tornkit_work", default=None)
"""The work that this task belongs to; tasks started from it share the same object."""
