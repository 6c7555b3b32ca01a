"""Links for a new password, on every database."""

from __future__ import annotations

import asyncio
import hashlib
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import func, select, text

import tornkit
from tests.accounts.support import GOOD, Limits, User, accounts_of
from tornkit.accounts import Accounts
from tornkit.accounts.resets import reset_token_metadata, reset_token_table
from tornkit.errors import InvalidToken, StoreUnavailable, TooManyRequests, WeakPassword

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Connection

    from tornkit.databases import SQLDatabase

pytestmark = pytest.mark.slow

ROOT = Path(tornkit.__file__).parents[2]
OTHER = "another of four words"


class Clock:
    """A clock that a test sets; other processes have the same time at first."""

    def __init__(self) -> None:
        self.now = time.time()

    def __call__(self) -> float:
        return self.now


@pytest.fixture(params=["sqlite", "postgresql", pytest.param("mysql", marks=pytest.mark.slow)])
def url(request: pytest.FixtureRequest, tmp_path: Path, servers: Callable[[str], str]) -> str:
    return f"sqlite:///{tmp_path}/site.db" if request.param == "sqlite" else servers(request.param)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def accounts(
    database: SQLDatabase, limits: Limits, ended: list[int], clock: Clock
) -> Accounts[User]:
    async def end_sessions(user_id: int, spare: str | None) -> None:
        ended.append(user_id)

    return accounts_of(
        database, limiter=limits, end_sessions=end_sessions, clock=clock, reset_timeout=600
    )


async def token_of(accounts: Accounts[User], email: str = "a@b.c") -> str:
    token = await accounts.make_reset_token(email)
    assert token is not None
    return token


async def open_tokens(database: SQLDatabase) -> int:
    async with database.session(read_only=True) as session:
        return await session.scalar(select(func.count()).select_from(reset_token_table)) or 0


async def test_a_token_gives_a_new_password_once(
    accounts: Accounts[User], ended: list[int], limits: Limits
) -> None:
    user = await accounts.create("a@b.c", GOOD)
    for _ in range(10):
        await accounts.authenticate("a@b.c", "wrong")
    token = await token_of(accounts, " A@B.c")
    assert (await accounts.reset_user(token)).id == user.id
    changed = await accounts.reset_password(token, OTHER)
    assert changed.id == user.id
    assert changed.security_stamp != user.security_stamp
    assert ended == [user.id]
    assert limits.of("accounts.sign-in-account") == []
    signed_in = await accounts.authenticate("a@b.c", OTHER)
    assert signed_in is not None
    assert signed_in.security_stamp == changed.security_stamp
    for _ in range(2):
        with pytest.raises(InvalidToken):
            await accounts.reset_password(token, GOOD)
        with pytest.raises(InvalidToken):
            await accounts.reset_user(token)
    assert await accounts.authenticate("a@b.c", GOOD) is None


async def test_the_table_holds_no_token(accounts: Accounts[User], database: SQLDatabase) -> None:
    await accounts.create("a@b.c", GOOD)
    token = await token_of(accounts)
    assert len(token) == 43
    async with database.session(read_only=True) as session:
        row = (await session.execute(select(reset_token_table))).one()
    assert row.token_hash == hashlib.sha256(token.encode()).hexdigest()
    assert token not in repr(row)


async def test_a_token_expires(accounts: Accounts[User], clock: Clock) -> None:
    await accounts.create("a@b.c", GOOD)
    token = await token_of(accounts)
    clock.now += 599
    await accounts.reset_user(token)
    clock.now += 1
    with pytest.raises(InvalidToken):
        await accounts.reset_user(token)
    with pytest.raises(InvalidToken):
        await accounts.reset_password(token, OTHER)


@pytest.mark.parametrize("name", ["password", "email", "inactive", "again", "reset", "deleted"])
async def test_any_change_of_the_account_ends_open_links(
    accounts: Accounts[User], name: str
) -> None:
    user = await accounts.create("a@b.c", GOOD)
    token, other = await token_of(accounts), await token_of(accounts)
    if name == "password":
        await accounts.set_password(user, OTHER)
    elif name == "email":
        await accounts.set_email(user, "b@b.c")
    elif name == "reset":
        await accounts.reset_password(other, OTHER)
    elif name == "deleted":
        await accounts.delete(user)
    else:
        await accounts.set_active(user, False)
        if name == "again":
            await accounts.set_active(user, True)
    with pytest.raises(InvalidToken):
        await accounts.reset_user(token)
    with pytest.raises(InvalidToken):
        await accounts.reset_password(token, OTHER)


