"""Count the queries that a test causes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, overload

from sqlalchemy import Engine, event

from tornkit.databases.queries import is_query, one_line

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Queries", "count_queries"]

_TABLE = re.compile(r"\b(?:FROM|INTO|UPDATE)\s+([^\s(]+)", re.IGNORECASE)


class Queries(Sequence[str]):
    """The statements that were run while `count_queries` was open, oldest first.

    Printed, they are numbered, one on each line: ``assert len(queries) == 2, str(queries)``.

    Attributes:
        statements: each on one line, without its parameters.
    """

    def __init__(self) -> None:
        self.statements: list[str] = []

    @overload
    def __getitem__(self, index: int) -> str: ...

    @overload
    def __getitem__(self, index: slice) -> list[str]: ...

    def __getitem__(self, index: int | slice) -> str | list[str]:
        return self.statements[index]

    def __len__(self) -> int:
        return len(self.statements)

    def __repr__(self) -> str:
        # pytest shows the beginning and the end of it, as it does of any long repr.
        return f"<{len(self)} queries: {', '.join(map(_brief, self.statements))}>"

    def __str__(self) -> str:
        lines = (f"{n}. {statement}" for n, statement in enumerate(self.statements, 1))
        return "\n".join((f"{len(self)} queries", *lines))


@contextmanager
def count_queries() -> Iterator[Queries]:
    """Collect the statements that anything in this process runs, on any SQL database.

    So those of the requests that the test client sends are among them, and those of sessions
    and accounts. Beginning and ending transactions does not count, ``executemany`` as one.
    """
    queries = Queries()

    def note(connection: Any, cursor: Any, statement: str, *rest: Any) -> None:
        if is_query(statement):
            queries.statements.append(one_line(statement, limit=100_000))

    event.listen(Engine, "before_cursor_execute", note)
    try:
        yield queries
    finally:
        event.remove(Engine, "before_cursor_execute", note)


def _brief(statement: str) -> str:
    table = _TABLE.search(statement)
    return f"{statement.partition(' ')[0]} {table[1]}" if table else statement[:30]
