"""The order of a statement's rows, made total: read, completed, reversed, and resumed at.

An order that leaves two rows equal is completed by what tells the rows apart: the primary
keys of the tables selected from, the groups of a ``GROUP BY``, the columns of a
``DISTINCT``. Values are compared as the database holds them, untouched by the conversions
of SQLAlchemy's types, for these may lose digits; so no row falls between two pages.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    ColumnElement,
    Double,
    Enum,
    Float,
    Label,
    TextClause,
    TypeDecorator,
    UnaryExpression,
    and_,
    bindparam,
    cast,
    false,
    literal_column,
    or_,
    tuple_,
    type_coerce,
)
from sqlalchemy.dialects.mysql import SET
from sqlalchemy.sql import operators
from sqlalchemy.sql.elements import Over, _label_reference, _textual_label_reference
from sqlalchemy.sql.visitors import iterate
from sqlalchemy.types import UserDefinedType

from tornkit._text import printable
from tornkit.databases._uniqueness import is_shown, sources, unique_columns
from tornkit.errors import DatabaseError

if TYPE_CHECKING:
    from sqlalchemy import Dialect, Select
    from sqlalchemy.types import TypeEngine

    from tornkit.databases._cursors import Place

__all__ = ["CannotResume", "Ordering", "ordering_of"]

_MYSQL = ("mysql", "mariadb")


class CannotResume(DatabaseError):
    """The order of a statement does not tell where one of its rows stands."""


class _Raw(UserDefinedType[Any]):
    """A value as the driver gives and takes it."""

    cache_ok = True


@dataclass(frozen=True, slots=True)
class _Key:
    """One column of an order.

    ``sorted`` is what ``ORDER BY`` has, ``compared`` what a row is compared by, and
    ``selected`` what gives the value to compare with.
    """

    sorted: ColumnElement[Any]
    compared: ColumnElement[Any]
    selected: ColumnElement[Any]
    descending: bool
    nulls_first: bool
    nullable: bool

    def reversed(self) -> _Key:
        return replace(self, descending=not self.descending, nulls_first=not self.nulls_first)

    def clauses(self, dialect: str) -> list[ColumnElement[Any]]:
        """Return what ``ORDER BY`` needs so that NULL stands in its place."""
        clause = self.sorted.desc() if self.descending else self.sorted.asc()
        # To PostgreSQL NULL is more than any value, to the others less.
        default = self.descending if dialect == "postgresql" else not self.descending
        if not self.nullable or self.nulls_first == default:
            return [clause]
        if dialect in _MYSQL:
            absent = self.sorted.is_(None)
            return [absent.desc() if self.nulls_first else absent.asc(), clause]
        return [clause.nulls_first() if self.nulls_first else clause.nulls_last()]

    def is_at(self, value: Any) -> ColumnElement[bool]:
        """Return the condition that a row has this value."""
        return self.compared.is_(None) if value is None else self.compared == _bound(value)

    def is_past(self, value: Any) -> ColumnElement[bool] | None:
        """Return the condition that a row stands behind all that have this value, if one can."""
        if value is None:
            return self.compared.is_not(None) if self.nulls_first else None
        bound = _bound(value)
        past = self.compared < bound if self.descending else self.compared > bound
        if self.nullable and not self.nulls_first:
            return or_(past, self.compared.is_(None))
        return past

    def is_not_before(self, value: Any) -> ColumnElement[bool] | None:
        """Return what an index can begin to read at, or None where it has no such place."""
        if value is None or (self.nullable and not self.nulls_first):
            return None
        bound = _bound(value)
        return self.compared <= bound if self.descending else self.compared >= bound


@dataclass(frozen=True)
class Ordering:
    """A total order of a statement's rows."""

    keys: tuple[_Key, ...]
    dialect: Dialect

    @property
    def clauses(self) -> list[ColumnElement[Any]]:
        """What ``ORDER BY`` is to have."""
        return [clause for key in self.keys for clause in key.clauses(self.dialect.name)]

    @property
    def columns(self) -> list[ColumnElement[Any]]:
        """What a row has to bring so that its place is known."""
        return [key.selected.label(f"tornkit_key_{n}") for n, key in enumerate(self.keys)]

    def reversed(self) -> Ordering:
        """Return the same rows' order from the last to the first."""
        return replace(self, keys=tuple(key.reversed() for key in self.keys))

    def behind(self, place: Place) -> ColumnElement[bool]:
        """Return the condition that a row stands behind a place."""
        condition: ColumnElement[bool] | None = None
        for key, value in zip(reversed(self.keys), reversed(place.values), strict=True):
            ways = [key.is_past(value)]
            if condition is not None:
                ways.append(and_(key.is_at(value), condition))
            elif place.inclusive:
                ways.append(key.is_at(value))
            behind = or_(false(), *(way for way in ways if way is not None))
            start = key.is_not_before(value)
            condition = behind if start is None else and_(start, behind)
        return false() if condition is None else condition

    @cached_property
    def fingerprint(self) -> bytes:
        """What tells this order from others; the same in every process."""
        compiled = tuple_(*(key.sorted for key in self.keys)).compile(dialect=self.dialect)
        directions = [(key.descending, key.nulls_first) for key in self.keys]
        said = f"{self.dialect.name}\n{compiled}\n{compiled.params}\n{directions}"
        return blake2b(said.encode("utf-8", "surrogatepass"), digest_size=32).digest()