async def test_a_weak_password_leaves_the_token_usable(accounts: Accounts[User]) -> None:
    await accounts.create("someone@b.c", GOOD)
    token = await token_of(accounts, "someone@b.c")
    for weak in ("short", "password1", "Someone@b.c"):
        with pytest.raises(WeakPassword):
            await accounts.reset_password(token, weak)
    await accounts.reset_password(token, OTHER)


async def test_of_two_that_use_one_token_at_once_one_wins(
    accounts: Accounts[User], ended: list[int]
) -> None:
    await accounts.create("a@b.c", GOOD)
    token, other = await token_of(accounts), await token_of(accounts)
    passwords = [f"{OTHER} {number}" for number in range(6)]
    answers = await asyncio.gather(
        *(
            accounts.reset_password(token if number % 2 else other, password)
            for number, password in enumerate(passwords)
        ),
        return_exceptions=True,
    )
    won = [p for p, answer in zip(passwords, answers, strict=True) if isinstance(answer, User)]
    assert len(won) == 1
    assert sum(isinstance(answer, InvalidToken) for answer in answers) == 5
    assert len(ended) == 1
    assert await accounts.authenticate("a@b.c", won[0]) is not None


async def test_nobody_gets_a_token_without_an_active_account(
    accounts: Accounts[User], database: SQLDatabase
) -> None:
    await accounts.create("off@b.c", GOOD, is_active=False)
    for email in ("off@b.c", "nobody@b.c", "no address", "", "\ud800"):
        assert await accounts.make_reset_token(email) is None
    assert await open_tokens(database) == 0


async def test_an_address_that_cannot_be_mailed_has_no_token(
    accounts: Accounts[User], database: SQLDatabase
) -> None:
    await accounts.create("a@b.c", GOOD)
    async with database.session() as session:
        await session.execute(text("UPDATE users SET email = 'x<a@b.c'"))
    assert await accounts.make_reset_token("x<a@b.c") is None


async def test_five_tokens_an_hour_and_then_silence(
    accounts: Accounts[User], database: SQLDatabase, limits: Limits
) -> None:
    await accounts.create("a@b.c", GOOD)
    tokens = [await accounts.make_reset_token("a@b.c") for _ in range(7)]
    assert [token is not None for token in tokens] == [True] * 5 + [False] * 2
    for _ in range(7):
        assert await accounts.make_reset_token("nobody@b.c") is None
    assert sorted(limits.of("accounts.reset")) == [5, 5]
    limits.down = True
    with pytest.raises(StoreUnavailable):
        await accounts.make_reset_token("a@b.c")


async def test_a_password_is_reset_while_tries_cannot_be_counted(
    accounts: Accounts[User], limits: Limits, caplog: pytest.LogCaptureFixture
) -> None:
    await accounts.create("a@b.c", GOOD)
    token = await token_of(accounts)
    limits.down = True
    await accounts.reset_password(token, OTHER)
    assert caplog.records[-1].levelname == "WARNING"
    limits.down = False
    assert await accounts.authenticate("a@b.c", OTHER) is not None


async def test_expired_tokens_are_deleted_a_hundred_at_a_time(
    accounts: Accounts[User], database: SQLDatabase, clock: Clock
) -> None:
    user = await accounts.create("a@b.c", GOOD)
    dead = {"user_id": user.id, "security_stamp": "x", "created_at": 0.0, "expires_at": 1.0}
    async with database.session() as session:
        rows = [{"token_hash": f"{number:064}", **dead} for number in range(130)]
        await session.execute(reset_token_table.insert(), rows)
    token = await token_of(accounts)
    assert await open_tokens(database) == 31
    await token_of(accounts)
    assert await open_tokens(database) == 2
    await accounts.reset_user(token)


