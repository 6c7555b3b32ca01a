"""Tries to sign in: counted before they are hashed, and logged without secrets."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select, text, update

from tests.accounts.support import GOOD, Limits, User, accounts_of
from tornkit._rates import Rate
from tornkit.errors import StoreUnavailable, TooManyRequests

if TYPE_CHECKING:
    from tornkit.accounts import Accounts
    from tornkit.databases import SQLDatabase

ACCOUNT, ADDRESS = "accounts.sign-in-account", "accounts.sign-in-address"
HOST = "192.0.2.7"


@pytest.fixture
def strict(database: SQLDatabase, limits: Limits) -> Accounts[User]:
    """Return accounts that let 3 tries through for each account, 5 for each address."""
    return accounts_of(
        database,
        limiter=limits,
        sign_in_per_account=Rate(3, 60),
        sign_in_per_address=Rate(5, 60),
    )


@pytest.mark.parametrize("email", ["a@b.c", "nobody@b.c", "no address", "\ud800"])
async def test_known_and_unknown_are_throttled_alike(
    strict: Accounts[User], limits: Limits, email: str
) -> None:
    await strict.create("a@b.c", GOOD)
    for _ in range(3):
        assert await strict.authenticate(email, "wrong", address=HOST) is None
    with pytest.raises(TooManyRequests) as caught:
        await strict.authenticate(f" {email.upper()} ", GOOD, address="192.0.2.8")
    assert (caught.value.status_code, caught.value.retry_after) == (429, 60)


async def test_parallel_tries_cannot_slip_through(
    strict: Accounts[User], monkeypatch: pytest.MonkeyPatch
) -> None:
    await strict.create("a@b.c", GOOD)
    hashed = 0
    verify = strict.passwords.verify

    async def counting(stored: str | None, password: str) -> bool:
        nonlocal hashed
        hashed += 1
        return await verify(stored, password)

    monkeypatch.setattr(strict.passwords, "verify", counting)
    tries = (strict.authenticate("a@b.c", "wrong") for _ in range(20))
    answers = await asyncio.gather(*tries, return_exceptions=True)
    assert hashed == 3
    assert sum(isinstance(answer, TooManyRequests) for answer in answers) == 17


async def test_an_address_is_counted_over_all_accounts(
    strict: Accounts[User], limits: Limits
) -> None:
    for number in range(5):
        await strict.authenticate(f"u{number}@b.c", "wrong", address=HOST)
    with pytest.raises(TooManyRequests):
        await strict.authenticate("u9@b.c", "wrong", address=HOST)
    # The account that was not looked at is not used up by it.
    assert sorted(limits.of(ACCOUNT)) == [1] * 5
    assert limits.of(ADDRESS) == [5]
    await strict.authenticate("u9@b.c", "wrong", address="192.0.2.8")


async def test_success_forgets_the_account_and_gives_the_address_one_back(
    strict: Accounts[User], limits: Limits
) -> None:
    await strict.create("a@b.c", GOOD)
    await strict.authenticate("a@b.c", "wrong", address=HOST)
    await strict.authenticate("a@b.c", "wrong", address=HOST)
    assert await strict.authenticate("a@b.c", GOOD, address=HOST) is not None
    assert (limits.of(ACCOUNT), limits.of(ADDRESS)) == ([], [2])
    for _ in range(9):
        assert await strict.authenticate("a@b.c", GOOD, address=HOST) is not None
    assert limits.of(ADDRESS) == [2]


async def test_a_right_password_of_an_inactive_account_counts(
    strict: Accounts[User], limits: Limits
) -> None:
    await strict.create("a@b.c", GOOD, is_active=False)
    assert await strict.authenticate("a@b.c", GOOD, address=HOST) is None
    assert (limits.of(ACCOUNT), limits.of(ADDRESS)) == ([1], [1])


async def test_addresses_are_counted_by_the_network_that_was_handed_in(
    database: SQLDatabase, limits: Limits
) -> None:
    accounts = accounts_of(
        database,
        limiter=limits,
        sign_in_per_address=Rate(1, 60),
        network_of=lambda address: address.rpartition(":")[0],
    )
    await accounts.authenticate("a@b.c", "wrong", address="2001:db8::1")
    with pytest.raises(TooManyRequests):
        await accounts.authenticate("d@b.c", "wrong", address="2001:db8::2")


async def test_tries_are_counted_by_the_form_in_which_an_address_is_looked_up(
    strict: Accounts[User], limits: Limits
) -> None:
    for email in (" A@B.c", "a@b.C\n", "No Address ", "no address"):
        await strict.authenticate(email, "wrong", address=HOST)
    assert dict(limits.counts) == {
        (ADDRESS, HOST): 4,
        (ACCOUNT, "a@b.c"): 2,
        (ACCOUNT, "no address"): 2,
    }


async def test_without_a_limiter_nothing_is_counted(database: SQLDatabase) -> None:
    accounts = accounts_of(database, sign_in_per_account=Rate(1, 60))
    await accounts.create("a@b.c", GOOD)
    for _ in range(3):
        assert await accounts.authenticate("a@b.c", "wrong", address=HOST) is None
    assert await accounts.authenticate("a@b.c", GOOD) is not None


async def test_sign_in_fails_closed_while_tries_cannot_be_counted(
    strict: Accounts[User], limits: Limits
) -> None:
    await strict.create("a@b.c", GOOD)
    limits.down = True
    with pytest.raises(StoreUnavailable):
        await strict.authenticate("a@b.c", GOOD)


async def test_a_password_changed_while_it_was_verified_lets_nobody_in(
    accounts: Accounts[User], monkeypatch: pytest.MonkeyPatch
) -> None:
    await accounts.create("a@b.c", GOOD)
    verify = accounts.passwords.verify

    async def overtaken(stored: str | None, password: str) -> bool:
        right = await verify(stored, password)
        await accounts.set_password("a@b.c", "another of four words")
        return right

    monkeypatch.setattr(accounts.passwords, "verify", overtaken)
    assert await accounts.authenticate("a@b.c", GOOD) is None


async def test_a_right_password_is_right_beside_an_older_object(
    accounts: Accounts[User], database: SQLDatabase
) -> None:
    await accounts.create("a@b.c", GOOD)
    async with database.session() as session:
        stale = (await session.scalars(select(User))).unique().one()
        renewed = await accounts.passwords.hash("another of four words")
        await session.execute(
            update(User).values(password_hash=renewed).execution_options(synchronize_session=False)
        )
        assert await accounts.authenticate("a@b.c", "another of four words") is stale


async def test_the_first_sign_in_stamps_a_row_that_was_inserted_by_hand(
    accounts: Accounts[User], database: SQLDatabase
) -> None:
    await accounts.create("a@b.c", GOOD)
    by_hand = text(
        "INSERT INTO users (email, password_hash, is_active, created_at)"
        " SELECT 'b@b.c', password_hash, is_active, created_at FROM users"
    )
    async with database.session() as session:
        await session.execute(by_hand)
    first, second = await accounts.get("b@b.c"), await accounts.get("b@b.c")
    assert first is not None
    assert second is not None
    assert first.security_stamp == second.security_stamp == ""
    signed_in = await accounts.authenticate("b@b.c", GOOD)
    assert signed_in is not None
    assert len(signed_in.security_stamp) == 32
    await accounts._stamp(second)  # as if it had been loaded just before that
    assert second.security_stamp == signed_in.security_stamp
    again = await accounts.authenticate("b@b.c", GOOD)
    assert again is not None
    assert again.security_stamp == signed_in.security_stamp


async def test_every_outcome_is_one_line_without_what_was_typed(
    strict: Accounts[User], caplog: pytest.LogCaptureFixture
) -> None:
    await strict.create("a@b.c", GOOD)
    await strict.create("off@b.c", GOOD, is_active=False)
    caplog.clear()
    for email, password in (
        ("a@b.c", GOOD),
        ("a@b.c", "hunter2hunter2"),
        ("off@b.c", GOOD),
        ("off@b.c", "hunter2hunter2"),
        ("hunter2@hunter2", "x"),
        ("hunter2hunter2", "x"),
    ):
        await strict.authenticate(email, password, address="\n192.0.2.7")
    assert caplog.messages == [
        r"signed in: user 1 from \n192.0.2.7",
        r"wrong password: user 1 from \n192.0.2.7",
        r"inactive: user 2 from \n192.0.2.7",
        r"wrong password: user 2 from \n192.0.2.7",
        r"unknown: unknown account from \n192.0.2.7",
        r"unknown: unknown account from \n192.0.2.7",
    ]
    with pytest.raises(TooManyRequests):
        await strict.authenticate("a@b.c", GOOD, address="\n192.0.2.7")
    assert caplog.messages[-1] == r"throttled: sign-in from \n192.0.2.7, by address"
    assert {record.name for record in caplog.records} == {"tornkit.accounts"}
