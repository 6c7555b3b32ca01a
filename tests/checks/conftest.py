"""The small project of the command line's tests."""

from __future__ import annotations

from tests.cli.conftest import project

__all__ = ["project"]
