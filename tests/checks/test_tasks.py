"""The task queue is asked, and looked at as production would have it."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

import pytest

from tests import services
from tornkit import PUBLIC, Application, Module, Settings
from tornkit.checks import look_at, look_at_deployment
from tornkit.checks.tasks import look_at_task_queue
from tornkit.tasks import task

if TYPE_CHECKING:
    from pathlib import Path

    from tornkit.checks import Message


@task
async def report() -> None: ...


home = Module(name="home", access=PUBLIC, routes=[])
SAFE = {
    "secret": secrets.token_urlsafe(48),
    "allowed_hosts": ["www.school.example"],
    "tasks.name": "school",
    "tasks.ops_roles": ["principal"],
}


def make(folder: Path, environment: str = "production", **overrides: Any) -> Application:
    settings = Settings.load(environment, project_dir=folder, overrides={**SAFE, **overrides})
    return Application(settings, modules=[home])


def deployed(folder: Path, **overrides: Any) -> list[Message]:
    found = look_at_deployment(make(folder, **overrides))
    return [each for each in found if "tasks" in (each.object or "")]


async def test_a_queue_that_answers_is_in_order(tmp_path: Path) -> None:
    application = make(tmp_path)
    assert await look_at_task_queue(application) == []
    assert "tasks.unavailable" not in [each.id for each in await look_at(application)]


async def test_a_queue_that_does_not_answer_is_an_error(tmp_path: Path) -> None:
    application = make(tmp_path, **{"tasks.queue": "redis://:hush@127.0.0.1:1/0"})
    (message,) = await look_at_task_queue(application)
    assert (message.id, message.level) == ("tasks.unavailable", "error")
    assert "127.0.0.1:1" in message.message
    assert "hush" not in str(message)


@pytest.mark.slow
async def test_a_queue_on_postgresql_is_asked(tmp_path: Path) -> None:
    with services.fresh_database("postgresql") as url:
        application = make(tmp_path, **{"databases.default": url})
        assert await look_at_task_queue(application) == []


def test_a_queue_beside_a_file_is_in_order(tmp_path: Path) -> None:
    assert deployed(tmp_path) == []


@pytest.mark.parametrize(
    ("overrides", "check_id", "level", "key"),
    [
        ({"tasks.queue": "memory://"}, "deploy.tasks-memory", "warning", "tasks.queue"),
        ({"databases.default": "sqlite://"}, "deploy.tasks-memory", "warning", "tasks.queue"),
        (
            {
                "databases.default": "postgresql://school@localhost/school",
                "tasks.queue": "sqlite:///data/tasks.db",
            },
            "deploy.tasks-one-machine",
            "warning",
            "tasks.queue",
        ),
        ({"tasks.run_in_site": True}, "deploy.tasks-in-site", "warning", "tasks.run_in_site"),
        ({"tasks.ops_roles": []}, "deploy.tasks-unwatched", "info", "tasks.ops_roles"),
        (
            {"tasks.queue": "rediss://redis.example/0"},
            "deploy.redis-password",
            "warning",
            "tasks.queue",
        ),
        (
            {"tasks.queue": "redis://:hush@redis.example/0"},
            "deploy.redis-unencrypted",
            "warning",
            "tasks.queue",
        ),
        (
            {"tasks.queue": "postgresql://school@db.example/school"},
            "deploy.database-unencrypted",
            "warning",
            "tasks.queue",
        ),
    ],
    ids=["memory", "memory-beside", "machine", "site", "watch", "password", "tls", "postgresql"],
)
def test_what_production_should_not_have_is_said(
    tmp_path: Path, overrides: dict[str, Any], check_id: str, level: str, key: str
) -> None:
    (message,) = deployed(tmp_path, **overrides)
    assert (message.id, message.level, message.object) == (check_id, level, key)
    assert message.hint
    assert "hush" not in str(message)


@pytest.mark.parametrize(
    "overrides",
    [
        {"databases.default": "postgresql://school@localhost/school"},
        {"tasks.queue": "redis://localhost/0"},
        {"databases.default": "sqlite:///data/a.db", "tasks.queue": "sqlite:///data/b.db"},
    ],
    ids=["postgresql", "redis", "sqlite"],
)
def test_what_it_may_have_is_not(tmp_path: Path, overrides: dict[str, Any]) -> None:
    assert deployed(tmp_path, **overrides) == []
