"""Find the project around a folder, and what add-module and remove-module ask of it."""

from __future__ import annotations

import ast
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tornkit._project import find_project
from tornkit._text import did_you_mean, listing, printable
from tornkit.errors import ScaffoldError
from tornkit.scaffold.records import load_record, module_record

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Layout", "find_layout"]


@dataclass(frozen=True, slots=True)
class Layout:
    """A project on disk: its folder, its import name, the path of its package inside."""

    root: Path
    package: str
    folder: str

    @property
    def modules(self) -> Path:
        """The folder of its modules."""
        return self.root / self.folder / "modules"

    @property
    def has_accounts(self) -> bool:
        """Whether somebody can sign in: there is a module ``account``."""
        return self._is_module("account")

    def generated(self) -> list[str]:
        """Return the names of the modules that have a record, with dots."""
        records = self.root / module_record("x")
        return sorted(path.stem for path in records.parent.glob("*.json"))

    def hues(self) -> list[int]:
        """Return the colours of the generated modules, as their records tell."""
        found = []
        for name in self.generated():
            # A damaged record is reported by whoever needs all of it; here it costs a colour.
            with suppress(ScaffoldError):
                record = load_record(self.root, module_record(name))
                found.append(record.answers.get("hue") if record else None)
        return [hue for hue in found if isinstance(hue, int)]

    def _is_module(self, name: str) -> bool:
        return any((self.modules / found).exists() for found in (name, f"{name}.py"))

    def check_free(self, name: str) -> None:
        """Refuse a module's name that is taken, or that stands below a module.

        Raises:
            ScaffoldError: with the file that is there.
        """
        group, _, _ = name.rpartition("/")
        if (self.modules / f"{group or name}.py").exists():
            self._taken(f"{group or name}.py")
        if (self.modules / f"{name}.py").exists():
            self._taken(f"{name}.py")
        if (self.modules / name).exists():
            self._taken(name)
        if group and _declares_module(self.modules / group / "__init__.py"):
            raise ScaffoldError(
                f"'{group}' is a module itself, so no module can stand below it",
                hint="choose another group",
            )

    def _taken(self, found: str) -> None:
        place = f"{self.folder}/modules/{found}"
        raise ScaffoldError(f"{place} is there already", hint="choose another name")

    def check_generated(self, dotted: str) -> None:
        """Refuse the name of a module that has no record.

        Raises:
            ScaffoldError: with the nearest name that has one.
        """
        known = self.generated()
        if dotted not in known:
            near = did_you_mean(dotted, known) or f"generated modules are: {listing(known)}"
            raise ScaffoldError(f"no module '{dotted}' was generated here", hint=near)


def find_layout(start: Path | None = None) -> Layout:
    """Return the project around ``start``, by default the working folder.

    Raises:
        StartError: there is none.
        ScaffoldError: it has no folder for modules.
    """
    found = find_project(start=start)
    for folder in (found.package, f"src/{found.package}"):
        if (found.directory / folder / "modules").is_dir():
            return Layout(found.directory, found.package, folder)
    raise ScaffoldError(
        f"{printable(found.directory / found.package, limit=300)} has no folder 'modules'",
        hint=f'make it, and give it to Application(modules="{found.package}.modules")',
    )


def _declares_module(file: Path) -> bool:
    """Tell whether the file assigns ``module`` at its top level."""
    try:
        tree = ast.parse(file.read_bytes())
    except (FileNotFoundError, SyntaxError):
        return False
    targets = [
        target
        for node in tree.body
        for target in (
            node.targets
            if isinstance(node, ast.Assign)
            else [node.target]
            if isinstance(node, ast.AnnAssign)
            else []
        )
    ]
    return any(isinstance(target, ast.Name) and target.id == "module" for target in targets)