def ordering_of(statement: Select[*tuple[Any, ...]], dialect: Dialect) -> Ordering:
    """Return the order of a statement's rows, completed until no two rows are equal in it.

    Raises:
        DatabaseError: it has none, or by what rows differ in that ``DISTINCT`` makes one of.
        CannotResume: it cannot be read, or not be completed.
    """
    given = [_read(clause, statement) for clause in statement._order_by_clauses]
    if not given:
        raise DatabaseError(
            "a list in pages needs an order: the statement has no order_by()",
            hint="order it, as in select(Course).order_by(Course.title)",
        )
    if statement._distinct and not statement._distinct_on:
        _check_distinct(statement, [expression for expression, _, _ in given])
    tables = sources(statement)
    more = unique_columns(statement, tables, [expression for expression, _, _ in given])
    if more is None:
        raise CannotResume(
            "a list in pages needs an order in which no two rows are equal, and this statement"
            " selects from something without a primary key",
            hint="give it a group_by() or distinct(), or page it by page=",
        )
    last_descending = given[-1][1]
    given += [(expression, last_descending, None) for expression in more]
    keys = (
        _key(expression, descending, nulls_first, tables.may_be_null(expression), dialect)
        for expression, descending, nulls_first in given
    )
    return Ordering(tuple(keys), dialect)


def _check_distinct(statement: Select[*tuple[Any, ...]], given: list[ColumnElement[Any]]) -> None:
    """Refuse an order that would have to be selected too, and so make rows differ."""
    for expression in given:
        if not is_shown(expression, statement):
            raise DatabaseError(
                f"a list in pages of DISTINCT rows is ordered by {printable(expression)}, which"
                " they do not show",
                hint="select it too, or use group_by() in place of distinct()",
            )


_Read = tuple[ColumnElement[Any], bool, bool | None]


def _read(clause: Any, statement: Select[*tuple[Any, ...]]) -> _Read:
    """Return the expression, whether it descends, and where NULL is said to stand."""
    descending, nulls_first = False, None
    while True:
        if isinstance(clause, _textual_label_reference):
            clause = _labelled(clause.element, statement)
        elif isinstance(clause, UnaryExpression) and clause.modifier in _MODIFIERS:
            if clause.modifier is operators.desc_op:
                descending = not descending
            elif clause.modifier is not operators.asc_op:
                nulls_first = clause.modifier is operators.nulls_first_op
            clause = clause.element
        elif isinstance(clause, _label_reference | Label):
            clause = clause.element
        else:
            break
    readable = isinstance(clause, ColumnElement) and not isinstance(clause, TextClause)
    if not readable or any(isinstance(part, Over) for part in iterate(clause)):
        raise CannotResume(
            f"a list in pages cannot be resumed by order_by({printable(clause, limit=80)})",
            hint="order by columns and expressions of them; put window functions and unions into"
            " a subquery() first",
        )
    return clause, descending, nulls_first


_MODIFIERS = frozenset(
    {operators.desc_op, operators.asc_op, operators.nulls_first_op, operators.nulls_last_op}
)


def _labelled(name: str, statement: Select[*tuple[Any, ...]]) -> Any:
    found = statement.selected_columns.get(name)
    if found is None:
        raise DatabaseError(
            f"order_by({printable(name)!r}): no selected column has that name",
            hint="order by the column itself",
        )
    return found


def _key(
    expression: ColumnElement[Any],
    descending: bool,
    nulls_first: bool | None,
    nullable: bool,
    dialect: Dialect,
) -> _Key:
    compared = selected = type_coerce(expression, _Raw())
    kind = _kind(expression.type, dialect)
    if dialect.name in _MYSQL and _is_numbered(kind):
        # Sorted by its number, it would be compared as text.
        compared = selected = type_coerce(expression.op("+")(literal_column("0")), _Raw())
    elif dialect.name in _MYSQL and isinstance(kind, Float):
        # A float of 4 bytes is shown with fewer digits than it has.
        selected = type_coerce(expression.op("+")(literal_column("0e0")), _Raw())
    elif dialect.name == "postgresql" and isinstance(kind, Float):
        selected = type_coerce(cast(expression, Double()), _Raw())
    return _Key(
        sorted=expression,
        compared=compared,
        selected=selected,
        descending=descending,
        # NULL counts as less than any value, unless the statement says otherwise.
        nulls_first=not descending if nulls_first is None else nulls_first,
        nullable=nullable,
    )


def _kind(kind: TypeEngine[Any], dialect: Dialect) -> TypeEngine[Any]:
    """Return a column's type as this database has it."""
    found = kind.dialect_impl(dialect)
    while isinstance(found, TypeDecorator):
        found = found.impl_instance.dialect_impl(dialect)
    return found


def _is_numbered(kind: TypeEngine[Any]) -> bool:
    return isinstance(kind, SET) or (isinstance(kind, Enum) and bool(kind.native_enum))


def _bound(value: Any) -> ColumnElement[Any]:
    return bindparam(None, value, type_=_Raw(), unique=True)
