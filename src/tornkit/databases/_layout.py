"""Lay Python statements out as ruff's formatter does, for what revisions are made of.

That is calls with their arguments, lists, tuples, dicts, names and constants, and ``with``
blocks around them; anything else is kept on its line.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Layout"]

_INDENT = "    "


class Layout:
    """Writes statements in lines of at most ``width`` characters where they can be broken."""

    def __init__(self, width: int) -> None:
        self.width = width

    def statements(self, body: Iterable[ast.stmt], depth: int) -> str:
        """Return the statements' lines, indented ``depth`` times."""
        lines: list[str] = []
        after_block = False
        for statement in body:
            if isinstance(statement, ast.Pass):
                continue
            if after_block:
                lines.append("")
            lines += self._statement(statement, depth)
            after_block = isinstance(statement, ast.With)
        return "".join(f"{line}\n" for line in lines)

    def _statement(self, statement: ast.stmt, depth: int) -> list[str]:
        indent = _INDENT * depth
        if isinstance(statement, ast.Expr):
            return self._broken(statement.value, depth, "", "")
        if isinstance(statement, ast.With):
            items = ", ".join(
                _flat(item.context_expr)
                + (f" as {_flat(item.optional_vars)}" if item.optional_vars else "")
                for item in statement.items
            )
            inner = self.statements(statement.body, depth + 1).splitlines()
            return [f"{indent}with {items}:", *inner]
        return [indent + line for line in ast.unparse(statement).splitlines()]

    def _broken(self, node: ast.expr, depth: int, before: str, after: str) -> list[str]:
        """Return the lines of an expression between two pieces of text."""
        indent = _INDENT * depth
        whole = f"{indent}{before}{_flat(node)}{after}"
        if len(whole) <= self.width:
            return [whole]
        opened, parts, closed = _parts(node)
        if not parts:
            return [whole]
        inner = _INDENT * (depth + 1)
        one_line = ", ".join(prefix + _flat(part) for prefix, part in parts)
        lonely = isinstance(node, ast.Tuple) and len(parts) == 1
        fits = len(inner) + len(one_line) <= self.width and not lonely
        if fits and isinstance(node, ast.Call):
            body = [inner + one_line]
        else:
            comma = "," if len(parts) > 1 or not isinstance(parts[0][1], ast.Starred) else ""
            body = []
            for prefix, part in parts:
                body += self._broken(part, depth + 1, prefix, comma)
        return [f"{indent}{before}{opened}", *body, f"{indent}{closed}{after}"]


def _parts(node: ast.expr) -> tuple[str, list[tuple[str, ast.expr]], str]:
    """Return an expression's opening, its parts with what stands before each, its closing."""
    if isinstance(node, ast.Call):
        parts = [("", argument) for argument in node.args]
        parts += [
            (f"{keyword.arg}=" if keyword.arg else "**", keyword.value)
            for keyword in node.keywords
        ]
        return f"{_flat(node.func)}(", parts, ")"
    if isinstance(node, ast.List):
        return "[", [("", part) for part in node.elts], "]"
    if isinstance(node, ast.Tuple):
        return "(", [("", part) for part in node.elts], ")"
    if isinstance(node, ast.Dict):
        pairs = zip(node.keys, node.values, strict=True)
        return "{", [(f"{_flat(key)}: " if key else "**", value) for key, value in pairs], "}"
    return "", [], ""


def _flat(node: ast.expr) -> str:
    """Return an expression on one line, its strings in double quotes."""
    if isinstance(node, ast.Constant):
        return _quoted(node.value) if isinstance(node.value, str) else repr(node.value)
    if isinstance(node, ast.Attribute):
        return f"{_flat(node.value)}.{node.attr}"
    if isinstance(node, ast.Call | ast.List | ast.Tuple | ast.Dict):
        opened, parts, closed = _parts(node)
        lonely = "," if isinstance(node, ast.Tuple) and len(parts) == 1 else ""
        return opened + ", ".join(before + _flat(part) for before, part in parts) + lonely + closed
    return ast.unparse(node)


def _quoted(text: str) -> str:
    """Return the text in double quotes, or in single ones where those need fewer escapes."""
    shown = repr(text)
    if shown.startswith('"') or text.count('"') > text.count("'"):
        return shown
    inner = shown[1:-1].replace("\\'", "'").replace('"', '\\"')
    return f'"{inner}"'
