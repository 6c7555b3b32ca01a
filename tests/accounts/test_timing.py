"""What the time of a refused sign-in tells about the account: nothing."""

from __future__ import annotations

import gc
import math
import random
import statistics
import time
from typing import TYPE_CHECKING, Any, Literal

import pytest
from argon2 import PasswordHasher, extract_parameters
from argon2.exceptions import InvalidHashError
from sqlalchemy import event, update

from tests.accounts.support import GOOD, User, accounts_of, opened
from tornkit.accounts import Passwords

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tornkit.accounts import Accounts
    from tornkit.databases import SQLDatabase

pytestmark = pytest.mark.slow

TRIES = 200
OFF = "a right password of somebody inactive"
HASHER = PasswordHasher(time_cost=2, memory_cost=8192, parallelism=1)
"""Argon2id as ever, at about 10 ms: 400 of the default 60 ms would take too long."""


def mann_whitney(first: Sequence[float], second: Sequence[float]) -> float:
    """Return the two-sided p of the Mann-Whitney U test, by its normal approximation.

    U counts the pairs in which the first sample's value is the larger one, ties by half.
    Where both samples come from one distribution it is n·m/2 on average, with a variance of
    n·m·(n+m+1)/12. Times in nanoseconds have hardly a tie, so that is not corrected for.
    """
    n, m = len(first), len(second)
    larger = sum((a > b) + (a == b) / 2 for a in first for b in second)
    z = (larger - n * m / 2) / math.sqrt(n * m * (n + m + 1) / 12)
    return math.erfc(abs(z) / math.sqrt(2))


async def times_of(
    accounts: Accounts[User], emails: Sequence[str], tries: int
) -> list[list[float]]:
    """Return the seconds of so many refused tries of each, taken in turns in random order."""
    times: dict[str, list[float]] = {email: [] for email in emails}
    for email in emails:
        await accounts.authenticate(email, "wrong password")
    gc.collect()
    gc.disable()
    try:
        for _ in range(tries):
            for email in random.sample(emails, len(emails)):
                started = time.perf_counter()
                assert await accounts.authenticate(email, "wrong password") is None
                times[email].append(time.perf_counter() - started)
    finally:
        gc.enable()
    return list(times.values())


def test_the_statistic_knows_equal_and_different_samples() -> None:
    generator = random.Random(1)
    first, second, later = (
        [generator.gauss(mean, 1) for _ in range(TRIES)] for mean in (10, 10, 10.6)
    )
    assert mann_whitney(first, second) > 0.01
    assert mann_whitney(first, later) < 0.001
    assert mann_whitney([1, 2, 3], [1, 2, 3]) == 1


@pytest.mark.slow
async def test_unknown_and_known_are_not_told_apart_over_200_tries(tmp_path: Path) -> None:
    """Two-sided Mann-Whitney U test over the wall-clock times of 200 tries each.

    One sample is a wrong password of an account, the other an address without one. They
    pass as one distribution where p > 0.001, so that chance fails one run in a thousand,
    and where the medians differ by less than 5 %.
    """
    async with opened(f"sqlite:///{tmp_path}/site.db") as database:
        accounts = accounts_of(database, hasher=HASHER)
        await accounts.create("known@b.c", GOOD)
        wrong, unknown = await times_of(accounts, ["known@b.c", "unknown@b.c"], TRIES)
    difference = statistics.median(unknown) / statistics.median(wrong) - 1
    p = mann_whitney(wrong, unknown)
    assert abs(difference) < 0.05, f"the medians differ by {difference:.1%}"
    assert p > 0.001, f"p = {p:.2g}, the medians differ by {difference:.1%}"


class Counting(PasswordHasher):
    """A hasher that counts what it computes."""

    computed = 0

    def verify(self, hash: str | bytes, password: str | bytes) -> Literal[True]:  # noqa: A002
        try:
            return super().verify(hash, password)
        except InvalidHashError:
            self.computed -= 1
            raise
        finally:
            self.computed += 1