async def test_a_row_inserted_by_hand_gets_its_stamp_with_the_token(
    accounts: Accounts[User], database: SQLDatabase
) -> None:
    await accounts.create("a@b.c", GOOD)
    async with database.session() as session:
        await session.execute(text("UPDATE users SET security_stamp = ''"))
    token = await token_of(accounts)
    assert len((await accounts.reset_user(token)).security_stamp) == 32
    await accounts.reset_password(token, OTHER)


MALFORMED = {
    "empty": "",
    "short": "x" * 42,
    "long": "x" * 44,
    "10 KB": "x" * 10_240,
    "NUL": "x" * 42 + "\0",
    "line": "x" * 43 + "\n",
    "not ASCII": "x" * 42 + "é",
    "digits": "x" * 42 + "٣",
    "surrogate": "x" * 42 + "\ud800",
    "quote": "x" * 42 + "'",
}


@pytest.mark.parametrize("token", MALFORMED.values(), ids=MALFORMED)
async def test_a_malformed_token_is_refused_without_a_query(token: str) -> None:
    def no_query(**_: object) -> Any:
        raise AssertionError("the database was asked")

    accounts = Accounts(User, no_query, ())
    with pytest.raises(InvalidToken):
        await accounts.reset_user(token)
    with pytest.raises(InvalidToken):
        await accounts.reset_password(token, OTHER)


async def test_every_step_is_one_line_without_the_token(
    accounts: Accounts[User], caplog: pytest.LogCaptureFixture
) -> None:
    user = await accounts.create("a@b.c", GOOD)
    caplog.clear()
    token = await token_of(accounts)
    await accounts.make_reset_token("hunter2@hunter2")
    await accounts.reset_password(token, OTHER)
    with pytest.raises(InvalidToken):
        await accounts.reset_user(token)
    for _ in range(5):
        await accounts.make_reset_token("a@b.c")
    assert caplog.messages[:4] == [
        f"reset requested: user {user.id}",
        "reset requested: unknown account",
        f"reset used, password changed: user {user.id}",
        "reset refused: the token is used up, expired or unknown",
    ]
    assert caplog.messages[-1] == "throttled: reset requested, by account"
    assert TooManyRequests.__name__ not in caplog.text
    assert token not in caplog.text


async def test_the_library_makes_the_table_that_resets_use(database: SQLDatabase) -> None:
    def differences(connection: Connection) -> list[object]:
        context = MigrationContext.configure(
            connection,
            opts={
                "include_name": lambda name, kind, _: (
                    kind != "table" or name == reset_token_table.name
                )
            },
        )
        return list(compare_metadata(context, reset_token_metadata))

    async with database.connect(write=True) as connection:
        await connection.run_sync(reset_token_metadata.drop_all)
    await database.migrations.upgrade()
    async with database.connect(write=False) as connection:
        assert await connection.run_sync(differences) == []


@pytest.mark.slow
async def test_of_four_processes_that_use_one_token_at_once_one_wins(
    accounts: Accounts[User], url: str
) -> None:
    """Ten rounds: a line tells all four the same token, each answers with what it got."""
    environment = {**os.environ, "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}"}
    processes = [
        await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "tests.accounts.racing",
            url,
            f"{OTHER} {number}",
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
        )
        for number in range(4)
    ]
    try:
        await asyncio.gather(*(answer_of(process) for process in processes))
        for number in range(10):
            await accounts.create(f"u{number}@b.c", GOOD)
            token = await token_of(accounts, f"u{number}@b.c")
            for process in processes:
                assert process.stdin is not None
                process.stdin.write(f"{token}\n".encode())
            answers = await asyncio.gather(*(answer_of(process) for process in processes))
            assert sorted(answers) == ["InvalidToken"] * 3 + ["won"]
            password = f"{OTHER} {answers.index('won')}"
            assert await accounts.authenticate(f"u{number}@b.c", password) is not None
    finally:
        for process in processes:
            process.kill()
            await process.wait()


async def answer_of(process: asyncio.subprocess.Process) -> str:
    assert process.stdout is not None
    async with asyncio.timeout(60):
        return (await process.stdout.readline()).decode().strip()
