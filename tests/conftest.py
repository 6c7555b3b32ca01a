"""What every test shares: databases of real servers, and a steady Hypothesis."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import hypothesis
import pytest

from tests import services

if TYPE_CHECKING:
    from collections.abc import Iterator

# A busy machine is no defect of the code under test; and CI judges the same examples twice.
hypothesis.settings.register_profile("tornkit", deadline=None)
hypothesis.settings.register_profile("ci", deadline=None, derandomize=True, print_blob=True)
hypothesis.settings.load_profile("ci" if os.environ.get("CI") == "true" else "tornkit")


@pytest.fixture
def postgresql_url() -> Iterator[str]:
    """Give the URL of an empty PostgreSQL database that belongs to this test."""
    with services.fresh_database("postgresql") as url:
        yield url


@pytest.fixture
def mysql_url() -> Iterator[str]:
    """Give the URL of an empty MariaDB or MySQL database that belongs to this test."""
    with services.fresh_database("mysql") as url:
        yield url
