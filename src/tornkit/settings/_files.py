"""Read settings files: TOML, ``.env`` and the secrets folder."""

from __future__ import annotations

import io
import re
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dotenv.parser import parse_stream

from tornkit._text import printable
from tornkit.settings._shape import root, step_variable
from tornkit.settings._toml_lines import find_lines

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tornkit.settings._sources import Layers

__all__ = ["add_dotenv", "add_secrets", "add_toml"]

_POSITION = re.compile(r"\s*\(at (?:line (\d+), column \d+|end of document)\)$")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")
_NEWLINE = re.compile(r"\r\n|\n|\r")
DEFAULT_SECRETS = Path("/run/secrets")


def add_toml(layers: Layers, file: Path) -> None:
    """Add a TOML file, if there is one."""
    text = _read(layers, file)
    if text is None:
        return
    try:
        values = tomllib.loads(text)
    except RecursionError:
        layers.problem("TOML", file.name, "is nested too deeply")
        return
    except ValueError as error:
        message, line = _syntax_error(str(error), text)
        layers.problem("TOML", f"{file.name}:{line}", f"cannot be read: {message}")
        return
    lines = find_lines(text)

    def origin(path: tuple[str, ...]) -> str:
        sizes = range(len(path), 0, -1)
        line = next((lines[path[:size]] for size in sizes if path[:size] in lines), 1)
        return f"{file.name}:{line}"

    layers.add_tree(values, origin)


def _syntax_error(message: str, text: str) -> tuple[str, int]:
    """Split tomllib's message; it echoes keys and single characters, never values."""
    position = _POSITION.search(message)
    line = int(position[1]) if position and position[1] else len(text.rstrip("\n").split("\n"))
    plain = _POSITION.sub("", message)
    return printable(plain[:1].lower() + plain[1:]), line


def add_dotenv(layers: Layers, file: Path) -> dict[str, str]:
    """Add the ``.env`` file, if there is one; return its variables that have the prefix.

    Values are taken as written: ``${NAME}`` in a password is no reference.
    """
    text = _read(layers, file)
    if text is None:
        return {}
    variables = list(_dotenv(layers, file.name, text))
    layers.add_variables(variables, from_file=True)
    return {name.upper(): value for name, value, _ in variables}


def _dotenv(layers: Layers, name: str, text: str) -> Iterator[tuple[str, str, str]]:
    for binding in parse_stream(io.StringIO(text)):
        start = binding.original.string
        blank = start[: len(start) - len(start.lstrip())]
        origin = f"{name}:{binding.original.line + len(_NEWLINE.findall(blank))}"
        if binding.error:
            layers.problem(f"{name} line", origin, "expected NAME=value, with its quotes closed")
        elif binding.key is None:
            continue
        elif not _NAME.fullmatch(binding.key) or binding.value is None:
            # The key is not echoed: a value pasted without its name would stand here.
            layers.problem(f"{name} line", origin, "expected NAME=value")
        elif binding.key.upper().startswith(layers.prefix):
            yield binding.key, binding.value, origin


def add_secrets(layers: Layers, folder: Path, *, chosen: bool) -> None:
    """Add the files of a secrets folder, named like variables or like bare keys.

    A bare name that is no setting is somebody else's secret and left alone, with a
    warning only where the folder was ``chosen`` for this project.
    """
    try:
        files = sorted(file for file in folder.iterdir() if file.name[0] != "." and file.is_file())
    except OSError as error:
        layers.problem("the secrets folder", str(folder), f"cannot be read: {_reason(error)}")
        return
    variables = []
    for file in files:
        prefixed = bool(layers.prefix) and file.name.upper().startswith(layers.prefix)
        if not (prefixed or chosen or _names_setting(layers, file.name)):
            continue
        text = _read(layers, file)
        if text is not None:
            name = file.name if prefixed else layers.prefix + file.name
            value = text.removesuffix("\n").removesuffix("\r")
            variables.append((name, value, f"secrets file {printable(file, limit=200)}"))
    # Full names come last and win over bare ones.
    variables.sort(key=lambda item: item[2].rpartition("/")[2].upper().startswith(layers.prefix))
    layers.add_variables(variables, from_file=True)


def _names_setting(layers: Layers, name: str) -> bool:
    target: Any = root(layers.cls)
    for part in name.split("__"):
        below = step_variable(target, part) if target else None
        target = below[1] if below else None
    return target is not None


def _read(layers: Layers, file: Path) -> str | None:
    """Return the text of a file without a byte order mark, None if it is not there."""
    try:
        raw = file.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        layers.problem(file.name, str(file), f"cannot be read: {_reason(error)}")
        return None
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
    layers.problem(file.name, f"{file.name}:{line}", "is not UTF-8 text")
    return None


def _reason(error: OSError) -> str:
    return (error.strerror or type(error).__name__).lower()
