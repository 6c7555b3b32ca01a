"""Addresses, passwords and the time they take."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from argon2 import PasswordHasher
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import update

import tornkit
from tests.accounts.support import Base, User
from tornkit.accounts import Accounts, Passwords, normal_email
from tornkit.errors import AccountError, WeakPassword

if TYPE_CHECKING:
    from tornkit.databases import SQLDatabase

SOURCE = Path(tornkit.__file__).parents[1]


@pytest.mark.parametrize(
    ("text", "email"),
    [
        (" A@B.org\n", "a@b.org"),
        ("a+b@c", "a+b@c"),
        ("E\u0301va@x.org", "éva@x.org"),
        ("a" * 250 + "@b.c", "a" * 250 + "@b.c"),
        ("ann@Schüle.example", "ann@schüle.example"),
    ],
)
def test_addresses_have_one_form(text: str, email: str) -> None:
    assert normal_email(text) == email


@pytest.mark.parametrize(
    "text",
    [
        *["", "a", "@", "a@", "@b", "a@b@c", "a b@c", "a@b\x00c", "a\u200b@c", "a\u00a0b@c"],
        *["\ud800@b", "a\n@b", "a" * 251 + "@b.c", "evil<victim@b.c>", "a,b@c.d", "a;b@c.d"],
        *["a@b..c", "a@.b", "a@b.", "a@" + "b" * 64, "a(b@c.d", 'a"b@c.d', "a\\b@c.d", "a:b@c"],
        *["a@stra\u00dfe.de", "a@\uff42.c", "a@b\u3002c", "a@" + "\u00fc" * 60 + ".de"],
    ],
)
def test_what_is_no_address_is_refused_in_printable_words(text: str) -> None:
    with pytest.raises(AccountError) as caught:
        normal_email(text)
    assert str(caught.value).isprintable()


@given(st.text())
def test_an_address_is_normal_once_or_never(text: str) -> None:
    try:
        email = normal_email(text)
    except AccountError:
        return
    assert normal_email(email) == email


@pytest.mark.parametrize("email", ["evil<victim@b.c", "ada@b..c", "a,b@c.d"])
async def test_an_account_of_an_address_that_is_refused_now_is_still_one(
    accounts: Accounts[User], database: SQLDatabase, email: str
) -> None:
    with pytest.raises(AccountError):
        await accounts.create(email, "long enough")
    await accounts.create("a@b.c", "long enough")
    async with database.session() as session:
        await session.execute(update(User).values(email=email))
    assert await accounts.authenticate(email.upper(), "long enough") is not None
    await accounts.set_password(email, "another one")
    await accounts.set_email(email, "b@b.c")
    assert await accounts.authenticate("b@b.c", "another one") is not None


@pytest.mark.parametrize("password", ["shortly", "x" * 1025, "é" * 513, "surrogate\ud800"])
async def test_a_bad_password_is_refused_and_never_fits(
    accounts: Accounts[User], password: str
) -> None:
    with pytest.raises(WeakPassword) as caught:
        await accounts.create("a@b.c", password)
    assert password not in str(caught.value)
    await accounts.create("a@b.c", "long enough")
    assert await accounts.authenticate("a@b.c", password) is None


@pytest.mark.parametrize("password", ["nul\x00inside", "x" * 1024, "pässwörd", "🔑" * 8])
async def test_every_other_password_fits_only_itself(
    accounts: Accounts[User], password: str
) -> None:
    await accounts.create("a@b.c", password)
    assert await accounts.authenticate("a@b.c", password) is not None
    assert await accounts.authenticate("a@b.c", password[:-1]) is None
    assert await accounts.authenticate("a@b.c", password.replace("\x00", "")[:3]) is None


async def test_a_user_without_roles_is_whole_after_its_block(accounts: Accounts[User]) -> None:
    user = await accounts.create("a@b.org", "secret pass")
    assert set(user.roles) == set()


async def test_a_password_composed_otherwise_is_the_same(accounts: Accounts[User]) -> None:
    await accounts.create("a@b.c", "p\u00e4ssword")
    assert await accounts.authenticate("a@b.c", "pa\u0308ssword") is not None


async def test_an_inactive_user_neither_signs_in_nor_loads(accounts: Accounts[User]) -> None:
    user = await accounts.create("a@b.c", "long enough", is_active=False)
    assert await accounts.authenticate("a@b.c", "long enough") is None
    assert await accounts.load(user.id) is None
    assert await accounts.get("a@b.c") is not None


@pytest.mark.parametrize("user_id", ["", "-1", "1.0", "٣", "x", "9" * 30, "2147483648", "0"])
async def test_an_id_that_is_none_loads_nobody(accounts: Accounts[User], user_id: str) -> None:
    assert await accounts.load(user_id) is None


async def test_outdated_hashes_are_made_anew(accounts: Accounts[User]) -> None:
    await accounts.create("a@b.c", "long enough")
    accounts.passwords = Passwords(PasswordHasher(time_cost=2, memory_cost=8, parallelism=1))
    user = await accounts.authenticate("a@b.c", "long enough")
    assert user is not None
    assert ",t=2," in user.password_hash
    stored = await accounts.get("a@b.c")
    assert stored is not None
    assert stored.password_hash == user.password_hash


async def test_a_hash_that_is_none_lets_nobody_in(accounts: Accounts[User]) -> None:
    await accounts.create("a@b.c", "long enough")
    user = await accounts.get("a@b.c")
    assert user is not None
    assert not await accounts.passwords.verify("!", "long enough")
    assert not await accounts.passwords.verify("", "long enough")


async def test_hashing_leaves_the_loop_free() -> None:
    passwords = Passwords(PasswordHasher(time_cost=2, memory_cost=32768, parallelism=1))
    hashing = asyncio.gather(*(passwords.hash("long enough") for _ in range(4)))
    turns = 0
    while not hashing.done():
        await asyncio.sleep(0)
        turns += 1
    await hashing
    assert turns > 20


@pytest.mark.slow
def test_a_user_model_of_one_line_type_checks(tmp_path: Path) -> None:
    (tmp_path / "models.py").write_text(
        "from typing import assert_type\n"
        "from sqlalchemy.orm import DeclarativeBase\n"
        "from tornkit.accounts import Accounts, UserMixin\n\n"
        "class Base(DeclarativeBase):\n    pass\n\n"
        'class User(Base, UserMixin):\n    __tablename__ = "users"\n\n'
        "async def work(accounts: Accounts[User], user: User) -> None:\n"
        "    assert_type(user.roles, set[str])\n"
        "    assert_type(user.id, int)\n"
        "    assert_type(await accounts.load('1'), User | None)\n"
    )
    command = [
        "-m",
        "mypy",
        "--strict",
        "--follow-imports=silent",
        "--cache-dir",
        str(tmp_path),
        "models.py",
    ]
    done = subprocess.run(
        [sys.executable, *command],
        cwd=tmp_path,
        env={**os.environ, "MYPYPATH": str(SOURCE)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_tables_have_good_names() -> None:
    assert sorted(Base.metadata.tables) == ["users", "users_roles"]
    names = {str(index.name) for index in Base.metadata.tables["users"].indexes}
    roles = Base.metadata.tables["users_roles"]
    names |= {str(constraint.name) for constraint in roles.constraints}
    assert names == {"ix_users_email", "pk_users_roles", "fk_users_roles_user_id_users"}
