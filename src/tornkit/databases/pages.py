"""Lists in pages: by number, with a total, or by place, for lists that are long or change.

By number (``page=2``) a page is found by counting rows: it can be jumped to, and costs as
much as all pages before it. By place (``after=token``) it begins behind a row: any page
costs the same, and rows that come or go meanwhile make nobody see one twice or miss one.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar, TypeVarTuple, overload

from sqlalchemy import Row, Select, func, select
from sqlalchemy.exc import DataError, DBAPIError
from sqlalchemy.orm import LoaderCriteriaOption

from tornkit._text import printable
from tornkit.databases._cursors import Place, UnknownValue, decode, encode
from tornkit.databases._ordering import CannotResume, Ordering, ordering_of
from tornkit.databases.page import CursorPage, Page
from tornkit.errors import DatabaseError, PageError

if TYPE_CHECKING:
    from sqlalchemy import Dialect
    from sqlalchemy.ext.asyncio import AsyncSession

__all__ = ["MAX_SIZE", "paginate"]

T = TypeVar("T")
U = TypeVar("U")
Ts = TypeVarTuple("Ts")

MAX_SIZE = 100
"""The most items on a page, unless ``max_size`` says otherwise."""

_Statement = Select[*tuple[Any, ...]]
# PostgreSQL: types that cannot be compared with the column's, and text that is none of them.
_TOKEN_STATES = frozenset(
    {"42883", "42804", "22003", "22007", "22008", "22021", "22P02", "22P03", "22P05"}
)
# MySQL and MariaDB: text, numbers and dates that the column's type cannot be compared with.
_TOKEN_NUMBERS = frozenset(
    {1267, 1270, 1271, 1292, 1300, 1366, 1367, 1411, 1525, 1690, 3140, 3854, 3988, 4078, 4079}
)


@overload
async def paginate(
    session: AsyncSession,
    statement: Select[T],
    *,
    page: int | str,
    size: int | str = ...,
    max_size: int = ...,
) -> Page[T]: ...


@overload
async def paginate(
    session: AsyncSession,
    statement: Select[T, U, *Ts],
    *,
    page: int | str,
    size: int | str = ...,
    max_size: int = ...,
) -> Page[Row[T, U, *Ts]]: ...


@overload
async def paginate(
    session: AsyncSession,
    statement: Select[T],
    *,
    after: str | None = ...,
    before: str | None = ...,
    size: int | str = ...,
    max_size: int = ...,
) -> CursorPage[T]: ...


@overload
async def paginate(
    session: AsyncSession,
    statement: Select[T, U, *Ts],
    *,
    after: str | None = ...,
    before: str | None = ...,
    size: int | str = ...,
    max_size: int = ...,
) -> CursorPage[Row[T, U, *Ts]]: ...


async def paginate(
    session: AsyncSession,
    statement: _Statement,
    *,
    page: int | str | None = None,
    after: str | None = None,
    before: str | None = None,
    size: int | str = 20,
    max_size: int = MAX_SIZE,
) -> Page[Any] | CursorPage[Any]:
    """Return one page of what a statement selects, in its order.

    Items are what ``session.scalars()`` gives where one thing is selected, else rows. Equal
    rows are told apart by primary key, so that the order is always the same; NULL counts as
    less than any value, unless the statement says ``nulls_first()`` or ``nulls_last()``.

    Args:
        session: where to select.
        statement: a `select` with an ``order_by()`` and without a ``limit()``.
        page: the number of a page, from 1; text, as it comes from a query, will do.
        after: the token of the page before, its ``next``; None or "" for the first page.
        before: the token of the page that follows, its ``previous``.
        size: how many items a page has at most; text will do.
        max_size: what a greater ``size`` is cut to.

    Raises:
        PageError: the number, the size or the token is none (400), or the list ends before
            that page (404).
        DatabaseError: the statement has no order, or none by which rows can be told apart.
    """
    chosen: object = statement
    if not isinstance(chosen, Select) or chosen._has_row_limiting_clause:
        raise DatabaseError(
            f"paginate() takes a select() without limit(), not {_shape(statement)}",
            hint="put it into a subquery(), and select from that",
        )
    if page is not None and (after is not None or before is not None):
        raise TypeError("paginate() takes page, or after and before, not both")
    count = min(_positive(size, "size"), max_size)
    dialect = session.get_bind(clause=statement).dialect
    if page is not None:
        return await _numbered(session, statement, dialect, _positive(page, "page"), count)
    if after and before:
        raise PageError(400, "a page begins after one token or ends before one, not both")
    token = after or before
    return await _placed(session, statement, dialect, token, backwards=bool(before), size=count)


def _shape(statement: object) -> str:
    return "one with a limit" if isinstance(statement, Select) else type(statement).__name__


def _positive(given: int | str, what: str) -> int:
    number = given
    if isinstance(given, str):
        digits = given.isascii() and given.isdecimal() and len(given) < 20
        number = int(given) if digits else 0
    if not isinstance(number, int) or number < 1:
        raise PageError(
            400, f"{what} is {printable(given, limit=40)!r}; expected a whole number from 1"
        )
    return number


# --- by number ---------------------------------------------------------------------------


async def _numbered(
    session: AsyncSession, statement: _Statement, dialect: Dialect, number: int, size: int
) -> Page[Any]:
    try:
        ordering = ordering_of(statement, dialect)
        ordered = statement.order_by(None).order_by(*ordering.clauses)
    except CannotResume:
        ordering, ordered = None, statement
    total = (await session.execute(_counting(statement))).scalar_one()
    empty: Page[Any] = Page([], number, size, total)
    if number > empty.pages:
        raise PageError(404, f"page {number} is asked for, and the list has {empty.pages}")
    if not total:
        return empty
    ordered = ordered.limit(size).offset((number - 1) * size)
    items, _ = await _fetch(session, ordered, ordering)
    return replace(empty, items=items)


def _counting(statement: _Statement) -> Select[int]:
    # What a list leaves out everywhere, such as deleted rows, is an option of the outer query.
    everywhere = [
        option for option in statement._with_options if isinstance(option, LoaderCriteriaOption)
    ]
    inner = statement.order_by(None).subquery()
    return select(func.count()).select_from(inner).options(*everywhere)


# --- by place ----------------------------------------------------------------------------


async def _placed(
    session: AsyncSession,
    statement: _Statement,
    dialect: Dialect,
    token: str | None,
    *,
    backwards: bool,
    size: int,
) -> CursorPage[Any]:
    ordering = ordering_of(statement, dialect)
    place = _place_of(token, ordering) if token else None
    direction = ordering.reversed() if backwards else ordering
    ordered = statement.order_by(None).order_by(*direction.clauses)
    if place is not None:
        behind = direction.behind(place)
        grouped = bool(statement._group_by_clauses)
        ordered = ordered.having(behind) if grouped else ordered.where(behind)
    try:
        items, places = await _fetch(session, ordered.limit(size + 1), ordering)
    except (DBAPIError, OverflowError, UnicodeError) as error:
        if place is not None and _is_of_token(error):
            raise _bad_token() from error
        raise
    more = len(items) > size
    items, places = items[:size], places[:size]
    ends = [more, place is not None]
    if backwards:
        items, places, ends = items[::-1], places[::-1], ends[::-1]
    if not places and place is not None:
        # Whoever turns back finds the row that the place was made of.
        places = [replace(place, inclusive=not place.inclusive)]
    first, last = (
        (_token(each, ordering) for each in (places[0], places[-1])) if places else ("", "")
    )
    return CursorPage(items, size, last if ends[0] else None, first if ends[1] else None)


def _place_of(token: str, ordering: Ordering) -> Place:
    try:
        return decode(token, ordering.fingerprint, ordering.dialect.name, len(ordering.keys))
    except ValueError as error:
        raise _bad_token() from error


def _bad_token() -> PageError:
    return PageError(
        400, "the token is none of this list, or of another order; begin at the first page"
    )


def _token(place: Place, ordering: Ordering) -> str:
    try:
        return encode(place, ordering.fingerprint, ordering.dialect.name)
    except UnknownValue as unknown:
        raise DatabaseError(
            f"a list in pages cannot be resumed at a value of type {unknown}",
            hint="order by text, numbers, dates, UUIDs or bytes, or page it by page=",
        ) from None


def _is_of_token(error: BaseException) -> bool:
    """Tell whether a statement failed for a value that only a made-up token can hold."""
    if not isinstance(error, DBAPIError):
        return True
    cause = error.orig
    state = getattr(cause, "sqlstate", None)
    number = next(iter(getattr(cause, "args", ())), None)
    # A driver that refuses a value by itself has no state to tell.
    refused = isinstance(error, DataError) and state is None
    return refused or state in _TOKEN_STATES or number in _TOKEN_NUMBERS


# --- rows --------------------------------------------------------------------------------


async def _fetch(
    session: AsyncSession, statement: _Statement, ordering: Ordering | None
) -> tuple[list[Any], list[Place]]:
    """Return a statement's items, and the place of each where it has an order."""
    keys = ordering.columns if ordering is not None else []
    result = await session.execute(statement.add_columns(*keys))
    if result._unique_filter_state is not None:
        # Collections were joined in; the columns of the order tell all rows apart.
        result = result.unique()
    frozen = result.freeze()
    rows = frozen().all()
    width = len(rows[0]) - len(keys) if rows else 1
    places = [Place(tuple(row[width:])) for row in rows]
    if width == 1:
        return [row[0] for row in rows], places
    return [*frozen().columns(*range(width)).all()], places
