"""Logging as it was before the test."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

NAMES = ("tornkit.access", "third.party", "school")


@pytest.fixture(autouse=True)
def _restore() -> Iterator[None]:
    root = logging.getLogger()
    before = root.handlers[:], root.level
    yield
    for name in (None, *NAMES):
        logger = logging.getLogger(name)
        for handler in logger.handlers[:]:
            if name is not None or handler not in before[0]:
                logger.removeHandler(handler)
                handler.close()
        if name is not None:
            logger.setLevel(logging.NOTSET)
            logger.propagate = True
    root.handlers[:], root.level = before
    root.setLevel(before[1])
