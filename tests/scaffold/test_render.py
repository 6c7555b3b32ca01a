"""Templates: found, rendered, and refused when they are wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tornkit.errors import ScaffoldError
from tornkit.scaffold import render as rendering
from tornkit.scaffold.render import find_templates, render, spread

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


def templates(folder: Path, files: Mapping[str, str]) -> Path:
    """Make a miniature set of templates."""
    for path, content in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(content)
    return folder


def test_names_and_contents_are_filled_in(tmp_path: Path) -> None:
    folder = templates(
        tmp_path,
        {
            "{package}/{name}.py.jinja": "<% if loud %>\nprint('<< name >>')\n<% endif %>\n",
            "page.html.jinja": "{{ name }} {% if x %}\n",
            ".hidden.jinja": "<# nobody sees this #>kept\n",
        },
    )
    files = render(folder, {"loud": True, "name": "x"}, {"package": "site", "name": "x"})
    assert files == {
        "site/x.py": b"print('x')\n",
        "page.html": b"{{ name }} {% if x %}\n",
        ".hidden": b"kept\n",
    }


@pytest.mark.parametrize(
    ("path", "content", "said"),
    [
        ("a.jinja", "<< unknown >>", "'unknown' is undefined"),
        ("a.jinja", "<< x.unknown >>", "'x.unknown' is undefined"),
        ("a.jinja", "<% if x %><< unknown >><% endif %>", "'unknown' is undefined"),
        ("a.jinja", "<% if x %>", "a.jinja"),
        ("{unknown}.jinja", "", "unknown field"),
        ("a.txt", "", r"does not end in \.jinja"),
    ],
)
def test_a_template_that_is_wrong_is_named(
    tmp_path: Path, path: str, content: str, said: str
) -> None:
    with pytest.raises(ScaffoldError, match=said):
        render(templates(tmp_path, {path: content}), {"x": True}, {})


def test_the_installed_templates_come_before_the_checkout(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    room = tmp_path / "src" / "tornkit" / "scaffold"
    room.mkdir(parents=True)
    monkeypatch.setattr(rendering, "__file__", str(room / "render.py"))
    with pytest.raises(ScaffoldError, match="install tornkit again"):
        find_templates()
    (tmp_path / "templates_scaffold").mkdir()
    assert find_templates() == tmp_path / "templates_scaffold"
    (tmp_path / "src" / "tornkit" / "_scaffold").mkdir()
    assert find_templates() == tmp_path / "src" / "tornkit" / "_scaffold"


def test_every_template_ends_in_jinja() -> None:
    files = [path for path in find_templates().rglob("*") if path.is_file()]
    assert files
    assert all(path.suffix == ".jinja" for path in files)


def test_a_long_list_is_spread_over_lines() -> None:
    assert spread("  f(", ["a", "b"], ")") == '  f("a", "b")'
    long = ["x" * 60, "y" * 60]
    assert spread("  f(", long, ")") == f'  f(\n      "{long[0]}",\n      "{long[1]}",\n  )'
