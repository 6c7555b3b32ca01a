"""The fixtures that tests of several modules share."""

import pytest
from tornkit import Application

from school.models import Course
from school.seed import seed


@pytest.fixture
async def courses(app: Application) -> dict[str, Course]:
    """Fill the test's database with the school of ``school.seed``; return its courses."""
    return await seed(app)
