"""What only the SQL store does: its errors, its tables, its retries."""

from __future__ import annotations

import asyncio
import traceback
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import func, select
from sqlalchemy.exc import OperationalError

from tests import services
from tests.sessions.support import open_server, open_sqlite
from tornkit.errors import DatabaseError, SessionError, StoreUnavailable
from tornkit.sessions import StoredSession
from tornkit.sessions.sql import SQLStore, create_tables, session_key_table, session_table

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from sqlalchemy.ext.asyncio import AsyncConnection

A, B = "a" * 64, "b" * 64
TIMES = {"seen_at": 2.0, "expires_at": 3.0}


def stored(id_hash: str = A, **values: str) -> StoredSession:
    return StoredSession(id_hash, None, 1.0, 1.0, 2.0, "{}", values)


async def test_missing_tables_name_the_command(tmp_path: Path) -> None:
    connector = open_sqlite(tmp_path / "empty.db")
    with pytest.raises(StoreUnavailable, match="tornkit db upgrade") as caught:
        await SQLStore(connector).load(A)
    assert "\n" not in str(caught.value)
    assert caught.value.__cause__ is not None
    await connector.engine.dispose()


@pytest.mark.parametrize("name", ["postgresql", "mysql"])
async def test_missing_tables_on_servers_too(name: str) -> None:
    with services.fresh_database(name) as url:
        connector = open_server(url)
        with pytest.raises(StoreUnavailable, match="tornkit db upgrade"):
            await SQLStore(connector).create(stored(x="1"))
        await connector.engine.dispose()


async def test_values_stay_out_of_the_traceback(tmp_path: Path) -> None:
    connector = open_sqlite(tmp_path / "empty.db")
    value = "-".join(["value", "of", "a", "session"])
    with pytest.raises(StoreUnavailable) as caught:
        await SQLStore(connector).create(stored(x=value))
    shown = "".join(traceback.format_exception(caught.value))
    assert A not in shown
    assert value not in shown
    await connector.engine.dispose()


@pytest.mark.parametrize("scheme", ["postgresql", "mysql"])
async def test_a_server_that_is_down_is_unavailable(scheme: str) -> None:
    connector = open_server(f"{scheme}://nobody@127.0.0.1:1/none")
    with pytest.raises(StoreUnavailable, match="does not answer"):
        await SQLStore(connector).load(A)
    await connector.engine.dispose()


async def test_deleting_a_session_leaves_no_keys(tmp_path: Path) -> None:
    connector = open_sqlite(tmp_path / "s.db")
    async with connector(write=True) as connection:
        await create_tables(connection)
    store = SQLStore(connector)
    await store.create(stored(A, x="1", y="2"))
    await store.rotate(A, stored(B, z="3"), drop=["y"])
    await store.delete(B)
    async with connector(write=False) as connection:
        for table in (session_table, session_key_table):
            assert await connection.scalar(select(func.count()).select_from(table)) == 0
    await connector.engine.dispose()


class DeadlockError(Exception):
    """As PostgreSQL's driver tells it."""

    sqlstate = "40P01"


class Tied:
    """Break off the first transactions as a deadlock does, reworded as a caller may."""

    def __init__(self, connector: Any, times: int) -> None:
        self.connector = connector
        self.left = times

    @asynccontextmanager
    async def __call__(self, *, write: bool) -> AsyncIterator[AsyncConnection]:
        async with self.connector(write=write) as connection:
            yield connection
            if write and self.left:
                self.left -= 1
                deadlock = OperationalError("UPDATE", {}, DeadlockError("deadlock detected"))
                raise DatabaseError("two transactions waited for each other") from deadlock


@pytest.mark.parametrize(("times", "survives"), [(4, True), (5, False)])
async def test_a_deadlock_is_tried_again_a_few_times(
    tmp_path: Path, times: int, survives: bool
) -> None:
    connector = open_sqlite(tmp_path / "s.db")
    async with connector(write=True) as connection:
        await create_tables(connection)
    await SQLStore(connector).create(stored(A))
    store = SQLStore(Tied(connector, times))
    if survives:
        assert await store.increment(A, "n", 1, **TIMES) == 1
    else:
        with pytest.raises(StoreUnavailable):
            await store.increment(A, "n", 1, **TIMES)
    await connector.engine.dispose()


async def test_a_mistake_of_the_caller_is_not_an_outage(tmp_path: Path) -> None:
    connector = open_sqlite(tmp_path / "s.db")
    async with connector(write=True) as connection:
        await create_tables(connection)
    store = SQLStore(connector)
    await store.create(stored(A, n='"text"'))
    with pytest.raises(SessionError) as caught:
        await store.increment(A, "n", 1, **TIMES)
    assert not isinstance(caught.value, StoreUnavailable)
    await connector.engine.dispose()


@pytest.mark.parametrize(("one_writer", "most"), [(False, 2), (True, 50)])
async def test_changes_of_one_session_at_once_share_a_transaction(
    tmp_path: Path, one_writer: bool, most: int
) -> None:
    connector = open_sqlite(tmp_path / "sessions.db")
    async with connector(write=True) as connection:
        await create_tables(connection)
    written = 0

    @asynccontextmanager
    async def connect(*, write: bool) -> AsyncIterator[AsyncConnection]:
        nonlocal written
        written += write
        async with connector(write=write) as connection:
            yield connection

    store = SQLStore(connect, one_writer=one_writer)
    await store.create(stored())
    written = 0
    counts = [store.increment(A, "n", 1, seen_at=2.0, expires_at=3.0) for _ in range(50)]
    assert sorted(number or 0 for number in await asyncio.gather(*counts)) == [*range(1, 51)]
    assert 0 < written <= most
    await connector.engine.dispose()
