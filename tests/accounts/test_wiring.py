"""What an application hands its accounts: the settings, and the end of sessions."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import select

from tests.accounts.support import GOOD, Base, User
from tornkit import Application, Settings
from tornkit.accounts.resets import reset_token_table
from tornkit.errors import AccountError, MigrationsPending, TooManyRequests, WeakPassword

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tornkit.accounts import Accounts

OTHER = "another of four words"


@asynccontextmanager
async def site(
    folder: Path, **overrides: Any
) -> AsyncIterator[tuple[Application, Accounts[User]]]:
    settings = Settings.load("testing", project_dir=folder, overrides=overrides)
    async with Application(settings, modules=[], user_model=User) as application:
        database = application.databases.sql["default"]
        await database.migrations.upgrade()
        async with database.connect(write=True) as connection:
            await connection.run_sync(Base.metadata.create_all)
        assert application.accounts is not None
        yield application, application.accounts


async def signed_in(application: Application, user: User) -> int:
    session = application.sessions.begin()
    session.sign_in(str(user.id))
    await application.sessions.save(session)
    return len(await application.sessions.list_user(user.id))


async def test_the_length_of_passwords_is_the_setting_s(tmp_path: Path) -> None:
    async with site(tmp_path, **{"accounts.password_length": 12}) as (_, accounts):
        with pytest.raises(WeakPassword, match="at least 12"):
            await accounts.check_password("eleven char")


async def test_reset_links_last_as_long_as_the_setting_says(tmp_path: Path) -> None:
    async with site(tmp_path, **{"accounts.reset_timeout": 60}) as (application, accounts):
        await accounts.create("a@b.c", GOOD)
        await accounts.make_reset_token("a@b.c")
        async with application.databases.sql["default"].session(read_only=True) as session:
            row = (await session.execute(select(reset_token_table))).one()
        assert row.expires_at - row.created_at == pytest.approx(60)


@pytest.mark.parametrize("store", ["memory://", "database://default"])
async def test_tries_are_counted_where_and_as_often_as_the_settings_say(
    tmp_path: Path, store: str
) -> None:
    overrides = {
        "limits.store": store,
        "accounts.sign_in_per_account": "3/h",
        "accounts.sign_in_per_address": "6/h",
    }
    async with site(tmp_path, **overrides) as (_, accounts):
        await accounts.create("a@b.c", GOOD)
        for email in ("a@b.c", "x@y.z"):
            for number in range(2):
                host = f"2001:db8::{number}"
                assert await accounts.authenticate(email, "wrong", address=host) is None
        assert await accounts.authenticate("a@b.c", GOOD, address="2001:db8::9") is not None
        for _ in range(2):  # the account's count is new, the address has two tries left
            assert await accounts.authenticate("a@b.c", "wrong", address="2001:db8::") is None
        with pytest.raises(TooManyRequests) as by_address:
            await accounts.authenticate("new@y.z", "wrong", address="2001:db8::5")
        assert 1 <= by_address.value.retry_after <= 3600
        assert await accounts.authenticate("a@b.c", "wrong", address="192.0.2.1") is None
        with pytest.raises(TooManyRequests):
            await accounts.authenticate("a@b.c", GOOD, address="192.0.2.1")


@pytest.mark.parametrize(
    "name", ["set_password", "set_email", "set_active", "delete", "reset_password"]
)
async def test_sessions_in_their_store_end_with_the_change(tmp_path: Path, name: str) -> None:
    async with site(tmp_path) as (application, accounts):
        user = await accounts.create("a@b.c", GOOD)
        assert await signed_in(application, user) == 1
        if name == "set_password":
            await accounts.set_password(user, OTHER)
        elif name == "set_email":
            await accounts.set_email(user, "b@b.c")
        elif name == "set_active":
            await accounts.set_active(user, False)
        elif name == "delete":
            await accounts.delete(user)
        else:
            token = await accounts.make_reset_token("a@b.c")
            assert token is not None
            await accounts.reset_password(token, OTHER)
        assert await application.sessions.list_user(user.id) == []


async def test_a_change_inside_a_block_is_refused_and_ends_nothing(tmp_path: Path) -> None:
    async with site(tmp_path) as (application, accounts):
        user = await accounts.create("a@b.c", GOOD)
        await signed_in(application, user)
        async with application.databases.sql["default"].session():
            with pytest.raises(AccountError, match="after the block"):
                await accounts.set_password(user, OTHER)
        assert len(await application.sessions.list_user(user.id)) == 1
        assert await accounts.authenticate("a@b.c", GOOD) is not None


async def test_users_bring_tornkit_s_tables_wherever_sessions_are(tmp_path: Path) -> None:
    overrides = {"session.store": "memory://"}
    settings = Settings.load("testing", project_dir=tmp_path, overrides=overrides)
    async with Application(settings, modules=[], user_model=User) as application:
        with pytest.raises(MigrationsPending, match="reset_tokens"):
            await application.databases.sql["default"].migrations.check()
