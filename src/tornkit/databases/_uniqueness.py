"""What tells the rows of a statement apart, read from the tables that it selects from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    Alias,
    Column,
    ColumnClause,
    ColumnElement,
    Index,
    Join,
    Label,
    Select,
    Table,
    UniqueConstraint,
)
from sqlalchemy.orm import lazyload
from sqlalchemy.sql import operators
from sqlalchemy.sql.elements import (
    BinaryExpression,
    BooleanClauseList,
    ClauseList,
    _textual_label_reference,
)
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.sql.selectable import CTE, Subquery
from sqlalchemy.sql.visitors import iterate

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from sqlalchemy import FromClause

__all__ = ["Sources", "is_shown", "sources", "unique_columns"]

_Statement = Select[*tuple[Any, ...]]
_Columns = list[Any]  # of column elements, of whichever of SQLAlchemy's kinds


@dataclass(frozen=True, slots=True)
class Sources:
    """What a statement selects from, and which of it a join may leave empty."""

    members: tuple[FromClause, ...]
    missing: frozenset[FromClause]

    def may_be_null(self, expression: ColumnElement[Any]) -> bool:
        """Tell whether a row may have NULL there; only a table's own column may not."""
        if not isinstance(expression, Column) or not isinstance(_real(expression.table), Table):
            return True
        return bool(expression.nullable) or expression.table in self.missing


def sources(statement: _Statement) -> Sources:
    """Return what a statement selects from, without what is loaded along with its rows."""
    plain = statement._generate()
    plain._with_options = ()
    members = tuple(plain.order_by(None).options(lazyload("*")).get_final_froms())
    return Sources(members, frozenset(each for source in members for each in _missing(source)))


def unique_columns(
    statement: _Statement, tables: Sources, known: Sequence[ColumnElement[Any]]
) -> _Columns | None:
    """Return what has to be added to ``known`` so that no two rows are equal in them.

    None where nothing tells them apart for certain.
    """
    found = _unique(statement, tables, known)
    if found is None:
        return None
    have, added = set(known), []
    for column in found:
        if column not in have:
            have.add(column)
            added.append(column)
    return added


def _unique(
    statement: _Statement, tables: Sources, known: Iterable[ColumnElement[Any]]
) -> _Columns | None:
    if statement._distinct_on:
        return None
    have = set(known)
    if statement._distinct:
        return _distinct([*statement.selected_columns], have)
    if statement._group_by_clauses:
        return _groups(statement)
    return _of_all(tables.members, have)


def _groups(statement: _Statement) -> _Columns | None:
    found: _Columns = []
    for clause in statement._group_by_clauses:
        parts = clause.clauses if isinstance(clause, ClauseList) else [clause]
        for part in parts:
            column: Any = part
            if isinstance(part, _textual_label_reference):
                column = statement.selected_columns.get(part.element)
            if isinstance(column, Label):
                column = column.element
            if not isinstance(column, ColumnElement):
                return None
            found.append(column)
    return found


def _distinct(columns: _Columns, have: set[ColumnElement[Any]]) -> _Columns:
    """Return columns that tell distinct rows apart: of a table, one of its keys is enough."""
    plain = _plain(columns)
    selected, found = set(plain), list[ColumnElement[Any]]()
    done: set[Any] = set()
    for column in plain:
        table = getattr(column, "table", None)
        if table is None or table not in done:
            keys = _candidates(table) if table is not None else []
            inside = [key for key in keys if selected.issuperset(key)]
            if not inside:
                found.append(column)
                continue
            done.add(table)
            found += _best(inside, have)
    return found


def _plain(columns: Iterable[Any]) -> _Columns:
    return [column.element if isinstance(column, Label) else column for column in columns]


def is_shown(expression: ColumnElement[Any], statement: _Statement) -> bool:
    """Tell whether rows of a statement that show the same are equal in an expression.

    It is one of those selected, or made of their columns, or of those of a table whose key
    is selected.
    """
    plain = _plain(statement.selected_columns)
    if any(expression.compare(column) for column in plain):
        return True
    selected = {column for column in plain if isinstance(column, ColumnClause)}
    parts = [*iterate(expression)]
    if any(isinstance(part, FunctionElement) and not _columns_of(part) for part in parts):
        return False  # random() differs each time
    columns = _columns_of(expression)
    return bool(columns) and all(_follows(column, selected) for column in columns)


