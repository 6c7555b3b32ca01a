"""Take a generated module away, sparing what somebody has edited or added."""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tornkit.errors import ScaffoldError
from tornkit.scaffold.records import fingerprint, load_record, module_record

if TYPE_CHECKING:
    from pathlib import Path

    from tornkit.scaffold.layout import Layout

__all__ = ["Removal", "plan_removal", "remove"]


@dataclass(frozen=True, slots=True)
class Removal:
    """What taking a module away does: paths in the project.

    ``removed`` ends with the module's record. ``edited`` and ``added`` stay: generated files
    that were changed, and others beside them.
    """

    dotted: str
    removed: tuple[str, ...]
    edited: tuple[str, ...]
    added: tuple[str, ...]

    @property
    def kept(self) -> tuple[str, ...]:
        """Everything that stays."""
        return self.edited + self.added


def plan_removal(project: Layout, name: str) -> Removal:
    """Compare a module's record with what is there.

    Raises:
        ScaffoldError: the module was not generated, or its record is damaged.
    """
    dotted = name.replace("/", ".")
    project.check_generated(dotted)
    own = module_record(dotted)
    record = load_record(project.root, own)
    if record is None:
        raise ScaffoldError(f"no module '{dotted}' was generated here")
    same: list[str] = []
    edited: list[str] = []
    for path, digest in sorted(record.files.items()):
        if _shared(project, path, name):
            continue
        found = _read(project.root, path)
        if found is not None:
            (same if fingerprint(found) == digest else edited).append(path)
    added = sorted(_others(project, name, {*same, *edited}))
    return Removal(dotted, (*same, own), tuple(edited), tuple(added))


def remove(project: Layout, removal: Removal) -> None:
    """Delete what the plan says, then the record, then the folders left empty.

    A failure leaves the record, so that the same command goes on where it stopped.

    Raises:
        ScaffoldError: a file cannot be deleted.
    """
    root = project.root
    *files, record = removal.removed
    # What makes it a module goes first: without it a running site no longer looks here.
    for path in sorted(files, key=lambda path: not path.endswith("/__init__.py")):
        _delete(root, path)
    _delete(root, record)
    for folder in sorted({_parent(path) for path in files}, key=len, reverse=True):
        _tidy(root, folder)


def _parent(path: str) -> str:
    return path.rpartition("/")[0]


def _read(root: Path, path: str) -> bytes | None:
    try:
        return (root / path).read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise ScaffoldError(f"{path} cannot be read: {error.strerror}") from error


def _delete(root: Path, path: str) -> None:
    try:
        (root / path).unlink(missing_ok=True)
    except OSError as error:
        raise ScaffoldError(
            f"{path} cannot be removed: {error.strerror}", hint="run the command again"
        ) from error


def _shared(project: Layout, path: str, name: str) -> bool:
    """Tell whether the file is that of a group with other modules in it."""
    group = name.rpartition("/")[0]
    if not group or path != f"{project.folder}/modules/{group}/__init__.py":
        return False
    own = name.rpartition("/")[2]
    neighbours = {entry.name for entry in (project.modules / group).iterdir()}
    return bool(neighbours - {own, "__init__.py", "__pycache__"})


def _others(project: Layout, name: str, known: set[str]) -> list[str]:
    """Return the files in the module's folder that no record names."""
    found = []
    for folder, names, files in os.walk(project.modules / name):
        names[:] = [each for each in names if each != "__pycache__"]
        for file in files:
            path = os.path.relpath(os.path.join(folder, file), project.root)  # noqa: PTH118 - os.walk gives text
            found.append(path.replace(os.sep, "/"))
    return [path for path in found if path not in known]


def _tidy(root: Path, folder: str) -> None:
    """Remove a folder that is empty but for compiled files, and those above it likewise."""
    if not folder or folder.endswith("/modules"):
        return
    place = root / folder
    with suppress(OSError):
        if all(entry.name == "__pycache__" for entry in place.iterdir()):
            shutil.rmtree(place / "__pycache__", ignore_errors=True)
            place.rmdir()
            _tidy(root, _parent(folder))
