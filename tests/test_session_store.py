"""A session store given to the application, or out of reach: readiness and `tornkit check`."""

from __future__ import annotations

import asyncio
import sys
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import httpx
import pytest

from tests.docs import project
from tests.sessions.redis_server import free_port
from tornkit import PUBLIC, Application, BaseHandler, Module, Settings, path
from tornkit.checks import look_at
from tornkit.errors import StoreUnavailable
from tornkit.server import serve
from tornkit.sessions import MemoryStore

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tornkit.sessions import SessionStore, StoredSession


class Visit(BaseHandler):
    async def get(self) -> None:
        self.response_json(visits=await self.session.increment("visits"))


HOME = Module(name="home", access=PUBLIC, routes=[path("/", Visit)])


def make(folder: Path, store: SessionStore | str, **databases: str) -> Application:
    """Make a site with a store of its own, or at a URL."""
    url = store if isinstance(store, str) else "database://nowhere"
    overrides = {"databases": databases, "session.store": url, "limits.store": "memory://"}
    settings = Settings.load("testing", project_dir=folder, overrides=overrides)
    given = None if isinstance(store, str) else store
    return Application(settings, modules=[HOME], session_store=given)


@asynccontextmanager
async def client_of(application: Application) -> AsyncIterator[httpx.AsyncClient]:
    async with serve([(application, 0)]) as (port,):
        site = f"http://127.0.0.1:{port}"
        async with httpx.AsyncClient(base_url=site, trust_env=False) as client:
            yield client


class Watched(MemoryStore):
    """Note what is asked of it; silent or out of order where the test says so."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[str] = []
        self.failure: Exception | None = None
        self.silent = False

    async def open(self) -> None:
        self.calls.append("open")

    async def close(self) -> None:
        self.calls.append("close")

    async def load(self, id_hash: str) -> StoredSession | None:
        self.calls.append("load")
        if self.silent:
            await asyncio.Event().wait()
        if self.failure is not None:
            raise self.failure
        return await super().load(id_hash)


async def test_a_given_store_is_opened_used_and_closed(tmp_path: Path) -> None:
    store = Watched()
    application = make(tmp_path, store)  # the setting leads nowhere, and is not looked at
    assert application.sessions.store is store
    async with client_of(application) as client:
        visits = [(await client.get("/")).json()["visits"] for _ in range(3)]
    assert visits == [1, 2, 3]
    assert (store.calls[0], store.calls[-1]) == ("open", "close")


async def test_a_given_store_that_is_empty_counts(tmp_path: Path) -> None:
    class Sized(MemoryStore):
        def __len__(self) -> int:
            return 0

    store = Sized()
    assert make(tmp_path, store).sessions.store is store


class TestReady:
    async def ready(self, client: httpx.AsyncClient) -> int:
        async with asyncio.timeout(1.5):
            return (await client.get("/health/ready")).status_code

    async def test_the_store_is_asked(self, tmp_path: Path) -> None:
        store = Watched()
        async with client_of(make(tmp_path, store)) as client:
            assert await self.ready(client) == 200
            store.failure = StoreUnavailable("gone")
            assert await self.ready(client) == 503
            store.failure = None
            assert await self.ready(client) == 200

    @pytest.mark.slow
    async def test_a_silent_store_is_not_waited_for(self, tmp_path: Path) -> None:
        store = Watched()
        async with client_of(make(tmp_path, store)) as client:
            store.silent = True
            assert await self.ready(client) == 503
            assert (await client.get("/health/live")).status_code == 200

    async def test_a_store_of_any_failure_is_not_ready(self, tmp_path: Path) -> None:
        store = Watched()
        async with client_of(make(tmp_path, store)) as client:
            store.failure = RuntimeError("a bug of the store's own")
            assert await self.ready(client) == 503

    async def test_a_store_in_a_database_is_asked_as_that(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        application = make(tmp_path, "database://default", default="sqlite:///site.db")
        assert application.session_bind == "default"
        asked = []

        async def ping() -> None:
            asked.append("ping")

        monkeypatch.setattr(application.sessions.store, "ping", ping)
        async with client_of(application) as client:
            assert await self.ready(client) == 200
        assert asked == []


class TestCheck:
    async def found(self, application: Application) -> list[str]:
        messages = await look_at(application)
        return [each.id for each in messages if each.id.startswith("sessions.")]

    async def test_a_store_that_answers_is_no_news(self, tmp_path: Path) -> None:
        store = Watched()
        assert await self.found(make(tmp_path, store)) == []
        assert store.calls == ["open", "load", "close"]

    async def test_a_store_that_does_not_answer_is_an_error(self, tmp_path: Path) -> None:
        url = f"redis://:hush@127.0.0.1:{free_port()}/0"
        (message,) = [
            each
            for each in await look_at(make(tmp_path, url))
            if each.id == "sessions.unavailable"
        ]
        assert message.level == "error"
        assert "does not answer" in message.message
        assert "hush" not in str(message)

    async def test_a_store_without_its_driver_is_an_error(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for name in ("redis", "redis.asyncio", "redis.exceptions"):
            monkeypatch.setitem(sys.modules, name, None)
        application = make(tmp_path, "redis://127.0.0.1/0")
        (message,) = [
            each for each in await look_at(application) if each.id == "sessions.unavailable"
        ]
        assert 'pip install "tornkit[redis]"' in message.hint

    async def test_a_store_in_a_database_is_looked_at_once(self, tmp_path: Path) -> None:
        url = f"postgresql://nobody@127.0.0.1:{free_port()}/none"
        application = make(tmp_path, "database://default", default=url)
        found = [each.id for each in await look_at(application)]
        assert "databases.unavailable" in found
        assert "sessions.unavailable" not in found

    async def test_memory_is_silent(self, tmp_path: Path) -> None:
        assert await self.found(make(tmp_path, "memory://")) == []


SITE = """
from tornkit import Application, Settings
from tornkit.sessions import MemoryStore, StoredSession

class Kept(MemoryStore):
    async def open(self):
        await self.create(StoredSession("a" * 64, "1", 1.0, 1.0, 2.0))
        await self.create(StoredSession("b" * 64, "1", 1.0, 1.0, 9e9))

    async def clear_expired(self, now):
        cleared = await super().clear_expired(now)
        print("cleared", cleared)
        return cleared

def create_app():
    settings = Settings.load(overrides={"databases": {}, "session.store": "memory://"})
    return Application(settings, modules=[], session_store=Kept())
"""


@pytest.mark.slow
def test_the_commands_work_on_a_given_store(tmp_path: Path) -> None:
    (tmp_path / "my_site.py").write_text(SITE, "utf-8")
    printed = project.tornkit("sessions", "clear", "--app", "my_site:create_app", cwd=tmp_path)
    assert "cleared 1" in printed
