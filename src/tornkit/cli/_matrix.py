"""Print who may pass which door, within `WIDTH` characters."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tornkit.cli._site import echo

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tornkit.routing import AccessRow

__all__ = ["WIDTH", "print_matrix"]

WIDTH = 100


def print_matrix(rows: Sequence[AccessRow]) -> None:
    """Print a block for each module, a line for each route, a column for each visitor.

    Columns are numbered where their names do not fit, and stand below the route where not
    even the numbers do.
    """
    visitors = ["stranger", "signed-in", *(rows[0].roles if rows else ())]
    shown = {row.route: f"  {row.route.path} {','.join(row.route.methods)}" for row in rows}
    width = max(map(len, [*shown.values(), *(_title(row) for row in rows)]), default=0)
    heads = visitors
    if not _fits(width, heads):
        heads = [str(number) for number in range(1, len(visitors) + 1)]
        _print_wrapped(
            [f"{head} {visitor} " for head, visitor in zip(heads, visitors, strict=True)]
        )
        echo("")
    if not _fits(width, heads):
        width = 0
    for module in dict.fromkeys(row.route.module for row in rows):
        block = [row for row in rows if row.route.module == module]
        _print_cells(_title(block[0]), heads, heads, width)
        for row in block:
            passes = [row.public, row.signed_in, *row.roles.values()]
            marks = ["x" if each else "-" for each in passes]
            _print_cells(shown[row.route], marks, heads, width)
        echo("")
    echo("x may pass, - is turned away")


def _title(row: AccessRow) -> str:
    return row.route.module or "(no module)"


def _fits(width: int, heads: Iterable[str]) -> bool:
    return width + sum(len(head) + 2 for head in heads) <= WIDTH


def _print_cells(label: str, cells: Sequence[str], heads: Sequence[str], width: int) -> None:
    """Print cells beside their label, or below it where ``width`` is 0."""
    columns = [cell.ljust(len(head)) for cell, head in zip(cells, heads, strict=True)]
    if width:
        echo("  ".join([label.ljust(width), *columns]).rstrip())
    else:
        echo(label)
        _print_wrapped(columns, indent="    ")


def _print_wrapped(parts: Iterable[str], indent: str = "") -> None:
    line = indent
    for part in parts:
        if line != indent and len(line) + len(part.rstrip()) > WIDTH:
            echo(line.rstrip())
            line = indent
        line += f"{part} "
    echo(line.rstrip())
