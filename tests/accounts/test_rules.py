"""Which passwords are refused, and what the refusal says."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import update

import tornkit
from tests.accounts.support import FAST, GOOD, User, accounts_of
from tornkit.accounts import Accounts, Passwords
from tornkit.accounts.rules import check_password, is_common
from tornkit.errors import WeakPassword

if TYPE_CHECKING:
    from tornkit.databases import SQLDatabase

SOURCE = Path(tornkit.__file__).parents[1]


@pytest.mark.parametrize(
    "password",
    [
        *["password", "PassWord1", "p@ssw0rd", "12345678", "qwertyuiop", "iloveyou"],
        *["elizabeth", "christopher", "aaaaaaaa", "government", "Password!"],
        "ｐａｓｓｗｏｒｄ",  # noqa: RUF001 - the same once composed
    ],
)
async def test_a_common_password_is_refused_in_any_case(password: str) -> None:
    with pytest.raises(WeakPassword, match="many people use"):
        await check_password(password)


@pytest.mark.parametrize(
    "password",
    ["government elizabeth", "x" * 1024, "password\npassword1", " password", "        ", "🔑" * 8],
)
async def test_only_the_whole_password_is_compared(password: str) -> None:
    await check_password(password)


@pytest.mark.parametrize(
    "password", ["ada.lovelace@school.example", "ADA.LOVELACE", "Ada.Lovelace@School.Example "]
)
async def test_the_address_and_its_beginning_are_refused(password: str) -> None:
    with pytest.raises(WeakPassword, match="e-mail address"):
        await check_password(password, email=" Ada.Lovelace@School.example")


async def test_a_part_of_the_address_inside_a_longer_password_is_fine() -> None:
    await check_password("ada.lovelace was here", email="ada.lovelace@school.example")


async def test_characters_are_counted_in_composed_form() -> None:
    decomposed = "e\u0301" * 7
    with pytest.raises(WeakPassword, match="at least 8"):
        await check_password(decomposed)
    await check_password(decomposed + "e\u0301")


async def test_nothing_is_cut_off() -> None:
    passwords = Passwords(FAST)
    stored = await passwords.hash("x" * 1024)
    assert await passwords.verify(stored, "x" * 1024)
    assert not await passwords.verify(stored, "x" * 1023)
    with pytest.raises(WeakPassword, match="at most 1024 bytes"):
        await check_password("x" * 1025)


async def test_messages_are_sentences_without_the_password() -> None:
    for password in ("seven77", "password1", "x" * 2000, "who@is.example", "surrogate\ud800"):
        with pytest.raises(WeakPassword) as caught:
            await check_password(password, email="who@is.example")
        assert str(caught.value) == caught.value.message
        assert caught.value.message.endswith(".")
        assert password not in caught.value.message


async def test_the_length_is_the_setting_s(database: SQLDatabase) -> None:
    accounts = accounts_of(database, password_length=12)
    with pytest.raises(WeakPassword, match="at least 12"):
        await accounts.check_password("eleven char")
    await accounts.check_password("twelve chars")


async def test_every_way_to_a_password_asks_the_rules(accounts: Accounts[User]) -> None:
    with pytest.raises(WeakPassword):
        await accounts.create("a@b.c", "password1")
    user = await accounts.create("someone@b.c", GOOD)
    for target in (user, "someone@b.c"):
        with pytest.raises(WeakPassword, match="e-mail address"):
            await accounts.set_password(target, "someone@b.c")
    with pytest.raises(WeakPassword, match="e-mail address"):
        await accounts.check_password("someone@b.c", "Someone@b.c")
    assert await accounts.authenticate("someone@b.c", GOOD) is not None


@pytest.mark.parametrize("password", ["short", "password"])
async def test_a_weak_password_from_before_still_opens_the_door(
    accounts: Accounts[User], database: SQLDatabase, password: str
) -> None:
    await accounts.create("a@b.c", GOOD)
    async with database.session() as session:
        stored = await accounts.passwords.hash(password)
        await session.execute(update(User).values(password_hash=stored))
    assert await accounts.authenticate("a@b.c", password) is not None


def test_the_list_alone_is_loaded_and_only_when_asked() -> None:
    code = (
        "import sys, tornkit.accounts.rules as rules\n"
        "assert not rules._common_passwords.cache_info().currsize\n"
        "assert rules.is_common('password')\n"
        "print([name for name in sys.modules if name.startswith('zxcvbn')])\n"
        "print(len(rules._common_passwords()) < 500_000)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": str(SOURCE)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split("\n")[:2] == ["[]", "True"]


def test_a_line_break_finds_no_two_entries_at_once() -> None:
    assert is_common("password")
    assert not is_common("password\n12345678")
    assert not is_common("")
