"""Accounts on a real database, with a limiter that counts in memory."""

from __future__ import annotations

from collections import Counter
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from argon2 import PasswordHasher
from sqlalchemy.orm import DeclarativeBase

from tornkit.accounts import Accounts, UserMixin
from tornkit.accounts.resets import reset_token_metadata
from tornkit.databases import Databases, SQLDatabase
from tornkit.errors import StoreUnavailable, TooManyRequests

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tornkit._rates import Rate

FAST = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
GOOD = "three words or four"


class Base(DeclarativeBase):
    pass


class User(Base, UserMixin):
    __tablename__ = "users"


class Limits:
    """A limiter whose counts a test can read; it stops at the rate's number of times."""

    def __init__(self) -> None:
        self.counts: Counter[tuple[str, str]] = Counter()
        self.down = False

    async def hit(self, name: str, subject: str, rate: Rate) -> None:
        self._answer()
        if self.counts[name, subject] >= rate.times:
            raise TooManyRequests(rate.period)
        self.counts[name, subject] += 1

    async def forgive(self, name: str, subject: str, rate: Rate) -> None:
        self._answer()
        self.counts[name, subject] -= 1

    async def forget(self, name: str, subject: str) -> None:
        self._answer()
        self.counts.pop((name, subject), None)

    def of(self, name: str) -> list[int]:
        """Return the counts under a name that are not 0."""
        return [count for (known, _), count in self.counts.items() if known == name and count]

    def _answer(self) -> None:
        if self.down:
            raise StoreUnavailable("the limits' store does not answer")


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[SQLDatabase]:
    """Open a database with the tables of users and of reset tokens."""
    async with Databases({"default": url}, library={"default"}) as databases:
        database = databases.sql["default"]
        async with database.connect(write=True) as connection:
            await connection.run_sync(Base.metadata.create_all)
            await connection.run_sync(reset_token_metadata.create_all)
        yield database


def accounts_of(database: SQLDatabase, **options: Any) -> Accounts[User]:
    """Return the accounts of a database, with cheap hashes."""
    options = {"hasher": FAST, "in_block": lambda: database.in_block, **options}
    return Accounts(User, database.session, {"teacher", "student"}, **options)
