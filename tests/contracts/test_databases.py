"""Blocks, migrations and accounts behave alike on every SQL server."""

# ruff: noqa: PT012 - what raises here is the leaving of a block

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from argon2 import PasswordHasher
from sqlalchemy import MetaData, String, delete, func, insert, select, text
from sqlalchemy.exc import IntegrityError, SQLAlchemyError
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from tests import services
from tornkit.accounts import Accounts, UserMixin
from tornkit.databases import Databases, SQLDatabase
from tornkit.errors import (
    DatabaseError,
    EmailTaken,
    MigrationsPending,
    UnknownRole,
    UnknownUser,
)
from tornkit.sessions.sql import metadata as session_tables

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from pathlib import Path

    from sqlalchemy import Connection


class Base(DeclarativeBase):
    pass


class Member(Base, UserMixin):
    __tablename__ = "members"


class Note(Base):
    __tablename__ = "notes"
    id: Mapped[int] = mapped_column(primary_key=True)
    words: Mapped[str] = mapped_column(String(50), unique=True)


@pytest.fixture(scope="module")
def servers() -> Iterator[Callable[[str], str]]:
    """Give one database on each server to all tests here; each test leaves it empty."""
    with services.fresh_databases() as url_of:
        yield url_of


@pytest.fixture(
    params=[
        "sqlite",
        "memory",
        pytest.param("postgresql", marks=pytest.mark.slow),
        pytest.param("mysql", marks=pytest.mark.slow),
    ]
)
def database_url(
    request: pytest.FixtureRequest, tmp_path: Path, servers: Callable[[str], str]
) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/per%cent/site.db"
    if request.param == "memory":
        return "sqlite:///:memory:"
    return servers(request.param)


@pytest.fixture
async def empty(database_url: str, tmp_path: Path) -> AsyncIterator[SQLDatabase]:
    databases = Databases(
        {"default": database_url},
        migrations=tmp_path / "migrations",
        metadata={"default": Base.metadata},
    )
    async with databases:
        yield databases.sql["default"]
        if databases.sql["default"].dialect != "sqlite":
            await drop_tables(databases.sql["default"])


async def drop_tables(database: SQLDatabase) -> None:
    def drop(connection: Connection) -> None:
        found = MetaData()
        found.reflect(connection)
        found.drop_all(connection)

    async with database.connect(write=True) as connection:
        await connection.run_sync(drop)


@pytest.fixture
async def database(empty: SQLDatabase) -> SQLDatabase:
    async with empty.connect(write=True) as connection:
        await connection.run_sync(Base.metadata.create_all)
    return empty


@pytest.fixture
def accounts(database: SQLDatabase) -> Accounts[Member]:
    return Accounts(
        Member, database.session, {"teacher", "student"}, hasher=PasswordHasher(1, 8, 1)
    )


async def words(database: SQLDatabase) -> list[str]:
    async with database.session(read_only=True) as session:
        return sorted(await session.scalars(select(Note.words)))


async def write(database: SQLDatabase, *notes: str) -> None:
    async with database.session() as session:
        session.add_all(Note(words=note) for note in notes)


# --- blocks ------------------------------------------------------------------------------


async def test_a_block_commits_on_leaving(database: SQLDatabase) -> None:
    await write(database, "kept")
    assert await words(database) == ["kept"]


@pytest.mark.parametrize("error", [ValueError, asyncio.CancelledError, KeyboardInterrupt])
async def test_a_block_rolls_back_on_an_exception(
    database: SQLDatabase, error: type[BaseException]
) -> None:
    with pytest.raises(error):
        async with database.session() as session:
            session.add(Note(words="lost"))
            await session.flush()
            raise error
    assert await words(database) == []


async def test_objects_stay_usable_after_the_block(database: SQLDatabase) -> None:
    async with database.session() as session:
        session.add(note := Note(words="kept"))
    assert (note.id, note.words) == (1, "kept")
    async with database.session(read_only=True) as session:
        read = (await session.scalars(select(Note))).one()
    assert read.words == "kept"


