"""The picture of the rooms holds: imports go down, or stay inside a room.

`violations` reads a tree of source files without importing any, so that it can be fed a
small bad one: the tests at the end see every rule go red.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

SOURCE = Path(__file__).parents[1] / "src" / "tornkit"

FLOOR_0 = [
    *["errors", "encoding", "access", "_text", "_imports", "_project", "_rates", "_policies"],
    *["_redis", "_batches", "_transactions", "_uninterrupted", "_addresses", "_gathering"],
    *["_work", "_headers", "_requests", "_durations"],
]
FLOOR_1 = [
    *["settings", "routing", "sessions", "databases", "accounts", "tasks", "channels"],
    *["security", "server", "scaffold", "logs", "mail", "cache"],
]
FLOORS = {
    **dict.fromkeys(FLOOR_0, 0),
    **dict.fromkeys(FLOOR_1, 1),
    **dict.fromkeys(["handlers", "modules"], 2),
    "application": 3,
    **dict.fromkeys(["testing", "checks"], 4),
    **dict.fromkeys(["cli", "__main__"], 5),
}
# The package itself re-exports from everywhere, so that only the top floor may use it.
FACADE = 5
# What an optional dependency may be imported in: a file named for it, or for its extra.
OPTIONAL = {
    "psycopg": {"psycopg", "postgresql"},
    "asyncmy": {"asyncmy", "mysql"},
    "pymongo": {"pymongo", "mongodb"},
    "redis": {"redis", "_redis"},
    "saq": {"saq"},
}
FORBIDDEN = {"scaffold": {"tornado"}}


@dataclass(frozen=True)
class Import:
    """One import: the file and line, the dotted name it is for, and where it stands."""

    file: str  # relative to the package, with forward slashes
    line: int
    target: str
    lazy: bool  # inside a function or under TYPE_CHECKING

    @property
    def room(self) -> str:
        return self.file.partition("/")[0].removesuffix(".py")

    def __str__(self) -> str:
        return f"{self.file}:{self.line} imports {self.target}"


def imports(root: Path) -> Iterator[Import]:
    """Yield every import of the package at ``root``, wherever it stands."""
    for path in sorted(root.rglob("*.py")):
        file = path.relative_to(root).as_posix()
        parts = [root.name, *path.relative_to(root).with_suffix("").parts]
        package = parts[:-1]
        for statement, lazy in _statements(ast.parse(path.read_text("utf-8"), file)):
            for target in _targets(statement, package):
                yield Import(file, statement.lineno, _module(root, target), lazy)


def _statements(node: ast.AST, lazy: bool = False) -> Iterator[tuple[ast.stmt | ast.Call, bool]]:
    """Yield every import statement, and every call that could be one."""
    for child in ast.iter_child_nodes(node):
        inside = lazy or isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        inside = inside or (isinstance(child, ast.If) and "TYPE_CHECKING" in ast.dump(child.test))
        if isinstance(child, ast.Import | ast.ImportFrom | ast.Call):
            yield child, lazy
        yield from _statements(child, inside)


def _targets(node: ast.stmt | ast.Call, package: list[str]) -> list[str]:
    """Return the dotted names that one statement imports; relative ones made absolute."""
    match node:
        case ast.Import(names=names):
            return [alias.name for alias in names]
        case ast.ImportFrom(module=module, names=names, level=level):
            above = package[: len(package) - level + 1] if level else []
            origin = ".".join([*above, *([module] if module else [])])
            return [f"{origin}.{alias.name}" for alias in names]
        case ast.Call(func=function, args=[ast.Constant(value=str(name)), *_]):
            called = getattr(function, "attr", getattr(function, "id", ""))
            if called in {"import_module", "__import__", "find_spec"}:
                return [name.partition(":")[0]]
    return []


def _module(root: Path, target: str) -> str:
    """Cut the names inside a module off: ``tornkit.errors.AppError`` is ``tornkit.errors``."""
    parts = target.split(".")
    if parts[0] != root.name:
        return target
    depth = 1
    while depth < len(parts):
        path = root.joinpath(*parts[1 : depth + 1])
        known = depth == 1 and parts[1] in FLOORS
        if not (known or path.is_dir() or path.with_suffix(".py").is_file()):
            break
        depth += 1
    return ".".join(parts[:depth])


def violations(root: Path) -> list[str]:
    """Return what in the package at ``root`` breaks the picture, one line each."""
    found = [f"{room} has no floor: put it into the picture" for room in _rooms(root) - {*FLOORS}]
    every = list(imports(root))
    for item in every:
        top = item.target.partition(".")[0]
        if item.file == "__init__.py":
            if top == root.name and not item.lazy:
                found.append(f"{item}: the package re-exports lazily")
            continue
        if top == root.name:
            found += _upward(item, root)
        elif top in FORBIDDEN.get(item.room, ()):
            found.append(f"{item}: {item.room}/ never imports {top}")
        elif Path(item.file).stem not in OPTIONAL.get(top, {Path(item.file).stem}):
            found.append(f"{item}: it belongs into a file named {' or '.join(OPTIONAL[top])}")
    return found + _base_imports_backend(root, every) + _more_than_re_exports(root)


def _rooms(root: Path) -> set[str]:
    children = [child for child in root.iterdir() if child.name != "__init__.py"]
    packages = {child.name for child in children if child.is_dir() and any(child.rglob("*.py"))}
    return packages | {child.stem for child in children if child.suffix == ".py"}


def _upward(item: Import, root: Path) -> list[str]:
    """Return the complaint about an import of the package's own code, if there is one."""
    _, _, rest = item.target.partition(".")
    target = rest.partition(".")[0]
    floor = FLOORS.get(item.room, FACADE)
    if not target:
        facade = f"{item}: name the module, not the package's re-exports"
        return [] if floor == FACADE else [facade]
    goal = FLOORS.get(target, FACADE)
    same_room = target == item.room or floor == goal in {0, 5}
    if goal > floor:
        return [f"{item}: floor {floor} never imports floor {goal}"]
    if goal == floor and not same_room:
        return [f"{item}: the rooms of floor {floor} never import each other"]
    return []


