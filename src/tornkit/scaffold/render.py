"""Find the templates, and render a set of them to finished files in memory."""

from __future__ import annotations

import json
import re
from functools import lru_cache, reduce
from pathlib import Path
from typing import TYPE_CHECKING

from tornkit.errors import ScaffoldError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from jinja2 import Environment, Template

__all__ = ["Files", "find_templates", "render"]

Files = dict[str, bytes]
"""Finished files: path from the root of the project, with ``/``, to content."""

LINE_LENGTH = 99
_SUFFIX = ".jinja"
_VALUE = re.compile(r"<< ([a-z_.]+) >>")
_FIELD = re.compile(r"\{(\w+)\}")


def find_templates() -> Path:
    """Return the folder of the templates: in the installed package, else in the checkout.

    Raises:
        ScaffoldError: it is in neither.
    """
    package = Path(__file__).parents[1]
    for folder in (package / "_scaffold", package.parents[1] / "templates_scaffold"):
        if folder.is_dir():
            return folder
    raise ScaffoldError("the templates of tornkit are missing", hint="install tornkit again")


def render(folder: Path, values: Mapping[str, object], paths: Mapping[str, str]) -> Files:
    """Render every template below ``folder``.

    Args:
        folder: one set of templates; every file in it ends in ``.jinja``.
        values: what templates may name; an unknown name is an error.
        paths: what ``{fields}`` in the file names stand for.

    Raises:
        ScaffoldError: a template is broken, or names something unknown.
    """
    files: Files = {}
    for source in sorted(folder.rglob("*")):
        if source.is_dir():
            continue
        template = source.relative_to(folder).as_posix()
        if not template.endswith(_SUFFIX):
            raise ScaffoldError(f"template {template} does not end in {_SUFFIX}")
        try:
            path = _FIELD.sub(lambda field: paths[field[1]], template.removesuffix(_SUFFIX))
        except KeyError as missing:
            raise ScaffoldError(f"template {template}: unknown field {missing}") from None
        files[path] = _render_one(template, source.read_text("utf-8"), values).encode()
    return files


def _render_one(name: str, source: str, values: Mapping[str, object]) -> str:
    # Half of the files hold plain values only: compiling those would take most of the time.
    if not any(mark in source for mark in ("<%", "<#")):
        text = _VALUE.sub(lambda found: _value(name, found[1], values), source)
        if "<<" not in text:
            return text
    from jinja2 import TemplateError  # noqa: PLC0415 - costs more than all else here

    try:
        return _compiled(source).render(values)
    except TemplateError as error:
        raise ScaffoldError(f"template {name}: {error}") from error


def _value(name: str, dotted: str, values: Mapping[str, object]) -> str:
    first, *rest = dotted.split(".")
    try:
        return str(reduce(getattr, rest, values[first]))
    except (KeyError, AttributeError):
        raise ScaffoldError(f"template {name}: {dotted!r} is undefined") from None


@lru_cache(maxsize=64)
def _compiled(source: str) -> Template:
    return _environment().from_string(source)


@lru_cache(maxsize=1)
def _environment() -> Environment:
    """Return the environment; its marks leave those of the generated pages alone."""
    from jinja2 import Environment, StrictUndefined  # noqa: PLC0415 - as above

    environment = Environment(  # noqa: S701 - writes source files from checked names
        undefined=StrictUndefined,
        keep_trailing_newline=True,
        trim_blocks=True,
        lstrip_blocks=True,
        variable_start_string="<<",
        variable_end_string=">>",
        block_start_string="<%",
        block_end_string="%>",
        comment_start_string="<#",
        comment_end_string="#>",
    )
    environment.filters["quoted"] = lambda text: json.dumps(text, ensure_ascii=False)
    environment.globals["spread"] = spread
    return environment


def spread(head: str, items: Sequence[str], tail: str) -> str:
    """Return ``head`` + quoted items + ``tail`` on one line, or one item a line if too long."""
    quoted = [json.dumps(item) for item in items]
    line = f"{head}{', '.join(quoted)}{tail}"
    if len(line) <= LINE_LENGTH:
        return line
    margin = " " * (len(head) - len(head.lstrip(" ")))
    return "\n".join([head, *_indented(quoted, f"{margin}    "), f"{margin}{tail}"])


def _indented(items: Iterable[str], margin: str) -> list[str]:
    return [f"{margin}{item}," for item in items]
