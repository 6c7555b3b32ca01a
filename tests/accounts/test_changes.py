"""Changes of an account, and the stamp that ends its sessions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from argon2 import PasswordHasher
from sqlalchemy import ForeignKey, func, insert, select
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from tests.accounts.support import GOOD, User, accounts_of
from tornkit.accounts import Accounts, Passwords, UserMixin
from tornkit.errors import (
    AccountError,
    EmailTaken,
    SessionError,
    StoreUnavailable,
    UnknownUser,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tornkit.databases import SQLDatabase

OTHER = "another of four words"

CHANGES: dict[str, Any] = {
    "password": lambda accounts, user: accounts.set_password(user, OTHER),
    "active": lambda accounts, user: accounts.set_active(user, False),
    "email": lambda accounts, user: accounts.set_email(user, "new@b.c"),
    "everywhere": lambda accounts, user: accounts.renew_stamp(user),
}


@pytest.fixture(params=["memory", "postgresql", pytest.param("mysql", marks=pytest.mark.slow)])
def url(request: pytest.FixtureRequest, servers: Callable[[str], str]) -> str:
    return "sqlite:///:memory:" if request.param == "memory" else servers(request.param)


async def stored(database: SQLDatabase) -> User:
    async with database.session(read_only=True) as session:
        return (await session.scalars(select(User))).unique().one()


@pytest.mark.parametrize("by_email", [False, True], ids=["user", "email"])
@pytest.mark.parametrize("name", CHANGES)
async def test_a_change_renews_the_stamp(
    accounts: Accounts[User], database: SQLDatabase, name: str, by_email: bool
) -> None:
    user = await accounts.create("a@b.c", GOOD)
    before = user.security_stamp
    assert len(before) == 32
    change: Callable[[Accounts[User], User | str], Awaitable[None]] = CHANGES[name]
    await change(accounts, "A@B.C" if by_email else user)
    row = await stored(database)
    assert row.security_stamp != before
    assert len(row.security_stamp) == 32
    if not by_email:
        for column in ("security_stamp", "password_hash", "is_active", "email"):
            assert getattr(user, column) == getattr(row, column)


async def test_no_two_accounts_share_a_stamp(accounts: Accounts[User]) -> None:
    users = [await accounts.create(f"u{number}@b.c", GOOD) for number in range(3)]
    assert len({user.security_stamp for user in users}) == 3


async def test_what_changes_nothing_keeps_the_stamp(
    accounts: Accounts[User], database: SQLDatabase
) -> None:
    user = await accounts.create("a@b.c", GOOD)
    before = user.security_stamp
    await accounts.set_active(user, True)
    await accounts.set_email(user, " A@B.c")
    await accounts.authenticate("a@b.c", "wrong")
    await accounts.change_roles("a@b.c", add=["teacher"])
    accounts.passwords = Passwords(PasswordHasher(time_cost=2, memory_cost=8, parallelism=1))
    renewed = await accounts.authenticate("a@b.c", GOOD)
    assert renewed is not None
    assert ",t=2," in (await stored(database)).password_hash
    assert (await stored(database)).security_stamp == before == renewed.security_stamp


async def test_an_id_that_is_used_again_has_another_stamp(
    accounts: Accounts[User], database: SQLDatabase
) -> None:
    first = await accounts.create("a@b.c", GOOD)
    await accounts.delete(first)
    second = await accounts.create("a@b.c", GOOD)
    assert (second.id == first.id) == (database.dialect == "sqlite")
    assert second.security_stamp != first.security_stamp


async def test_sessions_are_ended_where_somebody_must_leave(
    accounts: Accounts[User], ended: list[int]
) -> None:
    user = await accounts.create("a@b.c", GOOD)
    await accounts.set_active(user, True)
    await accounts.set_email(user, "A@b.c")
    assert ended == []
    await accounts.set_email(user, "b@b.c")
    await accounts.set_password(user, OTHER)
    await accounts.set_active(user, False)
    await accounts.delete(user)
    assert ended == [user.id] * 4


async def test_one_session_is_spared_by_its_handle(database: SQLDatabase) -> None:
    spared: list[str | None] = []

    async def end_sessions(user_id: int, spare: str | None) -> None:
        spared.append(spare)

    accounts = accounts_of(database, end_sessions=end_sessions)
    user = await accounts.create("a@b.c", GOOD)
    await accounts.set_email(user, "b@b.c", spare="first")
    await accounts.set_password(user, OTHER, spare="second")
    assert spared == ["first", "second"]


async def test_a_block_goes_on_after_an_address_that_is_taken(
    accounts: Accounts[User], database: SQLDatabase
) -> None:
    await accounts.create("a@b.c", GOOD)
    async with database.session():
        with pytest.raises(EmailTaken):
            await accounts.create("a@b.c", GOOD)
        await accounts.create("b@b.c", GOOD)
    assert [user.email for user in await accounts.list()] == ["a@b.c", "b@b.c"]


@pytest.mark.parametrize("name", [*CHANGES, "delete", "reset"])
async def test_a_change_that_may_be_undone_is_refused(
    accounts: Accounts[User], database: SQLDatabase, ended: list[int], name: str
) -> None:
    user = await accounts.create("a@b.c", GOOD)
    token = await accounts.make_reset_token("a@b.c") or ""
    before = user.security_stamp
    further: dict[str, Any] = {
        "delete": lambda accounts, user: accounts.delete(user),
        "reset": lambda accounts, user: accounts.reset_password(token, OTHER),
    }
    async with database.session() as session:
        await accounts.create("b@b.c", GOOD)
        with pytest.raises(AccountError, match="call it after the block"):
            await {**CHANGES, **further}[name](accounts, user)
        await session.rollback()
    assert ended == []
    assert (await stored(database)).security_stamp == before == user.security_stamp
    assert await accounts.authenticate("a@b.c", GOOD) is not None
    await {**CHANGES, **further}[name](accounts, user)


@pytest.mark.parametrize("error", [StoreUnavailable("away"), SessionError("in a block")])
async def test_sessions_that_cannot_be_deleted_stop_no_change(
    database: SQLDatabase, error: SessionError, caplog: pytest.LogCaptureFixture
) -> None:
    async def fail(user_id: int, spare: str | None) -> None:
        raise error

    accounts = accounts_of(database, end_sessions=fail)
    user = await accounts.create("a@b.c", GOOD)
    await accounts.set_password(user, OTHER)
    assert caplog.records[-1].levelname == "WARNING"
    assert caplog.messages[-1].startswith(f"the sessions of user {user.id} are over, but")
    assert await accounts.authenticate("a@b.c", OTHER) is not None


async def test_an_inactive_user_is_let_in_again(accounts: Accounts[User]) -> None:
    await accounts.create("a@b.c", GOOD)
    await accounts.set_active("a@b.c", False)
    assert await accounts.authenticate("a@b.c", GOOD) is None
    await accounts.set_active("a@b.c", True)
    assert await accounts.authenticate("a@b.c", GOOD) is not None


async def test_deleting_takes_the_roles_too(
    accounts: Accounts[User], database: SQLDatabase
) -> None:
    await accounts.create("a@b.c", GOOD, roles=["teacher", "student"])
    await accounts.delete("a@b.c")
    assert await accounts.get("a@b.c") is None
    rows = User.role_rows.property.mapper.local_table
    async with database.session(read_only=True) as session:
        assert await session.scalar(select(func.count()).select_from(rows)) == 0


class OtherBase(DeclarativeBase):
    pass


class Author(OtherBase, UserMixin):
    __tablename__ = "authors"


class Book(OtherBase):
    __tablename__ = "books"
    id: Mapped[int] = mapped_column(primary_key=True)
    author_id: Mapped[int] = mapped_column(ForeignKey("authors.id"))


async def test_a_user_whom_other_rows_need_is_not_deleted(
    database: SQLDatabase, ended: list[int]
) -> None:
    async with database.connect(write=True) as connection:
        await connection.run_sync(OtherBase.metadata.create_all)
    authors = Accounts(Author, database.session, {"teacher"})
    authors.passwords = accounts_of(database).passwords
    author = await authors.create("a@b.c", GOOD, roles=["teacher"])
    async with database.session() as session:
        await session.execute(insert(Book).values(author_id=author.id))
    with pytest.raises(AccountError, match="other rows refer to it"):
        await authors.delete(author)
    kept = await authors.get("a@b.c")
    assert kept is not None
    assert kept.roles == {"teacher"}
    async with database.connect(write=True) as connection:
        await connection.run_sync(OtherBase.metadata.drop_all)


@pytest.mark.parametrize("name", [*CHANGES, "delete"])
async def test_an_account_that_is_not_there_cannot_be_changed(
    accounts: Accounts[User], name: str, ended: list[int]
) -> None:
    def delete(accounts: Accounts[User], user: User | str) -> Awaitable[None]:
        return accounts.delete(user)

    change = CHANGES.get(name, delete)
    user = await accounts.create("a@b.c", GOOD)
    await accounts.delete(user)
    ended.clear()
    for target in (user, "a@b.c"):
        with pytest.raises(UnknownUser):
            await change(accounts, target)
    assert ended == []


async def test_an_address_that_is_taken_or_none_is_refused(
    accounts: Accounts[User],
) -> None:
    user = await accounts.create("a@b.c", GOOD)
    await accounts.create("b@b.c", GOOD)
    with pytest.raises(EmailTaken):
        await accounts.set_email(user, "B@b.c")
    await accounts.set_email(user, "c@b.c")
    with pytest.raises(AccountError, match="not an e-mail address"):
        await accounts.set_email(user, "nowhere")
    assert user.email == "c@b.c"
    assert await accounts.authenticate("c@b.c", GOOD) is not None
    assert await accounts.authenticate("a@b.c", GOOD) is None


async def test_every_change_is_one_line_without_addresses(
    accounts: Accounts[User], caplog: pytest.LogCaptureFixture
) -> None:
    user = await accounts.create("a@b.c", GOOD)
    await accounts.set_password(user, OTHER)
    await accounts.set_email(user, "b@b.c")
    await accounts.renew_stamp(user)
    await accounts.change_roles("b@b.c", add=["teacher"])
    await accounts.set_active(user, False)
    await accounts.set_active(user, True)
    await accounts.delete(user)
    assert caplog.messages == [
        f"created: user {user.id}",
        f"password changed: user {user.id}",
        f"e-mail changed: user {user.id}",
        f"signed out everywhere: user {user.id}",
        f"roles changed: user {user.id} has teacher",
        f"disabled: user {user.id}",
        f"enabled: user {user.id}",
        f"deleted: user {user.id}",
    ]
