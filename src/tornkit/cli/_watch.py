"""Notice changed files by their times; standard library only, cheap on big trees.

A folder is listed again only when its own time has changed; otherwise only the watched files
in it are looked at.
"""

from __future__ import annotations

# ruff: noqa: PTH116, PTH118, PTH110  a Path for every file of a big tree takes three times as long
import os
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

__all__ = ["Change", "Watcher"]

_IGNORED = frozenset({"__pycache__", "node_modules"})
# At the top of a project these hold what the site writes while it runs, or does not serve.
_IGNORED_AT_TOP = frozenset({"data", "log", "upload", "build", "dist", "tests"})
_CODE = (".py", ".toml", ".env")
_READ_AGAIN = (".html", ".jinja", ".txt", ".xml", ".css", ".js", ".svg", ".json")
# A folder that changed this recently may change again without a new time on its stamp.
_SETTLED_NS = 1_000_000_000

Stamp = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Change:
    """What differs between two looks, code first, and whether any of it needs a restart."""

    paths: tuple[str, ...]
    needs_restart: bool


@dataclass(slots=True)
class _Folder:
    stamp: int
    listed_at: int
    files: dict[str, Stamp] = field(default_factory=dict)
    folders: list[str] = field(default_factory=list)


class Watcher:
    """Look at a folder's files again and again; `look` says what has changed.

    Args:
        root: the project's folder.
        ignored: more folders to leave out, such as where uploads go.
    """

    def __init__(self, root: Path, ignored: Iterable[str] = ()) -> None:
        self._root = str(root)
        self._ignored = {os.path.realpath(path) for path in ignored}
        self._known: dict[str, _Folder] = {}
        self._pause = 0.2
        self.look()

    @property
    def pause(self) -> float:
        """Seconds to wait before the next look: longer where a look takes long."""
        return self._pause

    def ignore(self, paths: Iterable[str]) -> None:
        """Leave out more folders from now on, without reporting what leaves the picture."""
        self._ignored |= {os.path.realpath(path) for path in paths}
        self._known = {
            path: folder for path, folder in self._known.items() if not self._is_ignored(path)
        }
        for folder in self._known.values():
            folder.folders = [path for path in folder.folders if not self._is_ignored(path)]

    def look(self) -> Change | None:
        """Return what has changed since the last look, or None."""
        began = time.monotonic()
        before, self._known = self._known, {}
        pending = [self._root]
        while pending:
            path = pending.pop()
            folder = self._read(path, before.get(path))
            if folder is not None:
                self._known[path] = folder
                pending += folder.folders
        self._pause = min(max(0.2, 5 * (time.monotonic() - began)), 2.0)
        return _difference(before, self._known)

    def _read(self, path: str, known: _Folder | None) -> _Folder | None:
        try:
            stamp = os.stat(path).st_mtime_ns
        except OSError:
            return None
        now = time.time_ns()
        if known and known.stamp == stamp and known.listed_at - stamp > _SETTLED_NS:
            files = {name: _stamp(os.path.join(path, name)) for name in known.files}
            present = {name: found for name, found in files.items() if found is not None}
            return _Folder(stamp, known.listed_at, present, known.folders)
        return self._list(path, stamp, now)

    def _list(self, path: str, stamp: int, now: int) -> _Folder | None:
        folder = _Folder(stamp, now)
        try:
            with os.scandir(path) as entries:
                for entry in entries:
                    if entry.name.endswith((*_CODE, *_READ_AGAIN)) or entry.name == ".env":
                        found = _stamp(entry.path)
                        if found is not None:
                            folder.files[entry.name] = found
                    elif entry.is_dir(follow_symlinks=False) and not self._skips(path, entry):
                        folder.folders.append(entry.path)
        except OSError:
            return None
        return folder

    def _skips(self, parent: str, entry: os.DirEntry[str]) -> bool:
        name = entry.name
        return (
            name.startswith(".")
            or name in _IGNORED
            or (parent == self._root and name in _IGNORED_AT_TOP)
            or self._is_ignored(entry.path)
            or os.path.exists(os.path.join(entry.path, "pyvenv.cfg"))
        )

    def _is_ignored(self, path: str) -> bool:
        return bool(self._ignored) and os.path.realpath(path) in self._ignored


def _stamp(path: str) -> Stamp | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size


def _difference(before: dict[str, _Folder], after: dict[str, _Folder]) -> Change | None:
    if not before:
        return None
    restarting: list[str] = []
    read_again: list[str] = []
    for path, folder in after.items():
        old = before[path].files if path in before else {}
        for name in sorted(old.keys() | folder.files.keys()):
            if old.get(name) != folder.files.get(name):
                kind = restarting if name.endswith(_CODE) else read_again
                kind.append(os.path.join(path, name))
    # A folder of templates or static files that was not there is looked for at the start.
    restarting += sorted(before.keys() ^ after.keys())
    paths = (*restarting, *read_again)
    return Change(paths, bool(restarting)) if paths else None