async def test_a_nested_block_joins_and_the_outer_one_commits(database: SQLDatabase) -> None:
    with pytest.raises(LookupError):
        async with database.session() as outer:
            async with database.session() as inner:
                inner.add(Note(words="lost"))
            async with database.session(read_only=True) as reading:
                assert outer is inner is reading
            raise LookupError
    assert await words(database) == []


async def test_an_inner_failure_caught_outside_of_it_commits_nothing(
    database: SQLDatabase,
) -> None:
    with pytest.raises(DatabaseError, match="inner block failed with ValueError") as caught:
        async with database.session() as outer:
            outer.add(Note(words="half"))
            try:
                async with database.session():
                    raise ValueError("inner")
            except ValueError:
                pass
            with pytest.raises(DatabaseError, match="after an inner block had failed"):
                async with database.session():
                    pass
    assert isinstance(caught.value.__cause__, ValueError)
    assert await words(database) == []


async def test_a_failed_flush_that_is_caught_commits_nothing(database: SQLDatabase) -> None:
    await write(database, "taken")
    with pytest.raises(DatabaseError, match="nothing was committed"):
        async with database.session() as session:
            session.add(Note(words="half"))
            await session.flush()
            session.add(Note(words="taken"))
            with pytest.raises(IntegrityError):
                await session.flush()
    assert await words(database) == ["taken"]


async def test_a_failed_statement_that_is_caught_is_never_half_a_commit(
    database: SQLDatabase,
) -> None:
    """The server keeps the rest, or the block says that it kept nothing."""
    await write(database, "taken")
    kept = ["other", "taken"]
    try:
        async with database.session() as session:
            await session.execute(insert(Note).values(words="other"))
            with pytest.raises(IntegrityError):
                await session.execute(insert(Note).values(words="taken"))
    except DatabaseError:
        kept = ["taken"]
    assert await words(database) == kept
    assert (kept == ["taken"]) == (database.dialect == "postgresql")


async def test_a_savepoint_survives_its_own_failure(database: SQLDatabase) -> None:
    await write(database, "taken")
    async with database.session() as session:
        session.add(Note(words="other"))
        with pytest.raises(IntegrityError):
            async with session.begin_nested():
                session.add(Note(words="taken"))
    assert await words(database) == ["other", "taken"]


async def test_a_child_task_has_a_session_of_its_own(database: SQLDatabase) -> None:
    async def child() -> None:
        await write(database, "child's")

    with pytest.raises(ValueError, match="parent"):
        async with database.session() as session:
            task = asyncio.create_task(child())
            if database.dialect != "sqlite":
                session.add(Note(words="parent's"))
                await session.flush()
                await task
            raise ValueError("parent")
    await task
    assert await words(database) == ["child's"]


async def test_writing_inside_a_read_only_block_is_an_error(database: SQLDatabase) -> None:
    with pytest.raises(DatabaseError, match="inside a read_only one"):
        async with database.session(read_only=True), database.session():
            pass


async def test_a_read_only_block_cannot_write(database: SQLDatabase) -> None:
    with pytest.raises(DatabaseError, match="cannot be written to"):
        async with database.session(read_only=True) as session:
            await session.execute(insert(Note).values(words="lost"))
    with pytest.raises(DatabaseError, match="changed in a read_only block"):
        async with database.session(read_only=True) as session:
            session.add(Note(words="lost"))
    await write(database, "kept")  # the connection can write again
    assert await words(database) == ["kept"]


async def test_in_block_and_writing_tell_where_the_task_is(database: SQLDatabase) -> None:
    async def elsewhere() -> bool:
        return database.in_block

    assert not database.in_block
    async with database.session(read_only=True):
        assert database.in_block
        assert not database.writing
    async with database.session():
        assert database.writing
        assert not await asyncio.create_task(elsewhere())
    assert not database.writing


async def work_a_little(database: SQLDatabase) -> None:
    async with database.session(read_only=True) as session:
        await session.execute(select(Note))
    async with database.session() as session:
        await session.execute(insert(Note).values(words="half"))
        await session.execute(insert(Note).values(words="other half"))


