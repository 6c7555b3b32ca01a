"""Find the line of every key in a TOML document that `tomllib` has accepted.

`tomllib` gives values without positions. This scan follows the structure only: keys,
tables, inline tables, arrays; scalars are skipped. It leans on `tomllib` having checked
the syntax, and is held against it by a property test.
"""

from __future__ import annotations

import re
import tomllib
from bisect import bisect_right

__all__ = ["Path", "find_lines"]

Path = tuple[str | int, ...]

_BLANK = re.compile(r"(?:[ \t\r\n]+|#[^\n]*)*")
_BARE_KEY = re.compile(r"[^\s.=\]\"'#]+")
_BASIC = re.compile(r'"(?:[^"\\]|\\.)*"')
_LITERAL = re.compile(r"'[^']*'")
# Up to two quotes may stand right before the closing three.
_LONG_BASIC = re.compile(r'"""(?:[^\\]|\\.)*?"""(?:"{0,2})', re.DOTALL)
_LONG_LITERAL = re.compile(r"'''.*?'''(?:'{0,2})", re.DOTALL)
_SCALAR = re.compile(r"[^,\]}#\r\n]*")


def find_lines(text: str) -> dict[Path, int]:
    """Return the line, counted from 1, of each key; the elements of arrays are keyed by index.

    A table's line is that of its first header or of the first key that implies it.
    """
    return _Scan(text).run()


class _Scan:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.lines: dict[Path, int] = {}
        self.sizes: dict[Path, int] = {}  # elements so far of each array of tables
        self.ends = [match.start() for match in re.finditer("\n", text)]

    def run(self) -> dict[Path, int]:
        table: Path = ()
        while self.skip():
            if self.text.startswith("[[", self.at):
                table = self.array_header()
            elif self.text[self.at] == "[":
                table = self.header()
            else:
                self.pair(table)
        return self.lines

    def skip(self) -> bool:
        self.match(_BLANK)
        return self.at < len(self.text)

    def match(self, pattern: re.Pattern[str]) -> str:
        found = pattern.match(self.text, self.at)
        token = found.group() if found else ""
        self.at += len(token)
        return token

    def note(self, path: Path, position: int) -> None:
        self.lines.setdefault(path, bisect_right(self.ends, position - 1) + 1)

    def header(self) -> Path:
        start = self.at
        self.at += 1
        path = self.walk((), self.key(), start)
        self.at += 1
        return path

    def array_header(self) -> Path:
        start = self.at
        self.at += 2
        *parents, last = self.key()
        path: Path = (*self.walk((), parents, start), last)
        self.note(path, start)
        index = self.sizes.get(path, 0)
        self.sizes[path] = index + 1
        self.note((*path, index), start)
        self.at += 2
        return (*path, index)

    def walk(self, path: Path, parts: list[str], position: int) -> Path:
        for part in parts:
            path = (*path, part)
            self.note(path, position)
            if path in self.sizes:  # a header below an array of tables means its last one
                path = (*path, self.sizes[path] - 1)
        return path

    def pair(self, table: Path) -> None:
        start = self.at
        path = self.walk(table, self.key(), start)
        self.at += 1
        self.skip()
        self.value(path)

    def key(self) -> list[str]:
        parts = []
        while True:
            self.skip()
            parts.append(self.key_part())
            self.skip()
            if self.text[self.at] != ".":
                return parts
            self.at += 1

    def key_part(self) -> str:
        if self.text[self.at] == '"':
            quoted = self.match(_BASIC)
            return str(tomllib.loads(f"key = {quoted}")["key"])
        if self.text[self.at] == "'":
            return self.match(_LITERAL)[1:-1]
        return self.match(_BARE_KEY)

    def value(self, path: Path) -> None:
        first = self.text[self.at]
        if first == "[":
            self.array(path)
        elif first == "{":
            self.inline_table(path)
        elif first == '"':
            self.match(_LONG_BASIC if self.text.startswith('"""', self.at) else _BASIC)
        elif first == "'":
            self.match(_LONG_LITERAL if self.text.startswith("'''", self.at) else _LITERAL)
        else:
            self.match(_SCALAR)

    def array(self, path: Path) -> None:
        self.at += 1
        index = 0
        while self.inside("]"):
            self.note((*path, index), self.at)
            self.value((*path, index))
            index += 1

    def inline_table(self, path: Path) -> None:
        self.at += 1
        while self.inside("}"):
            self.pair(path)

    def inside(self, closing: str) -> bool:
        """Go to the next element, or past the closing bracket."""
        self.skip()
        if self.text[self.at] == ",":
            self.at += 1
            self.skip()
        if self.text[self.at] != closing:
            return True
        self.at += 1
        return False