@pytest.mark.parametrize(
    "email", ["known@b.c", "off@b.c", "broken@b.c", "no address", "unknown@b.c"]
)
async def test_every_refusal_costs_one_query_and_one_hash(
    email: str, database: SQLDatabase
) -> None:
    hasher = Counting(time_cost=1, memory_cost=8, parallelism=1)
    accounts = accounts_of(database, hasher=hasher)
    await accounts.create("known@b.c", GOOD)
    await accounts.create("off@b.c", OFF, is_active=False)
    broken = await accounts.create("broken@b.c", GOOD)
    async with database.session() as session:
        await session.execute(update(User).where(User.id == broken.id).values(password_hash="!"))
    await accounts.authenticate("known@b.c", "makes the decoy")
    statements: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        statements.append(statement)

    event.listen(database.reader.sync_engine, "before_cursor_execute", note)
    hasher.computed = 0
    assert await accounts.authenticate(email, OFF) is None
    event.remove(database.reader.sync_engine, "before_cursor_execute", note)
    assert hasher.computed == 1
    assert sum(statement.startswith("SELECT") for statement in statements) == 1


@pytest.mark.parametrize(
    ("time_cost", "memory_cost"), [(1, 64), (3, 64), (2, 8), (1, 250), (2, 129), (3, 128)]
)
@pytest.mark.parametrize("email", ["known@b.c", "off@b.c"])
async def test_a_cheaper_hash_of_before_costs_what_an_unknown_account_costs(
    database: SQLDatabase,
    monkeypatch: pytest.MonkeyPatch,
    email: str,
    time_cost: int,
    memory_cost: int,
) -> None:
    before = PasswordHasher(time_cost=time_cost, memory_cost=memory_cost, parallelism=1)
    accounts = accounts_of(database, hasher=before)
    await accounts.create("known@b.c", GOOD)
    await accounts.create("off@b.c", OFF, is_active=False)
    hasher = PasswordHasher(time_cost=2, memory_cost=200, parallelism=1)
    accounts.passwords = Passwords(hasher)
    await accounts.authenticate("unknown@b.c", "makes the decoy")
    costs: list[int] = []

    def verify(self: PasswordHasher, hash: str, password: bytes) -> bool:  # noqa: A002
        parameters = extract_parameters(hash)
        costs.append(parameters.time_cost * parameters.memory_cost)
        return password == OFF.encode()

    def fill(*_: bytes, time_cost: int, memory_cost: int, **__: Any) -> bytes:
        costs.append(time_cost * memory_cost)
        return b""

    monkeypatch.setattr(PasswordHasher, "verify", verify)
    monkeypatch.setattr("tornkit.accounts.passwords.hash_secret_raw", fill)
    assert await accounts.authenticate(email, OFF if email == "off@b.c" else "wrong") is None
    known = sum(costs)
    costs.clear()
    assert await accounts.authenticate("unknown@b.c", "wrong") is None
    assert sum(costs) <= known <= sum(costs) + 2 * 8


class WithoutDecoy(Passwords):
    """Passwords that answer at once where there is no account."""

    async def verify(self, stored: str | None, password: str) -> bool:
        return stored is not None and await super().verify(stored, password)


async def test_the_same_test_sees_a_missing_decoy(database: SQLDatabase) -> None:
    hasher = PasswordHasher(time_cost=2, memory_cost=4096, parallelism=1)
    accounts = accounts_of(database, hasher=hasher)
    accounts.passwords = WithoutDecoy(hasher)
    await accounts.create("known@b.c", GOOD)
    wrong, unknown = await times_of(accounts, ["known@b.c", "unknown@b.c"], 30)
    assert mann_whitney(wrong, unknown) < 0.001
    assert statistics.median(unknown) < statistics.median(wrong) / 2