def _base_imports_backend(root: Path, every: Iterable[Import]) -> list[str]:
    """A file that imports its room's ``base.py`` is a backend, or stands on one."""
    found = []
    inside = [item for item in every if item.target.startswith(f"{root.name}.{item.room}.")]
    for item in (item for item in inside if item.file == f"{item.room}/base.py"):
        file = item.target.removeprefix(f"{root.name}.").replace(".", "/")
        base = f"{root.name}.{item.room}.base"
        builds = {other.file for other in inside if other.target == base and not other.lazy}
        if {f"{file}.py", f"{file}/__init__.py"} & builds:
            found.append(f"{item}: base.py never imports a backend")
    return found


def _more_than_re_exports(root: Path) -> list[str]:
    """The package's own file may hold imports, constants and the two hooks of PEP 562."""
    path = root / "__init__.py"
    tree = ast.parse(path.read_text("utf-8")) if path.is_file() else ast.Module([], [])
    allowed = ast.Import | ast.ImportFrom | ast.Assign | ast.AnnAssign | ast.If
    return [
        f"__init__.py:{node.lineno} does more than re-export"
        for node in tree.body
        if not isinstance(node, allowed)
        and not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))
        and not (isinstance(node, ast.FunctionDef) and node.name in {"__getattr__", "__dir__"})
    ]


def test_tornkit_keeps_to_the_picture() -> None:
    assert len(list(imports(SOURCE))) > 20, "the walk found hardly any import"
    assert violations(SOURCE) == []


