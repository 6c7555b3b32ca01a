from __future__ import annotations

import tomllib
from typing import Any

import hypothesis.strategies as st
from hypothesis import given

from tornkit.settings._toml_lines import Path, find_lines

DOCUMENT = '''\
# comment [not.a.table]
port = 1
"quo\\u0074ed.key" = 'x' # port = 2
text = """
hidden = 1
\\""" still"""""
other = \'\'\'
[nope]
\'\'\'\'\'
a.b.c = 3
a . "d" = 4
list = [ # first
  1,
  { x = 5, y.z = "}" },
  [ "]", 2 ],
]

[ table . sub ]
date = 2026-01-31T12:00:00Z
inline = { k = [1,
  2], "q" = '#' }
[[people]]
name = "a"
  [people.home]
  street = "s"
[[people]]
name = "b"
[people.home]
street = "t"
[[people.pets]]
n = 1
'''


def leaves(value: Any, path: Path = ()) -> set[Path]:
    found = {path} if path else set()
    if isinstance(value, dict):
        for key, below in value.items():
            found |= leaves(below, (*path, key))
    elif isinstance(value, list):
        for index, below in enumerate(value):
            found |= leaves(below, (*path, index))
    return found


def test_every_kind_of_toml_key_gets_its_line() -> None:
    lines = find_lines(DOCUMENT)
    assert set(lines) == leaves(tomllib.loads(DOCUMENT))
    rows = DOCUMENT.split("\n")
    assert rows[lines["quoted.key",] - 1].startswith('"quo')
    assert rows[lines["a", "b", "c"] - 1] == "a.b.c = 3"
    assert rows[lines["a", "d"] - 1] == 'a . "d" = 4'
    assert rows[lines["list", 1, "y", "z"] - 1].strip().startswith("{ x = 5")
    assert rows[lines["list", 2] - 1].strip().startswith('[ "]"')
    assert rows[lines["table", "sub", "inline", "q"] - 1].startswith("  2]")
    assert rows[lines["people", 0, "home", "street"] - 1] == '  street = "s"'
    assert rows[lines["people", 1, "home", "street"] - 1] == 'street = "t"'
    assert rows[lines["people", 1, "pets", 0, "n"] - 1] == "n = 1"


NAMES = st.sampled_from(["a", "b", "c-d", "1", "x_y", "é", "with space", "dot.ted", 'q"uote', "#"])
SCALARS = st.sampled_from(
    [
        "1",
        "-2.5",
        "true",
        "inf",
        "1979-05-27",
        "07:32:00",
        '""',
        "''",
        "'a # b'",
        '"] } , = \\" \\\\"',
        '"""\nx = 1\n[y]\n"""',
        "'''\n[[z]]\n'''",
        '"""a""""',
        "'''b'''''",
        '"""\\\n  folded"""',
        "0xff",
    ]
)
SPACE = st.sampled_from(["", " ", "\t", "  "])
BREAKS = st.sampled_from(["\n", "\n\n", " # note = 1\n", "\n# [t]\n", "\n \t\n"])


def quoted(name: str) -> str:
    if name.isascii() and name.replace("-", "_").replace("1", "x").isidentifier():
        return name
    return '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'


@st.composite
def values(draw: st.DrawFn, depth: int = 2) -> str:
    kind = draw(st.integers(0, 4 if depth else 2))
    if kind <= 2:
        return draw(SCALARS)
    if kind == 3:
        gap = draw(st.sampled_from(["", " ", "\n", " # c ]\n  "]))
        items = draw(st.lists(values(depth - 1), max_size=3))
        return "[" + gap + f",{gap}".join(items) + (gap and gap + "\n") + "]"
    names = draw(st.lists(NAMES, max_size=3, unique=True))
    return "{" + ", ".join(f"{quoted(n)} = {draw(values(depth - 1))}" for n in names) + "}"


@st.composite
def documents(draw: st.DrawFn) -> tuple[str, dict[Path, int]]:
    """Give a document and where its keys were written."""
    text = ""
    expected: dict[Path, int] = {}
    table: Path = ()
    counts: dict[str, int] = {}
    for _ in range(draw(st.integers(1, 6))):
        text += draw(BREAKS)
        line = text.count("\n") + 1
        kind = draw(st.integers(0, 5))
        name = draw(NAMES)
        if kind == 0:
            first = f"t{len(expected)}{name}"
            table = (first, name)
            text += f"[{draw(SPACE)}{quoted(first)}{draw(SPACE)}.{quoted(name)} ]"
            expected[table] = line
        elif kind == 1:
            array = "array"
            counts[array] = counts.get(array, -1) + 1
            table = (array, counts[array])
            text += f"[[{draw(SPACE)}{array}{draw(SPACE)}]]"
            expected[table] = line
        else:
            key = f"k{len(expected)}{name}"
            path = (*table, key, name) if kind == 2 else (*table, key)
            dotted = f"{quoted(key)} .{draw(SPACE)}{quoted(name)}" if kind == 2 else quoted(key)
            text += f"{draw(SPACE)}{dotted}{draw(SPACE)}={draw(SPACE)}{draw(values())}"
            expected[path] = line
        text += draw(BREAKS)
    return text, expected


@given(documents())
def test_lines_agree_with_tomllib_on_the_keys_and_with_the_writer_on_the_lines(
    document: tuple[str, dict[Path, int]],
) -> None:
    text, expected = document
    lines = find_lines(text)
    assert set(lines) == leaves(tomllib.loads(text))
    assert {path: lines[path] for path in expected} == expected
