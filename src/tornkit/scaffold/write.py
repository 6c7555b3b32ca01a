"""Put finished files on disk: staged beside the target, then moved, whole or not at all."""

from __future__ import annotations

import os
import shutil
import signal
import threading
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tornkit._text import printable
from tornkit.errors import ScaffoldError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tornkit.scaffold.render import Files

__all__ = ["check_target", "write_into", "write_project"]


def check_target(target: Path) -> None:
    """Refuse a target that is there and not an empty folder.

    Raises:
        ScaffoldError: with the reason.
    """
    if not os.path.lexists(target):
        return
    if not target.is_dir():
        raise ScaffoldError(f"{_shown(target)} is there and is not a folder", hint=_ELSEWHERE)
    with _reported(target):
        if any(target.iterdir()):
            raise ScaffoldError(f"{_shown(target)} is there and not empty", hint=_ELSEWHERE)


def write_project(files: Files, target: Path) -> None:
    """Write a whole project into ``target``, which is missing or an empty folder.

    Raises:
        ScaffoldError: nothing was written, with the reason.
    """
    check_target(target)
    if os.path.isdir(target):  # noqa: PTH112 - Path.is_dir raises where a parent is closed
        write_into(files, target)
        return
    with _reported(target), _folders(target.parent), _staged(files, target.parent) as stage:
        # One rename: the project is there at once, or not at all. It fails on a folder
        # that somebody has filled in the meantime.
        stage.rename(target)


def write_into(files: Files, root: Path, *, replace: str = "") -> None:
    """Add files to the folder ``root``, which has none of them; after a failure none is left.

    A folder that is not there yet appears with one move. ``replace`` is a file that may be
    there already; it is moved last, as the seal of the whole.

    Raises:
        ScaffoldError: nothing was written, with the reason; also when a file is there.
    """
    with _reported(root), _staged(files, root) as stage:
        done: list[_Move] = []
        made: list[Path] = []
        try:
            if replace:
                _make_folders((root / replace).parent, made)
            _place(stage, root, stage / replace, done)
            if replace:
                (stage / replace).replace(root / replace)
        except BaseException:
            with _undisturbed():
                _undo(done, made)
            raise


_ELSEWHERE = "nothing is overwritten: choose another folder"


def _shown(path: Path) -> str:
    return f"'{printable(path, limit=300)}'"


@contextmanager
def _reported(target: Path) -> Iterator[None]:
    """Turn what the system refuses into an error that names the target."""
    try:
        yield
    except ScaffoldError:
        raise
    except FileExistsError as error:
        place = printable(error.filename2 or error.filename or target, limit=300)
        raise ScaffoldError(f"'{place}' is there already", hint="nothing was written") from error
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise ScaffoldError(
            f"cannot write in {_shown(target)}: {reason}", hint="nothing was written"
        ) from error


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Hold Ctrl-C back while half-done work is undone."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def _folders(folder: Path) -> Iterator[None]:
    """Make a folder with those above it; take the made ones away again after a failure."""
    made: list[Path] = []
    try:
        _make_folders(folder, made)
        yield
    except BaseException:
        with _undisturbed():
            _undo([], made)
        raise


def _make_folders(folder: Path, made: list[Path]) -> None:
    missing = []
    while not os.path.isdir(folder):  # noqa: PTH112 - as above
        missing.append(folder)
        folder = folder.parent
    for each in reversed(missing):
        made.append(each)
        each.mkdir(exist_ok=True)


@contextmanager
def _staged(files: Files, beside: Path) -> Iterator[Path]:
    """Write the files into a folder of their own in ``beside``; it is gone afterwards."""
    outer = beside / f".tornkit-{os.urandom(6).hex()}"
    stage = outer / "files"
    try:
        outer.mkdir(mode=0o700)
        stage.mkdir()  # with the user's own permissions, for this one is moved
        for path, content in files.items():
            _write(stage / path, content)
        yield stage
    finally:
        with _undisturbed():
            shutil.rmtree(outer, ignore_errors=True)


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    mode = 0o600 if path.name == ".env" else 0o666
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:  # noqa: PTH123 - Path.open sets no mode
        file.write(content)


@dataclass(frozen=True, slots=True)
class _Move:
    """A file or folder and where it goes; ``inside`` is what a folder held then."""

    source: Path
    goal: Path
    inside: tuple[Path, ...]


def _place(stage: Path, root: Path, leave: Path, done: list[_Move]) -> None:
    """Move what is in ``stage``, files first: whole folders where none is there yet."""
    for source in sorted(stage.iterdir(), key=lambda path: (path.is_dir(), path.name)):
        goal = root / source.name
        if source == leave:
            continue
        if source.is_dir() and goal.is_dir():
            _place(source, goal, leave, done)
            continue
        inside = tuple(path.relative_to(source) for path in sorted(source.rglob("*")))
        done.append(_Move(source, goal, inside))  # before: an interrupt may come just after
        try:
            _move(source, goal)
        except OSError:
            if not (source.is_dir() and goal.is_dir()):
                raise
            _place(source, goal, leave, done)  # another command has made the folder just now


def _move(source: Path, goal: Path) -> None:
    """Move a file or folder to where nothing is.

    Raises:
        FileExistsError: something is there, also when it came a moment ago.
    """
    if source.is_dir():
        if os.path.lexists(goal):
            raise FileExistsError(17, "is there", str(goal))
        source.rename(goal)
        return
    try:
        os.link(source, goal)  # unlike a rename it never replaces
    except FileExistsError:
        raise FileExistsError(17, "is there", str(goal)) from None
    except OSError:
        # A file system without hard links.
        if os.path.lexists(goal):
            raise FileExistsError(17, "is there", str(goal)) from None
        source.rename(goal)


def _undo(done: list[_Move], made: list[Path]) -> None:
    """Take back the moves that happened, and the folders made that are empty."""
    for move in reversed(done):
        with suppress(OSError):
            if not move.source.exists():
                _remove(move)
            elif move.source.is_file() and move.goal.samefile(move.source):
                move.goal.unlink()
    for folder in reversed(made):
        with suppress(OSError):
            folder.rmdir()


def _remove(move: _Move) -> None:
    """Remove what was moved, and nothing that somebody else has put beside it since."""
    for place in [*(move.goal / path for path in reversed(move.inside)), move.goal]:
        with suppress(OSError):
            place.rmdir() if place.is_dir() else place.unlink()
