"""`tornkit check` asks the databases that have no tables too."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.sessions.redis_server import RedisServer, free_port
from tornkit import Application, Settings
from tornkit.checks.application import look_at

if TYPE_CHECKING:
    from pathlib import Path

    from tornkit.checks import Message

SECRET = "hush-7c1f"


async def found(folder: Path, **overrides: object) -> list[Message]:
    settings = Settings.load(
        "testing",
        project_dir=folder,
        overrides={"databases.default": "sqlite://", "session.store": "memory://", **overrides},
    )
    messages = await look_at(Application(settings, modules=[]))
    return [each for each in messages if each.id.startswith("databases.unav")]


@pytest.mark.parametrize(
    "url",
    [f"redis://:{SECRET}@127.0.0.1:PORT/0", f"http://user:{SECRET}@127.0.0.1:PORT/v1"],
    ids=["redis", "http"],
)
async def test_one_that_is_away_is_an_error_that_names_it(tmp_path: Path, url: str) -> None:
    url = url.replace("PORT", str(free_port()))
    (message,) = await found(tmp_path, **{"databases.other": url})
    assert (message.level, message.object) == ("error", "other")
    assert "'other'" in message.message
    assert SECRET not in f"{message!r}"


async def test_one_that_is_not_required_is_a_warning(tmp_path: Path) -> None:
    url = f"redis://127.0.0.1:{free_port()}/0"
    overrides = {"databases.other": url, "database_options.other.required": False}
    (message,) = await found(tmp_path, **overrides)
    assert message.level == "warning"


@pytest.mark.slow
async def test_one_that_answers_is_no_news(tmp_path: Path) -> None:
    with RedisServer() as redis:
        assert await found(tmp_path, **{"databases.other": redis.url}) == []