@pytest.mark.parametrize("times", [1, 2], ids=["once", "twice"])
async def test_cancelled_blocks_leak_no_connection(database: SQLDatabase, times: int) -> None:
    """Cancelled at every step of the loop, or at every few where they are many."""
    taken = steps = 0
    while taken < 3:  # until it is over before its cancellation, some times
        task = asyncio.create_task(work_a_little(database))
        for _ in range(steps):
            await asyncio.sleep(0)
        for _ in range(times):
            task.cancel()
            await asyncio.sleep(0)  # into the tidying up
        await asyncio.wait([task])
        kept = await words(database)
        assert kept in ([], ["half", "other half"])
        if not task.cancelled():
            assert (task.exception(), len(kept)) == (None, 2)
            taken += 1
        if kept:
            async with database.session() as session:
                await session.execute(delete(Note))
        steps += 1 + steps // 12
    async with asyncio.timeout(5):
        await write(database, "kept")
        assert await words(database) == ["kept"]
        for engine in (database.engine, database.reader):
            pool: Any = engine.sync_engine.pool
            while pool.checkedout():  # noqa: ASYNC110 - SQLAlchemy has no event for it
                await asyncio.sleep(0)  # what was cancelled comes back by itself


async def test_rows_are_streamed(database: SQLDatabase) -> None:
    many = [{"words": f"{number:04}"} for number in range(500)]
    async with database.session() as session:
        await session.execute(insert(Note), many)
        rows = await session.stream(select(Note.words).order_by(Note.words))
        assert [row.words async for row in rows] == [each["words"] for each in many]
    with pytest.raises(ZeroDivisionError):  # in the middle of it
        async with database.session(read_only=True) as session:
            async for row in await session.stream(select(Note.words).order_by(Note.words)):
                assert row.words == "0000"
                raise ZeroDivisionError
    async with database.session(read_only=True) as session:
        parts = await session.stream_scalars(select(Note.id).execution_options(yield_per=7))
        assert len([part async for part in parts]) == 500
    await write(database, "after")


async def test_concurrent_blocks_lose_nothing(database: SQLDatabase) -> None:
    await asyncio.gather(*(write(database, str(number)) for number in range(40)))
    assert len(await words(database)) == 40


async def test_connect_has_a_transaction_of_its_own(database: SQLDatabase) -> None:
    async with database.connect(write=True) as connection:
        await connection.execute(insert(Note).values(words="kept"))
    with pytest.raises(ZeroDivisionError):
        async with database.connect(write=True) as connection:
            await connection.execute(insert(Note).values(words="lost"))
            raise ZeroDivisionError
    async with database.connect(write=False) as connection:
        assert await connection.scalar(select(func.count()).select_from(Note)) == 1


async def test_connect_never_waits_for_its_own_block(database: SQLDatabase) -> None:
    async with asyncio.timeout(5), database.session() as session:
        session.add(Note(words="mine"))
        await session.flush()
        async with database.connect(write=False) as connection:
            await connection.execute(select(Note))
        if database.dialect == "sqlite":
            with pytest.raises(DatabaseError, match="wait for itself"):
                async with database.connect(write=True):
                    pass
        else:
            async with database.connect(write=True) as connection:
                await connection.execute(insert(Note).values(words="apart"))


async def test_ping_answers(database: SQLDatabase) -> None:
    await database.ping(timeout=5)


async def test_a_database_opens_again_after_closing(empty: SQLDatabase) -> None:
    await empty.close()
    with pytest.raises(DatabaseError, match="is not open"):
        await empty.ping()
    await empty.open()
    await empty.ping()


# --- migrations --------------------------------------------------------------------------

LIBRARY = ["0001_sessions", "0002_limits_and_reset_tokens"]


async def test_a_generated_revision_goes_up_and_down_and_leaves_no_difference(
    empty: SQLDatabase,
) -> None:
    migrations = empty.migrations
    with pytest.raises(MigrationsPending, match="0001_sessions"):
        await migrations.check()
    assert await migrations.upgrade() == LIBRARY
    path = await migrations.revision("create members")
    assert path is not None
    assert path.name == "0001_create_members.py"
    with pytest.raises(MigrationsPending, match="1 pending migration: 0001_create_members"):
        await migrations.check()
    with pytest.raises(MigrationsPending, match="upgrade` first"):
        await migrations.revision("too early")
    assert await migrations.upgrade() == ["0001_create_members"]
    assert await migrations.upgrade() == []
    await migrations.check()
    assert await migrations.revision("nothing") is None
    assert await migrations.downgrade("base") == ["0001_create_members"]
    with pytest.raises(SQLAlchemyError):
        async with empty.connect(write=False) as connection:
            await connection.execute(text("SELECT * FROM members"))
    async with empty.connect(write=False) as connection:
        await connection.execute(text("SELECT * FROM tornkit_session_key"))