def _columns_of(expression: Any) -> _Columns:
    return [part for part in iterate(expression) if isinstance(part, ColumnClause)]


def _follows(column: ColumnClause[Any], selected: set[Any]) -> bool:
    """Tell whether a column has one value for each combination of those selected."""
    if column in selected:
        return True
    table = column.table
    return table is not None and any(selected.issuperset(key) for key in _candidates(table))


def _of_all(members: Iterable[FromClause], have: set[ColumnElement[Any]]) -> _Columns | None:
    found: _Columns = []
    for each in members:
        columns = _of(each, have)
        if columns is None:
            return None
        found += columns
    return found


def _of(source: FromClause, have: set[ColumnElement[Any]]) -> _Columns | None:
    if not isinstance(source, Join):
        keys = _candidates(source)
        return _best(keys, have) if keys else None
    left = _of(source.left, have)
    if not source.full and source.onclause is not None and _pins(source.onclause, source.right):
        return left
    right = _of(source.right, have)
    return None if left is None or right is None else left + right


def _best(keys: list[_Columns], have: set[ColumnElement[Any]]) -> _Columns:
    """Return the first key that is there already, else the first of all."""
    return next((key for key in keys if have.issuperset(key)), keys[0])


def _candidates(source: FromClause) -> list[_Columns]:
    """Return the sets of columns of which no two rows have the same, the primary key first."""
    table = _real(source)
    keys: list[_Columns] = []
    if isinstance(table, Table):
        keys = [[*key] for key in _keys_of(table)]
    elif isinstance(table, Subquery | CTE) and isinstance(table.element, Select):
        unique = unique_columns(table.element, sources(table.element), [])
        keys = [unique] if unique else []
    shown = ([source.corresponding_column(column) for column in key] for key in keys)
    return [
        [column for column in key if column is not None]
        for key in shown
        if key and all(column is not None for column in key)
    ]


def _keys_of(table: Table) -> Iterator[Sequence[Column[Any]]]:
    yield [*table.primary_key]
    for each in (*table.constraints, *table.indexes):
        if isinstance(each, UniqueConstraint) or (isinstance(each, Index) and each.unique):
            whole = len(each.columns) == len(getattr(each, "expressions", each.columns))
            partial = any(name.endswith("_where") for name in each.kwargs)
            if whole and not partial and not any(column.nullable for column in each.columns):
                yield [*each.columns]


def _pins(onclause: Any, right: FromClause) -> bool:
    """Tell whether a join finds at most one row on its right for each one on its left."""
    fixed = set(_fixed(onclause, right))
    return any(fixed.issuperset(key) for key in _candidates(right))


def _fixed(clause: Any, right: FromClause) -> Iterator[ColumnElement[Any]]:
    if isinstance(clause, BooleanClauseList) and clause.operator is operators.and_:
        for part in clause.clauses:
            yield from _fixed(part, right)
    elif isinstance(clause, BinaryExpression) and clause.operator is operators.eq:
        for column, other in ((clause.left, clause.right), (clause.right, clause.left)):
            if _is_of(right, column) and not any(_is_of(right, part) for part in iterate(other)):
                yield column


def _is_of(source: FromClause, part: object) -> bool:
    return isinstance(part, ColumnClause) and source.c.contains_column(part)


def _missing(source: FromClause, *, missing: bool = False) -> Iterator[FromClause]:
    """Yield what a row may have no row of, so that all its columns are NULL."""
    if isinstance(source, Join):
        yield from _missing(source.left, missing=missing or source.full)
        yield from _missing(source.right, missing=missing or source.isouter or source.full)
    elif missing:
        yield source


def _real(source: Any) -> Any:
    """Return what an alias stands for."""
    while isinstance(source, Alias):
        source = source.element
    return source
