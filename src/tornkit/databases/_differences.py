"""Say in words where a database and the models differ."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tornkit._text import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from sqlalchemy import Dialect

__all__ = ["worded"]


def worded(found: Iterable[Any], dialect: Dialect) -> tuple[str, ...]:
    """Return Alembic's differences, each in one line, sorted.

    They are what would have to be done: ``("add_column", …)`` is a column that the database
    lacks. Changes of one column come as a list.
    """
    lines = {
        _worded(each, dialect)
        for group in found
        for each in (group if isinstance(group, list) else [group])
    }
    return tuple(sorted(lines))


def _worded(difference: tuple[Any, ...], dialect: Dialect) -> str:
    verb, *parts = difference
    if verb.startswith("modify_"):
        schema, table, column, _, old, new = parts
        change = _CHANGES.get(verb, _other)
        return f"column {_name(schema, table)}.{column} {change(old, new, dialect)}"
    doing, _, kind = verb.partition("_")
    where = {"add": "is not in the database", "remove": "is not in the models"}
    subject = _SUBJECTS.get(kind, _of_table)
    return f"{subject(kind, parts)} {where.get(doing, 'differs')}"


def _name(schema: str | None, table: str) -> str:
    return f"{schema}.{table}" if schema else table


def _table(kind: str, parts: list[Any]) -> str:
    return f"table {parts[0].fullname}"


def _column(kind: str, parts: list[Any]) -> str:
    schema, table, column = parts
    return f"column {_name(schema, table)}.{column.name}"


def _index(kind: str, parts: list[Any]) -> str:
    index = parts[0]
    unique = "unique " if index.unique else ""
    return f"{unique}index {index.name} of table {index.table.fullname} ({_columns(index)})"


def _unique(kind: str, parts: list[Any]) -> str:
    constraint = parts[0]
    name = f" {constraint.name}" if constraint.name else ""
    return f"unique constraint{name} of table {constraint.table.fullname} ({_columns(constraint)})"


def _foreign_key(kind: str, parts: list[Any]) -> str:
    key = parts[0]
    targets = ", ".join(element.target_fullname for element in key.elements)
    rules = [f" on delete {key.ondelete}" if key.ondelete else ""]
    rules.append(f" on update {key.onupdate}" if key.onupdate else "")
    return (
        f"foreign key of table {key.parent.fullname} ({', '.join(key.column_keys)}) to {targets}"
        f"{''.join(rules)}"
    )


def _of_table(kind: str, parts: list[Any]) -> str:
    return f"{kind.replace('_', ' ')} {printable(parts[0])}"


def _columns(holder: Any) -> str:
    return ", ".join(column.name for column in holder.columns)


def _type(old: Any, new: Any, dialect: Dialect) -> str:
    return (
        f"is {old.compile(dialect=dialect)} in the database,"
        f" {new.compile(dialect=dialect)} in the models"
    )


def _nullable(old: Any, new: Any, dialect: Dialect) -> str:
    words = {True: "may be NULL", False: "may not be NULL"}
    return f"{words[bool(old)]} in the database, {words[bool(new)]} in the models"


def _other(old: Any, new: Any, dialect: Dialect) -> str:
    return f"is {printable(old)} in the database, {printable(new)} in the models"


_SUBJECTS: dict[str, Callable[[str, list[Any]], str]] = {
    "table": _table,
    "column": _column,
    "index": _index,
    "constraint": _unique,
    "fk": _foreign_key,
}
_CHANGES: dict[str, Callable[[Any, Any, Dialect], str]] = {
    "modify_type": _type,
    "modify_nullable": _nullable,
}