async def test_the_library_makes_the_tables_that_the_session_store_uses(
    empty: SQLDatabase,
) -> None:
    def differences(connection: Connection) -> list[object]:
        context = MigrationContext.configure(
            connection,
            opts={"include_name": lambda name, kind, _: kind != "table" or "session" in name},
        )
        return list(compare_metadata(context, session_tables))

    await empty.migrations.upgrade()
    async with empty.connect(write=False) as connection:
        assert await connection.run_sync(differences) == []


REVISION = '''"""{number}."""

import sqlalchemy as sa
from alembic import op

revision = "{number}_step"
down_revision = {down}


def upgrade() -> None:
    op.create_table("t{number}", sa.Column("id", sa.Integer, primary_key=True))
    {more}


def downgrade() -> None:
    op.drop_table("t{number}")
'''


def revisions(folder: Path, count: int, *, last: str = "pass") -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(1, count + 1):
        down = f'"{number - 1:04d}_step"' if number > 1 else None
        more = last if number == count else "pass"
        text = REVISION.format(number=f"{number:04d}", down=down, more=more)
        (folder / f"{number:04d}_step.py").write_text(text)


async def test_two_that_upgrade_at_once_both_end_well(
    database_url: str, empty: SQLDatabase, tmp_path: Path
) -> None:
    if ":memory:" in database_url:
        pytest.skip("a database in memory belongs to one bind")
    revisions(tmp_path / "migrations" / "default", 4)
    others = [
        Databases({"default": database_url}, migrations=tmp_path / "migrations") for _ in range(3)
    ]
    for other in others:
        await other.open()
    try:
        done = await asyncio.gather(
            empty.migrations.upgrade(),
            *(other.sql["default"].migrations.upgrade() for other in others),
        )
    finally:
        for other in others:
            await other.close()
    expected = [*LIBRARY, *(f"000{n}_step" for n in range(1, 5))]
    assert sorted(step for steps in done for step in steps) == sorted(expected)
    await empty.migrations.check()


async def test_a_failing_revision_keeps_those_before_it(
    empty: SQLDatabase, tmp_path: Path
) -> None:
    revisions(tmp_path / "migrations" / "default", 3, last='op.execute("NONSENSE")')
    with pytest.raises(DatabaseError, match="revision 0003_step failed") as caught:
        await empty.migrations.upgrade()
    assert caught.value.file is not None
    assert "\n" not in str(caught.value)
    status = await empty.migrations.status()
    assert status.pending == ("0003_step",)
    assert await empty.migrations.downgrade("0001") == ["0002_step"]


async def test_steps_down_are_counted(empty: SQLDatabase, tmp_path: Path) -> None:
    revisions(tmp_path / "migrations" / "default", 3)
    await empty.migrations.upgrade("0002_step")
    assert (await empty.migrations.status()).pending == ("0003_step",)
    await empty.migrations.upgrade()
    assert await empty.migrations.downgrade() == ["0003_step"]
    with pytest.raises(DatabaseError, match="only 2 applied"):
        await empty.migrations.downgrade("-3")
    with pytest.raises(DatabaseError, match="no revisions are called '9'"):
        await empty.migrations.downgrade("9")


async def test_a_revision_that_the_code_lacks_is_told(empty: SQLDatabase, tmp_path: Path) -> None:
    folder = tmp_path / "migrations" / "default"
    revisions(folder, 2)
    await empty.migrations.upgrade()
    (folder / "0002_step.py").unlink()
    for attempt in (empty.migrations.check(), empty.migrations.upgrade()):
        with pytest.raises(MigrationsPending, match="'0002_step', which this code does not have"):
            await attempt


# --- accounts ----------------------------------------------------------------------------

PASSWORD = "correct horse"


