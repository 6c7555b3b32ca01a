"""What ends a benchmark, and what only leaves a contender out; each is one line."""

from __future__ import annotations

__all__ = ["CannotRunError", "LeftOutError"]


class CannotRunError(Exception):
    """Nothing can be measured: something is missing, or was asked for wrongly."""


class LeftOutError(Exception):
    """One contender of one case cannot be measured, or not believed."""
