"""A database, its accounts, and the lines that they log."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest

from tests import services
from tests.accounts.support import Base, Limits, User, accounts_of, opened
from tornkit.accounts.resets import reset_token_table

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from tornkit.accounts import Accounts
    from tornkit.databases import SQLDatabase


@pytest.fixture(scope="module")
def servers() -> Iterator[Callable[[str], str]]:
    """Give one database on each server to all tests of a module; each test empties it."""
    with services.fresh_databases() as url_of:
        yield url_of


@pytest.fixture
def url() -> str:
    return "sqlite:///:memory:"


@pytest.fixture
async def database(url: str) -> AsyncIterator[SQLDatabase]:
    async with opened(url) as database:
        yield database
        async with database.connect(write=True) as connection:
            for table in (*reversed(Base.metadata.sorted_tables), reset_token_table):
                await connection.execute(table.delete())


@pytest.fixture
def limits() -> Limits:
    return Limits()


@pytest.fixture
def ended() -> list[int]:
    """Return the ids of the users whose sessions were ended."""
    return []


@pytest.fixture
def accounts(database: SQLDatabase, limits: Limits, ended: list[int]) -> Accounts[User]:
    async def end_sessions(user_id: int, spare: str | None) -> None:
        ended.append(user_id)

    return accounts_of(database, limiter=limits, end_sessions=end_sessions)


@pytest.fixture(autouse=True)
def _log_lines(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "tornkit.accounts")