def test_every_test_folder_is_a_package() -> None:
    # Otherwise two files of one name hide each other, from pytest and from mypy.
    folders = {path.parent for path in SOURCE.parents[1].glob("tests/**/test_*.py")}
    ours = {folder for folder in folders if "apps" not in folder.parts}
    assert [folder for folder in ours if not (folder / "__init__.py").is_file()] == []


# --- the rules can go red --------------------------------------------------------------------


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Return an empty package ``tornkit`` to write into."""
    root = tmp_path / "tornkit"
    root.mkdir()
    return root


def write(root: Path, files: Mapping[str, str]) -> None:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")


GOOD = {
    "__init__.py": '"""Doc."""\nfrom typing import TYPE_CHECKING\n__all__ = ["AppError"]\n'
    "if TYPE_CHECKING:\n    from tornkit.errors import AppError\n"
    "def __getattr__(name: str): ...\n",
    "__main__.py": "from tornkit.cli import main",
    "errors.py": "import sys",
    "encoding.py": "from tornkit.errors import EncodingError",
    "sessions/__init__.py": "from tornkit.sessions.redis import RedisStore",
    "sessions/base.py": "from .session import Session\nfrom tornkit import errors",
    "sessions/session.py": "from ..encoding import encode",
    "sessions/redis.py": "import redis.asyncio\nfrom .base import SessionStore",
    "databases/postgresql.py": "def connect():\n    import psycopg",
    "application.py": "from tornkit.sessions import RedisStore\nfrom tornkit import modules",
    "modules.py": "import tornkit.errors",
    "cli/__init__.py": "def main():\n    from tornkit.application import Application",
}


def test_a_good_tree_passes(tree: Path) -> None:
    write(tree, GOOD)
    assert violations(tree) == []


@pytest.mark.parametrize(
    ("file", "text", "complaint"),
    [
        ("errors.py", "import tornkit.encoding\nfrom tornkit.logs import x", "floor 0 never"),
        ("routing/a.py", "from tornkit.settings import x", "never import each other"),
        ("routing/a.py", "from ..settings.load import x", "never import each other"),
        ("routing/a.py", "def f():\n    import tornkit.settings", "never import each other"),
        ("routing/a.py", "if TYPE_CHECKING:\n    from tornkit import logs", "each other"),
        ("routing/a.py", "class A:\n    from tornkit.modules import Module", "floor 1 never"),
        ("routing/a.py", "importlib.import_module('tornkit.logs.x')", "never import each other"),
        ("routing/a.py", "from tornkit import Module", "not the package's re-exports"),
        ("modules.py", "from tornkit.handlers import x", "rooms of floor 2 never"),
        ("handlers/a.py", "from tornkit.application import x", "floor 2 never imports floor 3"),
        ("application.py", "import tornkit.checks", "floor 3 never imports floor 4"),
        ("testing/a.py", "import tornkit.checks", "rooms of floor 4 never"),
        ("checks/a.py", "from tornkit.cli import x", "floor 4 never imports floor 5"),
        ("sessions/base.py", "from .redis import RedisStore", "base.py never imports a backend"),
        ("sessions/base.py", "from . import redis", "base.py never imports a backend"),
        ("scaffold/a.py", "def f():\n    from tornado import web", "scaffold/ never imports"),
        ("sessions/sql.py", "import redis", "a file named"),
        ("databases/base.py", "def f():\n    from psycopg import x", "a file named"),
        ("tasks/a.py", "import saq", "a file named saq"),
        ("__init__.py", "from tornkit.errors import AppError", "re-exports lazily"),
        ("__init__.py", "def run(): ...", "more than re-export"),
        ("garden/a.py", "import sys", "garden has no floor"),
        ("garden.py", "import sys", "garden has no floor"),
    ],
)
def test_a_bad_import_is_found(tree: Path, file: str, text: str, complaint: str) -> None:
    write(tree, {**GOOD, "settings/load.py": "", "logs.py": "", file: text})
    (found,) = violations(tree)
    assert complaint in found
