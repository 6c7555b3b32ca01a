"""Write a revision file that needs no tidying: typed, formatted, nothing unused."""

from __future__ import annotations

import ast
import re
import tomllib
import unicodedata
from typing import TYPE_CHECKING

import sqlalchemy

from tornkit._text import printable
from tornkit.databases._layout import Layout
from tornkit.errors import DatabaseError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from tornkit.databases._autogenerate import Changes
    from tornkit.databases._history import History

__all__ = ["write_revision"]

_NAME_LIMIT = 32  # what Alembic's version table holds
_DIALECTS = {"mssql", "mysql", "oracle", "postgresql", "sqlite"}
_DEFAULT_WIDTH = 88  # ruff's


def write_revision(folder: Path, history: History, message: str, changes: Changes | None) -> Path:
    """Write the revision that follows the history's last one, and return its path.

    Raises:
        DatabaseError: the message is empty, or the file cannot be written.
    """
    title = " ".join(printable(message.strip(), limit=70).split())
    if not title:
        raise DatabaseError("a revision needs a message", hint='as in "create users"')
    title = title.replace("\\", "/").replace('"', "'").rstrip(".")
    revision = _name(title, history.revisions)
    if any(folder.parent.glob(f"*/{revision}.py")):
        # Outside of packages, type checkers take two files of one name for one module.
        revision = _name(f"{folder.name} {title}", history.revisions)
    down = history.revisions[-1] if history.revisions else None
    text = _text(title, revision, down, changes, _width(folder))
    path = folder / f"{revision}.py"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8", newline="\n") as file:
            file.write(text)
    except OSError as error:
        raise DatabaseError(
            f"the revision {path} cannot be written: {error.strerror}",
            hint="check who may write there",
        ) from error
    return path


def _name(title: str, known: tuple[str, ...]) -> str:
    numbers = [int(found[1]) for name in known if (found := re.match(r"(\d+)_", name))]
    number = f"{max(numbers, default=0) + 1:04d}"
    plain = unicodedata.normalize("NFKD", title).encode("ascii", "ignore").decode()
    slug = "_".join(re.findall(r"[a-z0-9]+", plain.lower())) or "revision"
    return f"{number}_{slug}"[:_NAME_LIMIT].rstrip("_")


def _width(folder: Path) -> int:
    """Return the line length that the project's ruff is set to."""
    for place in folder.resolve().parents:
        file = place / "pyproject.toml"
        if file.is_file():
            try:
                tools = tomllib.loads(file.read_text("utf-8")).get("tool", {})
            except (tomllib.TOMLDecodeError, UnicodeDecodeError):
                return _DEFAULT_WIDTH
            width = tools.get("ruff", {}).get("line-length", _DEFAULT_WIDTH)
            return width if isinstance(width, int) else _DEFAULT_WIDTH
    return _DEFAULT_WIDTH


def _text(title: str, revision: str, down: str | None, changes: Changes | None, width: int) -> str:
    up = _statements(changes.up) if changes else []
    drop = _statements(changes.down) if changes else []
    header = f'"""{title[0].upper()}{title[1:]}."""\n'
    imports = _imports([*up, *drop])
    follows = f'"{down}"' if down else "None"
    parts = [
        header,
        *([imports] if imports else []),
        f'revision = "{revision}"\ndown_revision: str | None = {follows}\n',
    ]
    layout = Layout(width)
    functions = [
        f'def {name}() -> None:\n    """{note}"""\n' + layout.statements(body, 1)
        for name, note, body in (
            ("upgrade", "Apply the revision.", up),
            ("downgrade", "Take it back.", drop),
        )
    ]
    return "\n".join(parts) + "\n\n" + "\n\n".join(functions)


def _statements(code: str) -> list[ast.stmt]:
    """Parse the body of a function, whose first line comes without its indent."""
    function = ast.parse(f"def body():\n    {code}").body[0]
    return _Qualify().visit(function).body if isinstance(function, ast.FunctionDef) else []


class _Qualify(ast.NodeTransformer):
    """Write ``sa.Text`` where Alembic leaves a bare ``Text`` inside another type."""

    def visit_Name(self, node: ast.Name) -> ast.expr:
        if node.id[0].isupper() and hasattr(sqlalchemy, node.id):
            return ast.Attribute(ast.Name("sa"), node.id)
        return node


def _imports(body: Iterable[ast.stmt]) -> str:
    """Return the import lines for the names that the statements use, sorted as isort does."""
    own: set[str] = set()
    dialects: set[str] = set()
    roots: set[str] = set()
    for statement in body:
        for node in ast.walk(statement):
            if isinstance(node, ast.Name):
                roots.add(node.id)
            elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                dotted = _dotted(node.func.value)
                root = dotted.partition(".")[0]
                if root in _DIALECTS:
                    dialects.add(root)
                elif root and root not in {"sa", "op", "sqlalchemy", "batch_op"}:
                    own.add(dotted)
    outside = ["import sqlalchemy as sa"] if "sa" in roots else []
    if "sqlalchemy" in roots:
        outside.insert(0, "import sqlalchemy")
    if "op" in roots:
        outside.append("from alembic import op")
    if dialects:
        outside.append(f"from sqlalchemy.dialects import {', '.join(sorted(dialects))}")
    groups = [outside, [f"import {dotted}" for dotted in sorted(own)]]
    return "\n".join("\n".join(group) + "\n" for group in groups if group)


def _dotted(node: ast.expr) -> str:
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        inner = _dotted(node.value)
        return f"{inner}.{node.attr}" if inner else ""
    return ""
