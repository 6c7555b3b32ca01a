"""What every session store does, on every backend that is there, and that the suite notices.

The behaviours are `tornkit.testing.SessionStoreContract`; the stores here derive from it as a
user's would.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import delete

from tests import services
from tests.docs import project
from tests.plugin import PLUGIN
from tests.sessions.support import open_redis
from tornkit.databases import Databases
from tornkit.sessions import MemoryStore, SessionStore
from tornkit.sessions.sql import SQLStore, create_tables, session_table
from tornkit.testing import SessionStoreContract

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class TestMemory(SessionStoreContract):
    async def make_store(self, tmp_path: Path) -> SessionStore:
        return MemoryStore()


class InDatabase(SessionStoreContract):
    """A store in a database of its own, reached as the application reaches it."""

    _stack: AsyncExitStack

    async def url(self, tmp_path: Path) -> str:
        raise NotImplementedError

    async def make_store(self, tmp_path: Path) -> SessionStore:
        databases = Databases({"default": await self.url(tmp_path)}, library=())
        self._stack = AsyncExitStack()
        await self._stack.enter_async_context(databases)
        database = databases.sql["default"]
        async with database.connect(write=True) as connection:
            await create_tables(connection)
            await connection.execute(delete(session_table))
        one_writer = database.backend.one_writer
        return SQLStore(partial(database.connect, prompt=True), one_writer=one_writer)

    async def drop_store(self, store: SessionStore) -> None:
        await self._stack.aclose()


class TestSQLite(InDatabase):
    async def url(self, tmp_path: Path) -> str:
        return f"sqlite:///{tmp_path / 'sessions.db'}"


@pytest.fixture(scope="module")
def server_url() -> Iterator[Callable[[str], str]]:
    """Make one database a server on first use."""
    with services.fresh_databases() as url_of:
        yield url_of


class OnServer(InDatabase):
    """All tests of a server share one database; each empties it."""

    server = ""

    @pytest.fixture(autouse=True)
    def shared(self, server_url: Callable[[str], str]) -> None:
        self._url = server_url(self.server)

    async def url(self, tmp_path: Path) -> str:
        return self._url


@pytest.mark.slow
class TestPostgreSQL(OnServer):
    server = "postgresql"


@pytest.mark.slow
class TestMariaDB(OnServer):
    server = "mysql"


@pytest.mark.slow
class TestRedis(SessionStoreContract):
    async def make_store(self, tmp_path: Path) -> SessionStore:
        self._stack = AsyncExitStack()
        return await self._stack.enter_async_context(open_redis())

    async def drop_store(self, store: SessionStore) -> None:
        await self._stack.aclose()


# --- the suite itself --------------------------------------------------------------------

USER_FILE = """
from tornkit.sessions import MemoryStore
from tornkit.testing import SessionStoreContract

{store}

class TestMine(SessionStoreContract):
    async def make_store(self, tmp_path):
        return Mine()
"""

RIGHT = "class Mine(MemoryStore): pass"

RESURRECTS = """
from tornkit.sessions import StoredSession

class Mine(MemoryStore):
    async def apply(self, id_hash, *, put, drop, seen_at, expires_at):
        if id_hash not in self._sessions:
            await self.create(StoredSession(id_hash, None, seen_at, seen_at, expires_at))
        return await super().apply(
            id_hash, put=put, drop=drop, seen_at=seen_at, expires_at=expires_at
        )
"""

LOSES_INCREMENTS = """
import asyncio

class Mine(MemoryStore):
    async def increment(self, id_hash, name, by, *, seen_at, expires_at):
        stored = self._sessions.get(id_hash)
        if stored is None:
            return None
        number = int(stored.values.get(name, 0)) + by
        await asyncio.sleep(0)
        times = {"seen_at": seen_at, "expires_at": expires_at}
        await self.apply(id_hash, put={name: str(number)}, drop=(), **times)
        return number
"""

SAVES_WHOLE_SESSIONS = """
import asyncio

class Mine(MemoryStore):
    async def apply(self, id_hash, *, put, drop, seen_at, expires_at):
        stored = self._sessions.get(id_hash)
        await asyncio.sleep(0)
        if stored is not None:
            self._sessions[id_hash] = stored
        return await super().apply(
            id_hash, put=put, drop=drop, seen_at=seen_at, expires_at=expires_at
        )
"""

FORGETS_ROTATED_IDS = """
class Mine(MemoryStore):
    async def rotate(self, id_hash, successor, *, drop):
        old = self._sessions.get(id_hash)
        done = await super().rotate(id_hash, successor, drop=drop)
        if old is not None:
            self._sessions[id_hash] = old
        return done
"""


def judge(folder: Path, store: str, mode: str) -> tuple[str, set[str]]:
    """Run the suite on a user's store in a fresh pytest; return its output and what failed."""
    (folder / "test_mine.py").write_text(USER_FILE.format(store=store), "utf-8")
    (folder / "pytest.ini").write_text(
        f"[pytest]\nasyncio_mode = {mode}\nfilterwarnings = error\n"
        "asyncio_default_fixture_loop_scope = function\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *PLUGIN],
        cwd=folder,
        env=project.environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=project.PATIENCE,
    )
    assert done.returncode in (0, 1), done.stdout + done.stderr
    return done.stdout, set(re.findall(r"FAILED test_mine.py::TestMine::(\w+)", done.stdout))


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["strict", "auto"])
def test_a_users_right_store_passes(tmp_path: Path, mode: str) -> None:
    printed, failed = judge(tmp_path, RIGHT, mode)
    assert failed == set()
    counted = re.search(r"(\d+) passed", printed)
    assert counted is not None
    assert int(counted[1]) >= 77
    assert "skipped" not in printed
    assert "warning" not in printed


@pytest.mark.slow
@pytest.mark.parametrize(
    ("store", "found", "said"),
    [
        pytest.param(
            RESURRECTS,
            "test_a_late_write_does_not_bring_a_deleted_one_back",
            "late writes after delete(): expected (False, None, False), found (True, ",
            id="resurrects",
        ),
        pytest.param(
            LOSES_INCREMENTS,
            "test_200_increments_at_once_are_200",
            "each of 200 increments at once returns its own number: expected [1, 2, 3, ",
            id="loses-increments",
        ),
        pytest.param(
            SAVES_WHOLE_SESSIONS,
            "test_two_writers_of_different_keys_both_win",
            "a change was lost beside another: expected {'x': 1, 'y': 2}, found {'y': 2}",
            id="saves-whole-sessions",
        ),
        pytest.param(
            FORGETS_ROTATED_IDS,
            "test_a_late_write_to_the_old_id_is_lost",
            "late writes to an id that was rotated away: expected (False, None), found (True, 1)",
            id="keeps-rotated-ids",
        ),
    ],
)
def test_a_users_broken_store_is_told_what_is_wrong(
    tmp_path: Path, store: str, found: str, said: str
) -> None:
    printed, failed = judge(tmp_path, store, "strict")
    assert found in failed
    assert said in printed


@pytest.mark.slow
def test_the_suite_needs_no_more_than_the_extra_test() -> None:
    code = "import sys, tornkit.testing.session_stores; print(*sorted(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2] / "src")},
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = {name.partition(".")[0] for name in done.stdout.split()}
    assert {"pytest", "pytest_asyncio"} <= loaded
    assert not loaded & {"redis", "psycopg", "asyncmy", "hypothesis", "tests"}