async def test_an_account_is_created_loaded_and_authenticated(
    accounts: Accounts[Member],
) -> None:
    made = await accounts.create("  Ada@Example.ORG ", PASSWORD, ["teacher"])
    assert (made.email, made.roles, made.is_active) == ("ada@example.org", {"teacher"}, True)
    assert PASSWORD not in made.password_hash
    for found in (
        await accounts.load(str(made.id)),
        await accounts.get("ADA@example.org"),
        await accounts.authenticate("ada@example.org", PASSWORD),
    ):
        assert found is not None
        assert (found.id, found.roles, found.created_at) == (made.id, {"teacher"}, made.created_at)
    assert await accounts.authenticate("ada@example.org", PASSWORD + "x") is None
    assert await accounts.authenticate("eva@example.org", PASSWORD) is None
    assert [user.email for user in await accounts.list()] == ["ada@example.org"]


async def test_of_many_that_create_one_address_at_once_one_wins(
    accounts: Accounts[Member],
) -> None:
    attempts = (accounts.create("ada@example.org", PASSWORD) for _ in range(8))
    done = await asyncio.gather(*attempts, return_exceptions=True)
    assert sorted(type(result).__name__ for result in done) == ["EmailTaken"] * 7 + ["Member"]


async def test_a_taken_address_leaves_the_outer_block_whole(
    accounts: Accounts[Member], database: SQLDatabase
) -> None:
    await accounts.create("ada@example.org", PASSWORD)
    async with database.session() as session:
        session.add(Note(words="kept"))
        with pytest.raises(EmailTaken):
            await accounts.create("ada@example.org", PASSWORD)
    assert await words(database) == ["kept"]


async def test_roles_change_at_once_without_loss(accounts: Accounts[Member]) -> None:
    accounts.known_roles = names = {f"role{number}" for number in range(10)} | {"teacher"}
    await accounts.create("ada@example.org", PASSWORD, ["teacher"])
    await asyncio.gather(
        *(accounts.change_roles("ada@example.org", add=[name]) for name in names),
        *(accounts.change_roles("ada@example.org", add=["role1"]) for _ in range(5)),
        accounts.change_roles("ada@example.org", remove=["teacher"]),
    )
    changed = await accounts.change_roles("ada@example.org", remove=["teacher"])
    assert changed.roles == names - {"teacher"}


async def test_an_unknown_role_is_refused_with_a_near_miss(accounts: Accounts[Member]) -> None:
    with pytest.raises(UnknownRole, match="did you mean 'teacher'"):
        await accounts.create("ada@example.org", PASSWORD, ["techer"])
    assert await accounts.get("ada@example.org") is None
    with pytest.raises(UnknownUser):
        await accounts.change_roles("ada@example.org", add=["teacher"])


async def test_a_role_that_is_gone_can_still_be_taken(accounts: Accounts[Member]) -> None:
    await accounts.create("ada@example.org", PASSWORD, ["teacher", "student"])
    accounts.known_roles = {"student"}
    changed = await accounts.change_roles("ada@example.org", remove=["teacher"])
    assert changed.roles == {"student"}


async def test_set_password_takes_a_user_or_an_address(accounts: Accounts[Member]) -> None:
    user = await accounts.create("ada@example.org", PASSWORD)
    await accounts.set_password(user, "another one")
    assert await accounts.authenticate("ada@example.org", PASSWORD) is None
    await accounts.set_password("ada@example.org", "a third one")
    assert await accounts.authenticate("ada@example.org", "a third one") is not None


async def test_deleting_a_user_deletes_the_roles(
    accounts: Accounts[Member], database: SQLDatabase
) -> None:
    user = await accounts.create("ada@example.org", PASSWORD, ["teacher"])
    async with database.session() as session:
        await session.delete(await session.get_one(Member, user.id))
    async with database.connect(write=False) as connection:
        assert await connection.scalar(text("SELECT count(*) FROM members_roles")) == 0


async def test_accents_make_another_address(accounts: Accounts[Member]) -> None:
    await accounts.create("éva@example.org", PASSWORD)
    assert await accounts.get("eva@example.org") is None
    assert await accounts.authenticate("eva@example.org", PASSWORD) is None
