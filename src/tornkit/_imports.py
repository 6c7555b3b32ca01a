"""Import by dotted name, list a package, and tell whose fault a failed import is."""

from __future__ import annotations

import importlib
import inspect
from dataclasses import dataclass
from importlib.machinery import all_suffixes
from pathlib import Path
from pkgutil import iter_modules
from typing import TYPE_CHECKING

from tornkit._text import printable
from tornkit.errors import TornkitError, UserCodeError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType, TracebackType

__all__ = ["Child", "MissingModuleError", "import_module", "list_package"]


class MissingModuleError(TornkitError, ImportError):
    """Nothing can be imported under this name; no user's file has failed."""


@dataclass(frozen=True, slots=True)
class Child:
    """What a package holds: a file, a package, or a folder with Python files somewhere in it."""

    name: str
    path: Path
    is_package: bool


def import_module(dotted: str, *, what: str, file: str | None = None) -> ModuleType:
    """Import a module; ``what`` names it in the error.

    Raises:
        MissingModuleError: it, or a package that it is in, does not exist.
        UserCodeError: it raised, or what it imports did; the exception is the cause.
        TornkitError: it raised one of tornkit's own, which has its own place.
    """
    # A file that was written within the last tick of the clock is not in the finders' caches.
    importlib.invalidate_caches()
    try:
        return importlib.import_module(dotted)
    except TornkitError:
        raise
    except ModuleNotFoundError as error:
        if _is_missing(dotted, error):
            raise MissingModuleError(
                f"there is no module {printable(error.name)!r}",
                hint="is it spelled right, and is its folder on sys.path?",
            ) from None
        raise _user_error(error, what, file) from error
    except (Exception, SystemExit) as error:
        raise _user_error(error, what, file) from error


def list_package(package: ModuleType) -> list[Child]:
    """Return what a package holds, by name; nothing is imported.

    Left out are names that start with ``_`` or ``.``, and folders without any Python file.
    A name that occurs twice (``teacher.py`` beside ``teacher/``) is there twice.
    """
    found: dict[tuple[str, bool, Path], Child] = {}
    for entry in getattr(package, "__path__", ()):
        folder = Path(entry)
        if folder.is_dir():
            children: Iterator[Child] = _list_folder(folder)
        else:
            children = (
                Child(item.name, folder / item.name, item.ispkg) for item in iter_modules([entry])
            )
        for child in children:
            # A module and its compiled twin lie side by side under one name.
            found.setdefault((child.name, child.is_package, child.path.parent), child)
    return sorted(found.values(), key=lambda child: (child.name, str(child.path)))


def _list_folder(folder: Path) -> Iterator[Child]:
    for path in sorted(folder.iterdir()):
        if path.name.startswith(("_", ".")):
            continue
        if path.is_dir():
            if _is_package(path) or (path.name.isidentifier() and _holds_python(path)):
                yield Child(path.name, path, is_package=True)
            continue
        name = inspect.getmodulename(path.name)
        if name is not None:
            yield Child(name, path, is_package=False)


def _is_package(folder: Path) -> bool:
    return any((folder / f"__init__{suffix}").is_file() for suffix in all_suffixes())


def _holds_python(folder: Path) -> bool:
    return any(folder.rglob("*.py"))


def _is_missing(dotted: str, error: ModuleNotFoundError) -> bool:
    name = error.name or ""
    return f"{dotted}.".startswith(f"{name}.") and not any(_user_frames(error.__traceback__))


def _user_frames(traceback: TracebackType | None) -> Iterator[tuple[str, int]]:
    """Yield file and line of each frame that is neither ours nor the import system's."""
    while traceback is not None:
        file = traceback.tb_frame.f_code.co_filename
        if file not in {__file__, importlib.__file__} and not file.startswith("<frozen"):
            yield file, traceback.tb_lineno
        traceback = traceback.tb_next


def _user_error(error: BaseException, what: str, file: str | None) -> UserCodeError:
    frames: list[tuple[str | None, int | None]] = list(_user_frames(error.__traceback__))
    if isinstance(error, SyntaxError) and error.filename:
        frames.append((error.filename, error.lineno or 1))
    own = [frame for frame in frames if frame[0] == file]
    place = (own or frames or [(file, None)])[-1]
    return UserCodeError(
        f"{what} could not be imported: {type(error).__name__}",
        file=place[0],
        line=place[1],
        check_id="modules.import",
    )
