"""The tasks of an application, by name: found in modules, or given one by one.

Nothing registers itself when it is imported: what an application can run is what it is told to
look at, in whichever order files are imported.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final

from tornkit._imports import import_module, list_package
from tornkit._text import did_you_mean, listing, printable
from tornkit.errors import TaskError, UnknownTask
from tornkit.tasks.task import Task

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["Registry", "find_tasks"]

_FILE: Final = "tasks"
_PASSED_OVER: Final = "tests"


class Registry(Mapping[str, Task[..., Any]]):
    """Tasks by their names.

    Raises:
        TaskError: two of them have one name, or one has an annotation that JSON cannot serve.
    """

    def __init__(self, tasks: Iterable[Task[..., Any]] = ()) -> None:
        self._tasks: dict[str, Task[..., Any]] = {}
        for each in tasks:
            known = self._tasks.setdefault(each.name, each)
            if known is not each:
                raise TaskError(
                    f"two tasks are called {each.name!r}: {known.place} and {each.place}",
                    hint="give one of them another name=",
                    file=each.file,
                    line=each.line,
                )
            _ = each.arguments, each.results  # what is wrong with them is said at the start

    def __getitem__(self, name: str) -> Task[..., Any]:
        try:
            return self._tasks[name]
        except KeyError:
            raise UnknownTask(
                f"there is no task {printable(name)!r}",
                hint=did_you_mean(name, self._tasks) or f"there is {listing(self._tasks)}",
            ) from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._tasks)

    def __len__(self) -> int:
        return len(self._tasks)


def find_tasks(*sources: str | ModuleType | Task[..., Any]) -> list[Task[..., Any]]:
    """Return the tasks of some modules, each once, in the order in which they are found.

    Args:
        sources: a task; a module, whose own names are looked at; or the dotted name of a module
            or package, of which every file and package called ``tasks`` is imported too, but
            nothing below a package called ``tests``.

    Raises:
        MissingModuleError: there is no module of that name.
        UserCodeError: one of them raised while it was imported.

    Example:
        ``find_tasks("myschool")`` finds those of ``myschool/tasks.py`` and of
        ``myschool/modules/teacher/tasks.py``.
    """
    found: dict[int, Task[..., Any]] = {}
    for source in sources:
        for each in _tasks_of(source):
            found.setdefault(id(each), each)
    return list(found.values())


def _tasks_of(source: str | ModuleType | Task[..., Any]) -> Iterator[Task[..., Any]]:
    if isinstance(source, Task):
        yield source
        return
    for module in _modules_of(source):
        yield from (each for each in vars(module).values() if isinstance(each, Task))


def _modules_of(source: str | ModuleType) -> Iterator[ModuleType]:
    if isinstance(source, ModuleType):
        yield source
        return
    module = import_module(source, what=f"{source} (its tasks)")
    yield module
    if hasattr(module, "__path__"):
        yield from _below(module, everything=source.rpartition(".")[2] == _FILE)


def _below(package: ModuleType, *, everything: bool) -> Iterator[ModuleType]:
    """Yield the modules called ``tasks`` below a package, or all if it is called so itself."""
    for child in list_package(package):
        wanted = everything or child.name == _FILE
        if not child.name.isidentifier() or child.name == _PASSED_OVER:
            continue
        if not wanted and not child.is_package:
            continue
        dotted = f"{package.__name__}.{child.name}"
        module = import_module(dotted, what=f"{dotted} (its tasks)", file=str(child.path))
        if wanted:
            yield module
        if child.is_package:
            yield from _below(module, everything=wanted)
