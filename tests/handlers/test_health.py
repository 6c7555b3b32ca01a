"""``/health/ready``: every part asked at once, details for whom the settings admit."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING, Any

import pytest

from tornkit.application.health import PING_TIMEOUT
from tornkit.errors import DatabaseError

if TYPE_CHECKING:
    from tests.handlers.conftest import StartSite

TWO: dict[str, object] = {"databases.default": "sqlite://", "databases.archive": "sqlite://"}
LOCAL: dict[str, object] = {"server.health_details": ["127.0.0.0/8"]}


def break_(application: Any, name: str, error: BaseException | None = None) -> None:
    """Let a database be silent, or fail."""

    async def ping(_seconds: float = 0) -> None:
        if error is not None:
            raise error
        await asyncio.Event().wait()

    application.databases[name].ping = ping


async def test_details_are_for_those_who_are_admitted(start: StartSite) -> None:
    client = await start(overrides=TWO | LOCAL, migrate=["default"])
    answer = await client.get("/health/ready")
    assert answer.status_code == 200
    found = answer.json()
    assert found["status"] == "ok"
    assert not found["draining"]
    assert set(found["parts"]) == {"databases.default", "databases.archive"}
    assert all(part["status"] == "ok" and part["seconds"] < 1 for part in found["parts"].values())


async def test_nobody_else_learns_more_than_that_something_is_down(start: StartSite) -> None:
    client = await start(overrides=TWO, migrate=["default"])
    assert (await client.get("/health/ready")).text == '{"status":"ok"}'
    break_(client.application, "archive", DatabaseError("secret details"))
    answer = await client.get("/health/ready")
    assert (answer.status_code, answer.text) == (503, '{"status":"unavailable"}')


async def test_in_development_this_machine_is_told(start: StartSite) -> None:
    client = await start(overrides=TWO, environment="development", migrate=["default"])
    assert "parts" in (await client.get("/health/ready")).json()


async def test_it_says_which_part_is_down_and_why(start: StartSite) -> None:
    client = await start(overrides=TWO | LOCAL, migrate=["default"])
    break_(client.application, "archive", DatabaseError("it is away", hint="fetch it"))
    answer = await client.get("/health/ready")
    assert answer.status_code == 503
    parts = answer.json()["parts"]
    assert parts["databases.default"]["status"] == "ok"
    assert parts["databases.archive"]["status"] == "unavailable"
    assert parts["databases.archive"]["error"] == "it is away; fetch it"


async def test_the_words_of_strange_errors_are_not_told(start: StartSite) -> None:
    client = await start(overrides=TWO | LOCAL, migrate=["default"])
    break_(client.application, "archive", RuntimeError("user:password@host"))
    told = (await client.get("/health/ready")).json()["parts"]["databases.archive"]["error"]
    assert told == "RuntimeError"


@pytest.mark.slow  # it waits for silent databases
async def test_all_are_asked_at_once_and_none_is_waited_for_long(
    start: StartSite, caplog: pytest.LogCaptureFixture
) -> None:
    client = await start(overrides=TWO | LOCAL, migrate=["default"])
    break_(client.application, "default")
    break_(client.application, "archive")
    began = time.monotonic()
    with caplog.at_level(logging.WARNING):
        answer = await client.get("/health/ready")
    assert time.monotonic() - began < PING_TIMEOUT * 1.5
    errors = {part["error"] for part in answer.json()["parts"].values()}
    assert errors == {"gave no answer within 1 s"}


async def test_what_is_not_required_is_told_and_does_not_count(start: StartSite) -> None:
    options: dict[str, object] = {"database_options.archive.required": False}
    client = await start(overrides=TWO | LOCAL | options, migrate=["default"])
    break_(client.application, "archive", DatabaseError("it is away"))
    answer = await client.get("/health/ready")
    assert (answer.status_code, answer.json()["status"]) == (200, "ok")
    part = answer.json()["parts"]["databases.archive"]
    assert (part["status"], part["required"]) == ("unavailable", False)


async def test_a_process_that_ends_asks_nobody(start: StartSite) -> None:
    client = await start(overrides=TWO | LOCAL, migrate=["default"])
    break_(client.application, "archive")
    client.application.begin_draining()
    answer = await client.get("/health/ready")
    assert answer.status_code == 503
    assert answer.json() == {"status": "unavailable", "draining": True, "parts": {}}


async def test_all_who_ask_at_one_time_share_one_answer(start: StartSite) -> None:
    client = await start(overrides=TWO, migrate=["default"])
    asked = 0
    release = asyncio.Event()

    async def ping(_seconds: float = 0) -> None:
        nonlocal asked
        asked += 1
        await release.wait()

    bind: Any = client.application.databases["archive"]
    bind.ping = ping
    asking = [asyncio.create_task(client.application.health()) for _ in range(20)]
    await asyncio.sleep(0)
    asking[0].cancel()
    release.set()
    answers = await asyncio.gather(*asking, return_exceptions=True)
    assert asked == 1
    assert [getattr(answer, "is_ready", None) for answer in answers] == [None, *[True] * 19]


async def test_a_session_store_of_its_own_is_asked_too(start: StartSite) -> None:
    client = await start(overrides=TWO | LOCAL | {"session.store": "memory://"}, user_model=None)
    assert "session.store" in (await client.get("/health/ready")).json()["parts"]
