"""Revision files need no tidying, and their history forms one line."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import (
    CheckConstraint,
    Column,
    Enum,
    ForeignKey,
    Integer,
    MetaData,
    Numeric,
    String,
    Table,
    Text,
    text,
)
from sqlalchemy.dialects import mysql, postgresql

from tornkit.databases import NAMING_CONVENTION, SQLDatabase, metadata_of
from tornkit.databases._history import History
from tornkit.errors import DatabaseError, UserCodeError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    Open = Callable[[MetaData], Any]


@pytest.fixture
async def open_with(tmp_path: Path) -> AsyncIterator[Open]:
    """Open one file again and again, each time with other models."""
    opened: list[SQLDatabase] = []

    async def open_with(metadata: MetaData) -> SQLDatabase:
        database = SQLDatabase(
            "default",
            f"sqlite:///{tmp_path}/site.db",
            migrations=tmp_path / "migrations" / "default",
            metadata=metadata,
        )
        await database.open()
        opened.append(database)
        return database

    yield open_with
    for database in opened:
        await database.close()


def schools(*, later: bool = False) -> MetaData:
    metadata = MetaData(naming_convention=NAMING_CONVENTION)
    extra = [Column("motto", String(20), nullable=False, server_default='it\'s "on"')]
    Table("school", metadata, Column("id", Integer, primary_key=True), *(extra if later else []))
    Table(
        "pupil",
        metadata,
        Column("id", Integer, primary_key=True),
        Column("school_id", ForeignKey("school.id", ondelete="CASCADE"), index=True),
        Column("level", Enum("beginner", "intermediate", "advanced", "expert", "master")),
        Column("balance", Numeric(10, 2), CheckConstraint("balance >= 0", name="balance")),
        Column(
            "document", Text().with_variant(mysql.LONGTEXT(), "mysql") if later else String(50)
        ),
        Column("data", postgresql.JSONB().with_variant(String(99), "sqlite")),
    )
    Table("tornkit_mine", metadata, Column("id", Integer, primary_key=True))
    return metadata


@pytest.mark.slow
@pytest.mark.parametrize("width", [79, 88, 99, 120])
async def test_generated_files_pass_ruff_and_mypy(
    tmp_path: Path, open_with: Open, width: int
) -> None:
    (tmp_path / "pyproject.toml").write_text(
        f'[tool.ruff]\nline-length = {width}\ntarget-version = "py311"\n[tool.ruff.lint]\n'
        'select = ["ASYNC","B","C4","D","E","F","I","N","PT","RUF","SIM","UP","W"]\n'
        'pydocstyle.convention = "google"\nignore = ["D100"]\n'
    )
    first = await open_with(schools())
    await first.migrations.revision('create "schools" \\ and pupils.')
    await first.migrations.upgrade()
    await first.close()
    second = await open_with(schools(later=True))
    await second.migrations.revision("später: a motto")
    await second.migrations.revision("by hand", autogenerate=False)
    folder = tmp_path / "migrations"
    names = sorted(path.name for path in folder.rglob("*.py"))
    assert [name[:7] for name in names] == ["0001_cr", "0002_sp", "0003_by"]
    for command in (
        ["ruff", "check", "--no-cache"],
        ["ruff", "format", "--no-cache", "--diff"],
        ["mypy", "--strict", "--cache-dir", str(tmp_path / ".mypy")],
    ):
        if command[0] == "mypy" and width != 99:
            continue
        done = await asyncio.to_thread(
            subprocess.run,
            [sys.executable, "-m", *command, str(folder)],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
    assert "tornkit_mine" not in "".join(path.read_text() for path in folder.rglob("*.py"))


async def test_altering_a_table_keeps_the_rows_that_point_to_it(open_with: Open) -> None:
    """SQLite alters by copying and dropping; with foreign keys on, the drop would cascade."""
    first = await open_with(schools())
    await first.migrations.revision("create")
    await first.migrations.upgrade()
    async with first.session() as session:
        await session.execute(text("INSERT INTO school (id) VALUES (1)"))
        await session.execute(text("INSERT INTO pupil (id, school_id) VALUES (1, 1)"))
    await first.close()
    second = await open_with(schools(later=True))
    path = await second.migrations.revision("alter")
    source = path.read_text()
    assert "batch_alter_table" in source
    path.write_text(
        source.replace(
            'batch_alter_table("school")', 'batch_alter_table("school", recreate="always")'
        )
    )
    assert 'recreate="always"' in path.read_text()
    await second.migrations.upgrade()
    async with second.session(read_only=True) as session:
        assert await session.scalar(text("SELECT count(*) FROM pupil")) == 1


async def test_a_revision_that_breaks_references_is_rolled_back(open_with: Open) -> None:
    database = await open_with(schools())
    await database.migrations.revision("create")
    await database.migrations.upgrade()
    async with database.session() as session:
        await session.execute(text("INSERT INTO school (id) VALUES (1)"))
        await session.execute(text("INSERT INTO pupil (id, school_id) VALUES (1, 1)"))
    path = await database.migrations.revision("delete", autogenerate=False)
    source = path.read_text().replace("down_rev", "from alembic import op\n\ndown_rev", 1)
    note = '"""Apply the revision."""'
    path.write_text(source.replace(note, note + '\n    op.execute("DELETE FROM school")'))
    with pytest.raises(DatabaseError, match="rows that point nowhere"):
        await database.migrations.upgrade()
    async with database.session(read_only=True) as session:
        assert await session.scalar(text("SELECT count(*) FROM school")) == 1


def step(folder: Path, name: str, down: str | None, body: str = "pass") -> None:
    folder.mkdir(exist_ok=True)
    down_text = f'"{down}"' if down else "None"
    (folder / f"{name}.py").write_text(
        f'revision = "{name}"\ndown_revision = {down_text}\n\n\n'
        f"def upgrade():\n    {body}\n\n\ndef downgrade():\n    pass\n"
    )


def test_two_revisions_after_one_are_an_error(tmp_path: Path) -> None:
    step(tmp_path / "m", "0001_a", None)
    step(tmp_path / "m", "0002_b", "0001_a")
    step(tmp_path / "m", "0002_c", "0001_a")
    with pytest.raises(DatabaseError, match="end in 2 revisions: 0002_b, 0002_c") as caught:
        History("project", tmp_path / "m", "alembic_version", "default").load()
    assert caught.value.check_id == "databases.two-heads"


def test_a_gap_in_the_line_is_an_error(tmp_path: Path) -> None:
    step(tmp_path / "m", "0002_b", "0001_lost")
    with pytest.raises(DatabaseError, match="do not form one line"):
        History("project", tmp_path / "m", "alembic_version", "default").load()


def test_a_revision_that_raises_is_the_users_own_error(tmp_path: Path) -> None:
    step(tmp_path / "m", "0001_a", None)
    (tmp_path / "m" / "0001_a.py").write_text("1 / 0\n")
    with pytest.raises(UserCodeError) as caught:
        History("project", tmp_path / "m", "alembic_version", "default").load()
    assert isinstance(caught.value.__cause__, ZeroDivisionError)
    assert caught.value.file == str(tmp_path / "m" / "0001_a.py")


async def test_a_message_without_words_is_refused(open_with: Open) -> None:
    database = await open_with(schools())
    with pytest.raises(DatabaseError, match="needs a message"):
        await database.migrations.revision("  ", autogenerate=False)


def test_models_are_found_by_bind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "site_a" / "models").mkdir(parents=True)
    (tmp_path / "site_a" / "__init__.py").touch()
    (tmp_path / "site_b").mkdir()
    (tmp_path / "site_b" / "__init__.py").touch()
    base = "from sqlalchemy.orm import DeclarativeBase\nclass Base(DeclarativeBase):\n    "
    (tmp_path / "site_a" / "models" / "__init__.py").write_text(base + "pass\n")
    (tmp_path / "site_a" / "models" / "old.py").write_text(base + 'bind = "archive"\n')
    monkeypatch.syspath_prepend(tmp_path)
    assert sorted(metadata_of("site_a")) == ["archive", "default"]
    assert metadata_of("site_b") == {}
    (tmp_path / "site_b" / "models.py").write_text("import no_such_thing\n")
    with pytest.raises(UserCodeError, match=r"site_b\.models"):
        metadata_of("site_b")
