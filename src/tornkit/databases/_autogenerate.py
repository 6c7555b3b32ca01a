"""Find where the models and the database differ, as Python statements or in words.

Compared are tables, columns with their types and whether they may be NULL, indexes, unique
constraints and foreign keys. What a server does not give back as it was written is left
alone: defaults, check constraints, the members of enums, indexes over expressions.
"""

from __future__ import annotations

import warnings
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from alembic.autogenerate import produce_migrations, render_python_code
from alembic.runtime.migration import MigrationContext
from sqlalchemy import REAL, Column, Double, Float, Index, LargeBinary, Text
from sqlalchemy.dialects import mysql
from sqlalchemy.exc import SAWarning
from sqlalchemy.types import TypeDecorator

from tornkit.databases._differences import worded

if TYPE_CHECKING:
    from collections.abc import Iterator

    from alembic.autogenerate.api import AutogenContext
    from alembic.operations.ops import MigrationScript
    from sqlalchemy import Connection, MetaData
    from sqlalchemy.types import TypeEngine

__all__ = ["Changes", "compare", "differences"]

LIBRARY_PREFIX = "tornkit_"

_UNSEEN = ("Skipped unsupported reflection of expression", "autogenerate skipping metadata-spec")
# The largest length that each of MySQL's kinds of text and bytes holds.
_SIZES = (
    (2**8 - 1, mysql.TINYTEXT, mysql.TINYBLOB),
    (2**16 - 1, mysql.TEXT, mysql.BLOB),
    (2**24 - 1, mysql.MEDIUMTEXT, mysql.MEDIUMBLOB),
    (2**32 - 1, mysql.LONGTEXT, mysql.LONGBLOB),
)


@dataclass(frozen=True, slots=True)
class Changes:
    """The statements of one revision, as Alembic words them."""

    up: str
    down: str


def compare(connection: Connection, metadata: MetaData, *, version_table: str) -> Changes | None:
    """Compare the database with the tables; None where they agree.

    The library's own tables are left alone.
    """
    context = _context(connection, metadata, version_table)
    script = _produce(context, metadata)
    up, down = script.upgrade_ops, script.downgrade_ops
    if up is None or down is None or up.is_empty():
        return None
    common: dict[str, Any] = {
        "render_as_batch": context.opts["render_as_batch"],
        "render_item": _render_item,
        "migration_context": context,
    }
    # What Alembic adds for readers of its own templates says nothing here.
    up_code, down_code = (
        render_python_code(operations, **common).replace(
            ", schema=None) as batch_op", ") as batch_op"
        )
        for operations in (up, down)
    )
    return Changes(up_code, down_code)


def differences(
    connection: Connection, metadata: MetaData, *, version_table: str
) -> tuple[str, ...]:
    """Return what `compare` finds, each in one line; nothing where they agree."""
    context = _context(connection, metadata, version_table)
    found = _produce(context, metadata).upgrade_ops
    return worded(found.as_diffs() if found is not None else (), connection.dialect)


def _context(connection: Connection, metadata: MetaData, version_table: str) -> MigrationContext:
    schemas = {table.schema for table in metadata.tables.values()}
    options = {
        "version_table": version_table,
        "compare_type": _differs,
        "include_name": partial(_is_ours, schemas={None, *schemas}),
        "include_object": _is_object_ours,
        "include_schemas": bool(schemas - {None}),
        "render_as_batch": connection.dialect.name == "sqlite",
    }
    return MigrationContext.configure(connection, opts=options)


def _produce(context: MigrationContext, metadata: MetaData) -> MigrationScript:
    with _without_warnings():
        return produce_migrations(context, metadata)


@contextmanager
def _without_warnings() -> Iterator[None]:
    """Keep still what Alembic warns of and nobody can mend: indexes that it cannot see."""
    with warnings.catch_warnings():
        for message in _UNSEEN:
            warnings.filterwarnings("ignore", message=message, category=SAWarning)
            warnings.filterwarnings("ignore", message=message, category=UserWarning)
        yield


def _is_ours(
    name: str | None, kind: str, parents: Any, *, schemas: set[str | None] | None = None
) -> bool:
    if kind == "schema":
        return schemas is None or name in schemas
    return kind != "table" or not (name or "").startswith(LIBRARY_PREFIX)


def _is_object_ours(thing: Any, name: str | None, kind: str, reflected: bool, to: Any) -> bool:
    if isinstance(thing, Index) and to is not None and not reflected:
        # The server has an index of that name; the expressions in it cannot be compared.
        return all(isinstance(part, Column) for part in thing.expressions)
    return _is_ours(name, kind, None)


def _differs(
    context: MigrationContext,
    inspected: Column[Any],
    declared: Column[Any],
    found: TypeEngine[Any],
    wanted: TypeEngine[Any],
) -> bool | None:
    """Return False for types that a server renames, None where Alembic is to judge."""
    kind = wanted.dialect_impl(context.dialect)
    while isinstance(kind, TypeDecorator):
        kind = kind.impl_instance.dialect_impl(context.dialect)
    if isinstance(kind, Float) and kind.precision is not None:
        same = isinstance(found, Double if kind.precision > 24 else REAL | mysql.FLOAT)
        return False if same else None
    length = getattr(kind, "length", None)
    if context.dialect.name not in ("mysql", "mariadb") or length is None:
        return None
    if not isinstance(kind, Text | LargeBinary):
        return None
    size = 4 * length if isinstance(kind, Text) else length  # of utf8mb4
    _, text, blob = next((each for each in _SIZES if size <= each[0]), _SIZES[-1])
    return False if isinstance(found, text if isinstance(kind, Text) else blob) else None


def _render_item(kind: str, item: Any, context: AutogenContext) -> str | bool:
    """Write the library's own column types as what they are in the database."""
    if kind != "type" or not isinstance(item, TypeDecorator):
        return False
    if type(item).__module__.partition(".")[0] != "tornkit":
        return False
    return f"sa.{item.impl_instance!r}"
