"""The queue of passwords that wait to be hashed: short, and empty again afterwards."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING

import pytest

from tests.accounts.support import GOOD, Limits, User, accounts_of
from tornkit.accounts import Accounts, Passwords, passwords
from tornkit.accounts.passwords import QUEUE, WORKERS
from tornkit.errors import AppError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tornkit.databases import SQLDatabase

PLACES = WORKERS + QUEUE
HOST = "192.0.2.7"


class Jam:
    """Fills all places until it is released."""

    def __init__(self) -> None:
        self._go_on = threading.Event()
        self._waiting: list[asyncio.Task[bool]] = []

    async def fill(self) -> None:
        pool = passwords._pool()
        self._waiting = [
            asyncio.create_task(pool.run(self._go_on.wait, 60)) for _ in range(PLACES)
        ]
        await asyncio.sleep(0)

    def give_up(self) -> None:
        """Cancel what waits, as somebody who closes the browser."""
        for task in self._waiting:
            task.cancel()

    async def release(self) -> None:
        self._go_on.set()
        await asyncio.gather(*self._waiting, return_exceptions=True)


@pytest.fixture
async def jam() -> AsyncIterator[Jam]:
    jam = Jam()
    yield jam
    await jam.release()


async def test_a_full_queue_takes_no_more_and_says_when_to_come_back(jam: Jam) -> None:
    await jam.fill()
    for work in (Passwords().hash("x"), Passwords().verify(None, "x")):
        with pytest.raises(AppError) as refused:
            await work
        assert (refused.value.status_code, refused.value.retry_after) == (503, 5)


async def test_its_places_are_free_again_also_of_those_who_gave_up(
    accounts: Accounts[User], jam: Jam
) -> None:
    for how in ("done", "given up"):
        jam = Jam()
        await jam.fill()
        if how == "given up":
            jam.give_up()
        await jam.release()
    hashes = (accounts.passwords.hash("x") for _ in range(PLACES))
    assert len(await asyncio.gather(*hashes)) == PLACES


async def test_a_try_that_nobody_looked_at_does_not_count(
    accounts: Accounts[User], limits: Limits, jam: Jam
) -> None:
    await accounts.create("a@b.c", GOOD)
    await accounts.authenticate("a@b.c", "wrong", address=HOST)
    before = dict(limits.counts)
    await jam.fill()
    for email in ("a@b.c", "unknown@b.c"):
        with pytest.raises(AppError):
            await accounts.authenticate(email, GOOD, address=HOST)
    assert {subject: count for subject, count in limits.counts.items() if count} == before


async def test_a_full_queue_changes_nothing(
    accounts: Accounts[User], jam: Jam, ended: list[int]
) -> None:
    user = await accounts.create("a@b.c", GOOD)
    token = await accounts.make_reset_token("a@b.c") or ""
    await jam.fill()
    for work in (
        accounts.set_password(user, "another of four words"),
        accounts.reset_password(token, "another of four words"),
        accounts.create("b@b.c", GOOD),
    ):
        with pytest.raises(AppError):
            await work
    await jam.release()
    assert ended == []
    assert await accounts.get("b@b.c") is None
    assert await accounts.authenticate("a@b.c", GOOD) is not None
    await accounts.reset_user(token)


async def test_a_hash_is_renewed_another_time_if_the_queue_is_full(
    database: SQLDatabase, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    accounts = accounts_of(database)
    await accounts.create("a@b.c", GOOD)

    async def busy(password: str) -> str:
        raise AppError(503, "busy", retry_after=5)

    monkeypatch.setattr(accounts.passwords, "hash", busy)
    monkeypatch.setattr(accounts.passwords, "is_outdated", lambda _: True)
    assert await accounts.authenticate("a@b.c", GOOD) is not None
    assert "the password hash of user 1 could not be renewed" in caplog.messages
