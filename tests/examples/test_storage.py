"""The storage example: its own tests on SQLite, its README, its migrations."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from pathlib import Path
from subprocess import PIPE, Popen
from typing import TYPE_CHECKING

import pytest

from tests import services
from tests.databases.mongo_server import MongoServer
from tests.docs import project
from tests.examples import readme
from tests.plugin import PLUGIN
from tests.sessions.redis_server import RedisServer

if TYPE_CHECKING:
    from collections.abc import Iterator

STORAGE = Path(__file__).parents[2] / "examples" / "storage"


def variables(folder: Path, **databases: str) -> dict[str, str]:
    """Keep what the example writes out of its folder."""
    paths = {f"STORAGE_PATHS__{name}": str(folder / name) for name in ("DATA", "LOG", "UPLOAD")}
    urls = {f"STORAGE_DATABASES__{name.upper()}": url for name, url in databases.items()}
    return {**paths, **urls}


def sqlite(folder: Path) -> str:
    return f"sqlite:///{folder}/site.db"


# --- the project -------------------------------------------------------------------------


@pytest.mark.slow
def test_its_own_tests_pass_on_sqlite_too(tmp_path: Path) -> None:
    services.require("redis")
    changed = {"STORAGE_DATABASES__DEFAULT": sqlite(tmp_path)}
    options = ("-m", "pytest", "-q", "-p", "no:cacheprovider", *PLUGIN)
    assert " passed" in project.python(*options, cwd=STORAGE, variables=changed)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["postgresql", "sqlite"])
def test_the_models_have_their_migrations(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    url = sqlite(tmp_path) if kind == "sqlite" else request.getfixturevalue("postgresql_url")
    settings = variables(tmp_path, default=url)
    project.tornkit("db", "upgrade", cwd=STORAGE, variables=settings)
    printed = project.tornkit("db", "revision", "x", cwd=STORAGE, variables=settings)
    assert "nothing to write" in printed
    project.tornkit("db", "downgrade", cwd=STORAGE, variables=settings)


# --- the README --------------------------------------------------------------------------


@contextmanager
def weather() -> Iterator[str]:
    """Start the weather service as the README says; give its address."""
    command = [sys.executable, "-u", "-m", "storage.weather_server", "0"]
    with Popen(command, cwd=STORAGE, env=project.environment(), stdout=PIPE, text=True) as server:
        try:
            assert server.stdout
            yield server.stdout.readline().rpartition(" at ")[2].strip()
        finally:
            server.kill()


@pytest.mark.slow
def test_the_readme_shows_true_answers(postgresql_url: str, tmp_path: Path) -> None:
    with RedisServer() as redis, MongoServer() as mongo, weather() as service:
        urls = {"catalog": mongo.url, "cache": redis.url, "weather": service}
        settings = variables(tmp_path, default=postgresql_url, **urls)
        project.tornkit("db", "upgrade", cwd=STORAGE, variables=settings)
        with project.Running("--no-reload", cwd=STORAGE, variables=settings) as site:
            for line, expected, status in readme.statuses(STORAGE / "README.md", site.url):
                assert (line, status) == (line, expected)
            assert project.get(f"{site.url}/health/ready").status_code == 200
            mongo.kill()
            assert project.get(f"{site.url}/reviews").status_code == 503
            assert project.get(f"{site.url}/books").status_code == 200
            assert project.get(f"{site.url}/health/ready").status_code == 503
