"""Find what the models have and the database lacks, as Python statements."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from alembic.autogenerate import produce_migrations, render_python_code
from alembic.runtime.migration import MigrationContext
from sqlalchemy.types import TypeDecorator

if TYPE_CHECKING:
    from alembic.autogenerate.api import AutogenContext
    from sqlalchemy import Connection, MetaData

__all__ = ["Changes", "compare"]

LIBRARY_PREFIX = "tornkit_"


@dataclass(frozen=True, slots=True)
class Changes:
    """The statements of one revision, as Alembic words them."""

    up: str
    down: str


def compare(connection: Connection, metadata: MetaData, *, version_table: str) -> Changes | None:
    """Compare the database with the tables; None where they agree.

    The library's own tables are left alone.
    """
    batch = connection.dialect.name == "sqlite"
    options = {
        "version_table": version_table,
        "compare_type": True,
        "include_name": _is_ours,
        "include_object": _is_object_ours,
        "render_as_batch": batch,
    }
    context = MigrationContext.configure(connection, opts=options)
    script = produce_migrations(context, metadata)
    up, down = script.upgrade_ops, script.downgrade_ops
    if up is None or down is None or up.is_empty():
        return None
    common: dict[str, Any] = {
        "render_as_batch": batch,
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


def _is_ours(name: str | None, kind: str, parents: Any) -> bool:
    return kind != "table" or not (name or "").startswith(LIBRARY_PREFIX)


def _is_object_ours(thing: Any, name: str | None, kind: str, reflected: bool, to: Any) -> bool:
    return _is_ours(name, kind, None)


def _render_item(kind: str, item: Any, context: AutogenContext) -> str | bool:
    """Write the library's own column types as what they are in the database."""
    if kind != "type" or not isinstance(item, TypeDecorator):
        return False
    if type(item).__module__.partition(".")[0] != "tornkit":
        return False
    return f"sa.{item.impl_instance!r}"
