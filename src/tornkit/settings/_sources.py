"""Read the layers of one load into flat entries, noting problems instead of raising."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from tornkit._text import did_you_mean, printable
from tornkit.errors import SettingProblem
from tornkit.settings._masking import is_secret_name, reveal
from tornkit.settings._problems import dotted, variable
from tornkit.settings._shape import decode, root, step, step_variable, tables
from tornkit.settings._words import expected, found

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from tornkit.settings._shape import Target

__all__ = ["Entry", "Layers"]

Path = tuple[str, ...]

ENVIRONMENT_IN_FILE = (
    "the environment is never read from files, for it decides which files are read"
)


@dataclass(frozen=True, slots=True)
class Entry:
    """One value of one layer."""

    raw: Any = field(repr=False)
    origin: str
    secret: bool


@dataclass
class Layers:
    """The layers put on top of each other, lowest first."""

    cls: type[BaseModel]
    prefix: str
    reserved: frozenset[str]  # names after the prefix that are no settings
    entries: dict[Path, Entry] = field(default_factory=dict, repr=False)
    problems: list[SettingProblem] = field(default_factory=list)
    warnings: list[SettingProblem] = field(default_factory=list)

    def problem(
        self, key: str, origin: str, expected: str, *, found: str = "", hint: str = ""
    ) -> None:
        """Note a bad setting."""
        self.problems.append(
            SettingProblem(printable(key), printable(origin, limit=300), found, expected, hint)
        )

    def put(self, path: Path, raw: object, origin: str, *, secret: bool) -> None:
        """Set one value; what it replaces, or is no longer part of a table, goes."""
        if raw == {} and any(known[: len(path)] == path for known in self.entries):
            return
        below = [known for known in self.entries if known[: len(path)] == path]
        above = [path[:length] for length in range(1, len(path))]
        for known in below + above:
            self.entries.pop(known, None)
        self.entries[path] = Entry(raw, origin, secret)

    def add_tree(
        self, values: Mapping[str, Any], origin: Callable[[Path], str], *, at: Path = ()
    ) -> None:
        """Add a layer of nested tables."""
        target: Target | None = root(self.cls)
        for part in at:
            target = step(target, part) if target else None
        if target is not None:
            self._add(target, at, values, origin)

    def _add(self, target: Target, path: Path, raw: object, origin: Callable[[Path], str]) -> None:
        if isinstance(raw, BaseModel) and target.kind == "model":
            raw = {name: getattr(raw, name) for name in raw.model_fields_set}
        if isinstance(raw, Mapping) and target.kind != "leaf":
            if path and (not raw or target.kind == "model"):
                self.put(path, {}, origin(path), secret=False)
            for key, value in raw.items():
                self._add_below(target, (*path, str(key)), value, origin)
            return
        raw = reveal(raw)
        secret = target.secret or any(is_secret_name(part) for part in path)
        if isinstance(raw, bool) and _counts(target):
            # Python's own rules would read true as the number 1.
            words = f"expected {expected(target)}"
            shown = "" if secret else found(raw)
            self.problem(dotted(path), origin(path), words, found=shown)
        else:
            self.put(path, raw, origin(path), secret=secret)

    def _add_below(
        self, target: Target, path: Path, value: object, origin: Callable[[Path], str]
    ) -> None:
        if path == ("environment",):
            hint = f"use --environment or the variable {self.prefix}ENVIRONMENT"
            self.problem("environment", origin(path), ENVIRONMENT_IN_FILE, hint=hint)
            return
        below = step(target, path[-1])
        if below is None:
            self._unknown(target, path, origin(path))
        else:
            self._add(below, path, value, origin)

    def _unknown(self, target: Target, path: Path, origin: str) -> None:
        known = list(target.members[0].model_fields) if target.kind == "model" else []
        hint = did_you_mean(path[-1].lower().replace("-", "_"), known)
        if not hint:
            name = dotted(path)
            hint = did_you_mean(name, tables(self.cls))
        self.problem(dotted(path), origin, "there is no setting of that name", hint=hint)

    def add_variables(
        self, variables: Iterable[tuple[str, str, str]], *, from_file: bool = False
    ) -> None:
        """Add a layer of variables: (name, text, origin), names with the prefix."""
        for name, text, origin in variables:
            rest = name[len(self.prefix) :]
            if rest.upper() == "ENVIRONMENT" and from_file:
                hint = f"use --environment or set {self.prefix}ENVIRONMENT outside of files"
                self.problem("environment", origin, ENVIRONMENT_IN_FILE, hint=hint)
            elif rest.upper() not in self.reserved and not self.add_variable(rest, text, origin):
                self._unknown_variable(name, origin)

    def add_variable(self, rest: str, text: str, origin: str) -> bool:
        """Add one variable, its name without the prefix; False: no setting has that name."""
        target = root(self.cls)
        path: Path = ()
        for part in rest.split("__"):
            below = step_variable(target, part)
            if below is None:
                return False
            path, target = (*path, below[0]), below[1]
        try:
            value = decode(target, text)
        except ValueError:
            hint = "write JSON, or one variable for each key with __ between the parts"
            self.problem(dotted(path), origin, f"expected {expected(target)}", hint=hint)
        else:
            self._add(target, path, value, lambda _: origin)
        return True

    def _unknown_variable(self, name: str, origin: str) -> None:
        if not self.prefix:
            return  # without a prefix nobody can tell whose variable it is
        known = [variable(self.prefix, key.split(".")) for key in tables(self.cls)]
        known += [self.prefix + rest for rest in self.reserved]
        self.warnings.append(
            SettingProblem(
                key=printable(name),
                origin=origin,
                found="",
                expected="there is no setting of that name",
                hint=did_you_mean(name.upper(), known),
            )
        )

    def data(self) -> dict[str, Any]:
        """Return the entries as nested tables, for pydantic."""
        data: dict[str, Any] = {}
        for path, entry in self.entries.items():
            table = data
            for part in path[:-1]:
                table = table.setdefault(part, {})
            table[path[-1]] = dict(entry.raw) if entry.raw == {} else entry.raw
        return data


def _counts(target: Target) -> bool:
    """Tell whether only numbers are taken, as opposed to true and false."""
    return any(member in (int, float) for member in target.members) and not any(
        member in (bool, str, Any) for member in target.members
    )
