"""Put the layers together for one load: which files, in which order, for which environment."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from tornkit._text import did_you_mean, printable
from tornkit.settings._command_line import current
from tornkit.settings._files import DEFAULT_SECRETS, add_dotenv, add_secrets, add_toml
from tornkit.settings._folders import absolute
from tornkit.settings._shape import decode, root, step
from tornkit.settings._sources import Layers
from tornkit.settings._words import expected

if TYPE_CHECKING:
    from tornkit.settings._sources import Entry

__all__ = ["ENVIRONMENTS", "RESERVED", "Plan", "find_project", "own_variables", "plan"]

ENVIRONMENTS = ("development", "testing", "production")
RESERVED = frozenset({"ENVIRONMENT", "SECRETS_DIR"})


@dataclass(frozen=True)
class Plan:
    """What one load found; pydantic has not seen it yet."""

    project_dir: Path
    environment: str
    environment_origin: str
    prefix: str
    layers: Layers = field(repr=False)

    @property
    def entries(self) -> dict[tuple[str, ...], Entry]:
        """The values by path."""
        return self.layers.entries


def plan(
    cls: type[BaseModel],
    prefix: str,
    environment: str | None,
    project_dir: Path | str | None,
    overrides: Mapping[str, object],
) -> Plan:
    """Read every layer; problems are noted in the plan's layers."""
    variables = dict(os.environ)
    # TORNKIT_APP says where the application is, and is read before there are settings.
    reserved = RESERVED | {"APP"} if prefix == "TORNKIT_" else RESERVED
    layers = Layers(cls, prefix, reserved)
    folder = find_project(cls) if project_dir is None else absolute(project_dir)
    if not folder.is_dir():
        layers.problem("the project folder", "argument", f"{printable(folder)} is not a folder")
    given = dict(overrides)
    name, origin = _environment(layers, environment, given.pop("environment", None), variables)
    _add_defaults(layers)
    add_toml(layers, folder / "settings.toml")
    add_toml(layers, folder / f"settings.{name}.toml")
    dotenv = add_dotenv(layers, folder / ".env") if name != "testing" else {}
    layers.add_variables(own_variables(prefix, variables))
    secrets_dir = variables.get(f"{prefix}SECRETS_DIR") or dotenv.get(f"{prefix}SECRETS_DIR")
    if secrets_dir:
        add_secrets(layers, folder / secrets_dir, chosen=True)
    elif DEFAULT_SECRETS.is_dir():
        add_secrets(layers, DEFAULT_SECRETS, chosen=False)
    _add_given(layers, given, "override")
    line = {key: value for key, value in current().values.items() if key != "environment"}
    _add_given(layers, line, "command line")
    return Plan(folder, name, origin, prefix, layers)


def find_project(cls: type) -> Path:
    """Return the nearest folder with a ``pyproject.toml`` above the class's file, or here."""
    module = sys.modules.get(cls.__module__)
    file = getattr(module, "__file__", None)
    # tornkit's own class says nothing about the project that uses it.
    if file and cls.__module__.partition(".")[0] != "tornkit":
        for folder in absolute(file).parents:
            if (folder / "pyproject.toml").is_file():
                return folder
    return Path.cwd()


def _environment(
    layers: Layers, argument: object, override: object, variables: Mapping[str, str]
) -> tuple[str, str]:
    name = f"{layers.prefix}ENVIRONMENT"
    line = current()
    choices = (
        (argument, "argument"),
        (override, "override"),
        (line.environment, "command line"),
        (line.values.get("environment"), "command line"),
        (variables.get(name), f"env {name}"),
    )
    value, origin = next((choice for choice in choices if choice[0]), ("development", "default"))
    if value in ENVIRONMENTS:
        return str(value), origin
    layers.problem(
        "environment",
        origin,
        "expected development, testing or production",
        found=f"'{printable(value)}'",
        hint=did_you_mean(str(value).lower(), ENVIRONMENTS),
    )
    return "development", origin


def _add_defaults(layers: Layers) -> None:
    """Lay down default tables, so that a layer above changes one key and keeps the others."""
    for name, info in layers.cls.model_fields.items():
        target = step(root(layers.cls), name)
        if target is None or target.kind == "leaf":
            continue
        default: object = info.default
        if info.default_factory is not None and not info.default_factory_takes_validated_data:
            default = info.default_factory()  # type: ignore[call-arg]
        if isinstance(default, BaseModel | Mapping):
            layers.add_tree({name: default}, lambda _: "default")


def own_variables(prefix: str, variables: Mapping[str, str]) -> list[tuple[str, str, str]]:
    """Return the variables with the prefix: name, text and origin of each."""
    # In upper case last: it wins where a system knows both spellings.
    names = sorted(
        (name for name in variables if name.upper().startswith(prefix)),
        key=lambda name: (name.isupper(), name),
    )
    return [(name, variables[name], f"env {printable(name)}") for name in names]


def _add_given(layers: Layers, values: Mapping[str, object], origin: str) -> None:
    """Add values given in code: nested tables or dotted keys, text as in variables."""
    for key, value in values.items():
        path = tuple(key.split("."))
        target = root(layers.cls)
        for part in path:
            below = step(target, part)
            if below is None:
                break
            target = below
        else:
            if isinstance(value, str):
                try:
                    value = decode(target, value)  # noqa: PLW2901 - the text is not needed again
                except ValueError:
                    layers.problem(key, origin, f"expected {expected(target)}")
                    continue
        tree: Any = value
        for part in reversed(path):
            tree = {part: tree}
        layers.add_tree(tree, lambda _: origin)
