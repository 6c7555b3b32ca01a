"""The documentation as tests see it: pages, their code blocks, their links."""

from __future__ import annotations

import ast
import inspect
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from types import FunctionType, ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pytest

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted(DOCS.rglob("*.md"))

_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_FILE = re.compile(r"(?:#|\{#) ([\w./-]+/[\w.-]+)(?: #\})?\n")


@dataclass(frozen=True)
class Block:
    """One code block of a page; ``file`` is the path in its first line, where it has one."""

    page: Path
    line: int
    language: str
    text: str

    @property
    def file(self) -> str | None:
        found = _FILE.match(self.text)
        return found[1] if found else None

    @property
    def content(self) -> str:
        """The block without the line that names its file."""
        return self.text.partition("\n")[2] if self.file else self.text


def name(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def blocks(page: Path, *languages: str) -> list[Block]:
    text = page.read_text("utf-8")
    return [
        Block(page, text.count("\n", 0, found.start()) + 1, found[1], found[2])
        for found in _BLOCK.finditer(text)
        if found[1] in languages
    ]


async def run(page: Path, monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Run the Python blocks of a page one after the other, as one module.

    Returns what is defined after each of them.
    """
    module = ModuleType(f"docs_{page.stem.replace('-', '_')}")
    monkeypatch.setitem(sys.modules, module.__name__, module)  # where annotations are looked up
    after = []
    for block in blocks(page, "python"):
        # The line numbers of a traceback are those of the page.
        source = "\n" * block.line + block.text
        code = compile(source, str(page), "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        result = FunctionType(code, module.__dict__)()
        if inspect.iscoroutine(result):
            await result
        after.append(dict(module.__dict__))
    return after
