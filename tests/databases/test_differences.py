"""What models and a database differ in is found, and nothing else is."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import (
    CHAR,
    JSON,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Computed,
    Connection,
    Date,
    DateTime,
    Double,
    Enum,
    Float,
    ForeignKey,
    Identity,
    Index,
    Integer,
    Interval,
    LargeBinary,
    MetaData,
    Numeric,
    PickleType,
    SmallInteger,
    String,
    Table,
    Text,
    Time,
    Unicode,
    UnicodeText,
    UniqueConstraint,
    Uuid,
    func,
    text,
    true,
)
from sqlalchemy.dialects import postgresql
from sqlalchemy.orm import DeclarativeBase

from tests import services
from tornkit.accounts import UserMixin
from tornkit.databases import NAMING_CONVENTION, Databases, SQLDatabase
from tornkit.errors import MigrationsPending

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from pathlib import Path


class Colour(enum.Enum):
    RED = "r"
    GREEN = "green"


TYPES: list[Any] = [
    *[Integer, SmallInteger, BigInteger, Boolean, Date, Time, Interval, Uuid, JSON, PickleType],
    *[String(50), Unicode(20), CHAR(3), Text, UnicodeText],
    *[Text(length).with_variant(Text(), "postgresql") for length in (50, 20_000)],
    *[Numeric, Numeric(10, 2), Float, Float(24), Float(53), Double],
    *[DateTime, DateTime(timezone=True), Uuid(native_uuid=False)],
    *[LargeBinary, LargeBinary(50), LargeBinary(70_000)],
    Enum(Colour, name="colour"),
    Enum(Colour, native_enum=False, name="colour_text"),
    Enum("x", "y", name="letter", create_constraint=True),
    JSON().with_variant(postgresql.JSONB(), "postgresql"),
    JSON().with_variant(postgresql.ARRAY(Integer), "postgresql"),
    String(40).with_variant(postgresql.INET(), "postgresql"),
]


def everything(dialect: str, convention: dict[str, str] | None) -> MetaData:
    """Return tables with every usual kind of column, default, index and constraint."""
    metadata = MetaData(naming_convention=convention)
    base = type("Base", (DeclarativeBase,), {"metadata": metadata})
    type("User", (base, UserMixin), {"__tablename__": "users"})
    unnamed: dict[str, Any] = {} if convention else {"name": "uq_a_b"}
    Table(
        "parents",
        metadata,
        Column("id", Integer, primary_key=True),
        Column("a", Integer),
        Column("b", Integer),
        UniqueConstraint("a", "b", **unnamed),
    )
    Table(
        "types",
        metadata,
        Column("id", BigInteger().with_variant(Integer(), "sqlite"), primary_key=True),
        *[Column(f"c{n}", kind) for n, kind in enumerate(TYPES)],
    )
    Table(
        "defaults",
        metadata,
        Column("id", Integer, Identity(), primary_key=True),
        Column("a", Integer, server_default="5", nullable=False),
        Column("b", Boolean, server_default=true()),
        Column("c", Boolean, server_default=text("false")),
        Column("d", String(20), server_default="it's"),
        Column("e", DateTime, server_default=func.now()),
        Column("f", Numeric(5, 2), server_default=text("1.50")),
        Column("g", String(20), server_default=""),
        Column("h", Enum(Colour, name="colour"), server_default="RED"),
        Column("i", JSON, nullable=False),
        Column("j", Integer, Computed("a + 1", persisted=True)),
        Column("k", Integer, comment="k's"),
        comment="what's in it",
    )
    keys = Table(
        "keys",
        metadata,
        Column("id", Integer, primary_key=True),
        Column("a_id", ForeignKey("parents.id", ondelete="CASCADE"), index=True),
        Column("b_id", ForeignKey("parents.id", ondelete="SET NULL")),
        Column("slug", String(40), unique=True),
        Column("n", Integer, index=True),
        Column("m", Integer),
        CheckConstraint("m > 0", name="positive"),
        Index("ix_several", "m", "n"),
        Index("ix_several_unique", "n", "slug", unique=True),
        Index("ix_partial", "m", postgresql_where=text("n > 1"), sqlite_where=text("n > 1")),
        Index("ix_down", text("n DESC")),
    )
    Index("ix_downwards", keys.c.m.desc())
    if dialect != "mysql":  # MariaDB has none
        Index("ix_expression", func.lower(keys.c.slug))
    Table(
        "links",
        metadata,
        Column("a", ForeignKey("parents.id"), primary_key=True),
        Column("b", ForeignKey("defaults.id"), primary_key=True),
    )
    if dialect == "postgresql":
        Table("apart", metadata, Column("id", Integer, primary_key=True), schema="other")
    return metadata


@pytest.fixture(scope="module")
def servers() -> Iterator[Callable[[str], str]]:
    with services.fresh_databases() as url_of:
        yield url_of


@pytest.fixture(
    params=[
        "sqlite",
        pytest.param("postgresql", marks=pytest.mark.slow),
        pytest.param("mysql", marks=pytest.mark.slow),
    ]
)
async def database(
    request: pytest.FixtureRequest, servers: Callable[[str], str], tmp_path: Path
) -> AsyncIterator[SQLDatabase]:
    sqlite = f"sqlite:///{tmp_path}/site.db"
    url = sqlite if request.param == "sqlite" else servers(request.param)
    databases = Databases({"default": url}, migrations=tmp_path / "migrations")
    async with databases:
        found = databases.sql["default"]
        yield found
        if found.dialect != "sqlite":
            async with found.connect(write=True) as connection:
                await connection.run_sync(empty)


def empty(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":
        for statement in (
            "DROP SCHEMA public CASCADE",
            "DROP SCHEMA IF EXISTS other CASCADE",
            "CREATE SCHEMA public",
        ):
            connection.execute(text(statement))
        return
    found = MetaData()
    found.reflect(connection)
    found.drop_all(connection)


async def create(database: SQLDatabase, metadata: MetaData) -> None:
    async with database.connect(write=True) as connection:
        if database.dialect == "postgresql":
            await connection.execute(text("CREATE SCHEMA IF NOT EXISTS other"))
        await connection.run_sync(metadata.create_all)
    database.migrations.metadata = metadata


async def execute(database: SQLDatabase, *statements: str) -> None:
    async with database.connect(write=True) as connection:
        for statement in statements:
            await connection.execute(text(statement))


@pytest.mark.parametrize("convention", [NAMING_CONVENTION, None], ids=["named", "unnamed"])
async def test_what_was_made_from_the_models_agrees_with_them(
    database: SQLDatabase, convention: dict[str, str] | None
) -> None:
    await create(database, everything(database.dialect, convention))
    assert await database.migrations.differences() == ()


async def test_what_revisions_made_agrees_with_the_models(database: SQLDatabase) -> None:
    metadata = everything(database.dialect, NAMING_CONVENTION)
    for name in ("other.apart",):  # a schema has to be there before
        if name in metadata.tables:
            metadata.remove(metadata.tables[name])
    migrations = database.migrations
    migrations.metadata = metadata
    await migrations.upgrade()
    await migrations.revision("everything")
    with pytest.raises(MigrationsPending, match="not at its newest") as refused:
        await migrations.differences()
    assert refused.value.check_id == "databases.pending"
    await migrations.upgrade()
    assert await migrations.differences() == ()
    assert await migrations.revision("again") is None


async def test_every_difference_is_one_line(database: SQLDatabase) -> None:
    before, after = MetaData(), MetaData()
    for metadata, length, null in ((before, 50, True), (after, 80, False)):
        Table("parents", metadata, Column("id", Integer, primary_key=True))
        Table(
            "courses",
            metadata,
            Column("id", Integer, primary_key=True),
            Column("title", String(length), nullable=null),
            *([Column("old", Integer)] if null else [Column("new", Integer)]),
            *([] if null else [Column("parent_id", ForeignKey("parents.id", name="fk_p"))]),
            *([] if null else [UniqueConstraint("title", name="uq_title")]),
            Index("ix_old" if null else "ix_new", "title"),
        )
        Table("gone" if null else "added", metadata, Column("id", Integer, primary_key=True))
    await create(database, before)
    database.migrations.metadata = after
    assert await database.migrations.differences() == (
        "column courses.new is not in the database",
        "column courses.old is not in the models",
        "column courses.parent_id is not in the database",
        "column courses.title is VARCHAR(50) in the database, VARCHAR(80) in the models",
        "column courses.title may be NULL in the database, may not be NULL in the models",
        "foreign key of table courses (parent_id) to parents.id is not in the database",
        "index ix_new of table courses (title) is not in the database",
        "index ix_old of table courses (title) is not in the models",
        "table added is not in the database",
        "table gone is not in the models",
        "unique constraint uq_title of table courses (title) is not in the database",
    )


async def test_the_librarys_own_tables_are_none_of_the_projects(database: SQLDatabase) -> None:
    await database.migrations.upgrade()
    await create(database, MetaData())
    assert await database.migrations.differences() == ()
    await execute(
        database, "CREATE TABLE tornkit_more (id INTEGER)", "CREATE TABLE x (id INTEGER)"
    )
    assert await database.migrations.differences() == ("table x is not in the models",)


async def test_a_bind_without_models_agrees(database: SQLDatabase) -> None:
    await execute(database, "CREATE TABLE x (id INTEGER)")
    assert await database.migrations.differences() == ()


async def test_a_type_that_is_renamed_by_the_server_can_still_differ(
    database: SQLDatabase,
) -> None:
    before, after = MetaData(), MetaData()
    for metadata, binary, number in (
        (before, LargeBinary(50), Float(53)),
        (after, LargeBinary(70_000), Integer()),
    ):
        Table("t", metadata, Column("raw", binary), Column("n", number))
    await create(database, before)
    database.migrations.metadata = after
    found = await database.migrations.differences()
    assert any("column t.n is" in line for line in found)
    assert any("column t.raw is" in line for line in found) == (database.dialect == "mysql")
