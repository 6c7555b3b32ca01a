"""A generated project, written and served by real commands."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

import pytest

from tests.cli.processes import Running, tornkit
from tests.outside.wire import Wire

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

BOOM = """
from tornkit import PUBLIC, BaseHandler, Module, path

class Boom(BaseHandler):
    async def get(self):
        raise RuntimeError("what only the log may know")

module = Module(access=PUBLIC, routes=[path("/", Boom)])
"""


@pytest.fixture(scope="session")
def school(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a project with three roles and a page that fails; tests copy it to change it."""
    folder = tmp_path_factory.mktemp("outside") / "school"
    made = tornkit("new", "school", "--modules", "student,teacher", cwd=folder.parent)
    assert made.returncode == 0, made.stderr
    (folder / "school/modules/boom.py").write_text(BOOM)
    done = tornkit("db", "upgrade", cwd=folder)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="session")
def site(school: Path) -> Iterator[Wire]:
    """Serve the project in development, with everything logged."""
    arguments = ("run", "--port", "0", "--no-reload")
    with Running(*arguments, cwd=school, SCHOOL_LOG_LEVEL="DEBUG") as running:
        yield Wire(running.address(), running)


@pytest.fixture(scope="session")
def production(school: Path) -> Iterator[Wire]:
    """Serve the project as on the day it is opened to the world."""
    variables = {
        "SCHOOL_ENVIRONMENT": "production",
        "SCHOOL_SECRET": secrets.token_urlsafe(48),
        "SCHOOL_ALLOWED_HOSTS": "127.0.0.1",
    }
    with Running("run", "--port", "0", cwd=school, **variables) as running:
        yield Wire(running.address(), running)
