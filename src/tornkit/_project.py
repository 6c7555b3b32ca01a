"""Find the project and its application by name; nothing is opened or started here."""

from __future__ import annotations

import importlib
import inspect
import os
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tornkit._text import did_you_mean, printable
from tornkit.errors import StartError, TornkitError, UserCodeError

if TYPE_CHECKING:
    from types import ModuleType

    from tornado.web import Application

__all__ = ["Project", "find_project", "load_application"]

_EXAMPLE = 'app = "myschool.app:create_app"'


@dataclass(frozen=True, slots=True)
class Project:
    """Where a project lives, and the dotted name of its application."""

    directory: Path
    app: str
    source: str

    @property
    def package(self) -> str:
        """The top-level package that holds the application."""
        return self.app.partition(":")[0].partition(".")[0]


def find_project(app: str | None = None, *, start: Path | None = None) -> Project:
    """Find the application's name: the one given, else TORNKIT_APP, else pyproject.toml.

    Raises:
        StartError: there is none, or what is there is not ``module:name``.
    """
    here = (start or _current_folder()).resolve()
    given, source = (app, "--app") if app else (os.environ.get("TORNKIT_APP"), "TORNKIT_APP")
    declared = _declared(here, lenient=bool(given))
    if given:
        return Project(declared.directory if declared else here, _checked(given, source), source)
    if declared is None:
        raise StartError(
            f"no project here: {printable(here)} and the folders above hold no pyproject.toml"
            " with [tool.tornkit]",
            hint="run the command in a project, or name the application with --app module:name",
            check_id="app.no-project",
        )
    _checked(declared.app, declared.source)
    return declared


def _current_folder() -> Path:
    try:
        return Path.cwd()
    except OSError as error:
        raise StartError(
            "the folder you are in is gone",
            hint="change to the project's folder",
            check_id="app.no-project",
        ) from error


def _declared(here: Path, *, lenient: bool) -> Project | None:
    for folder in (here, *here.parents):
        file = folder / "pyproject.toml"
        if not file.is_file():
            continue
        try:
            table = tomllib.loads(file.read_text(encoding="utf-8")).get("tool", {}).get("tornkit")
        except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
            if lenient:
                continue
            raise StartError(
                f"{printable(file)} cannot be read: {printable(error)}",
                hint="correct the file",
                file=str(file),
                check_id="app.no-project",
            ) from error
        if table is None:
            continue
        app = table.get("app") if isinstance(table, dict) else None
        if isinstance(app, str):
            return Project(folder, app, str(file))
        if not lenient:
            raise StartError(
                f"{printable(file)}: [tool.tornkit] names no application",
                hint=f"write {_EXAMPLE}",
                file=str(file),
                check_id="app.bad-name",
            )
    return None


def _checked(name: str, source: str) -> str:
    module, colon, attribute = name.partition(":")
    parts = [*module.split("."), *attribute.split(".")]
    if not colon or not all(part.isidentifier() for part in parts):
        raise StartError(
            f"{printable(source)} names the application {printable(name)!r}",
            hint=f"write it as module:name, as in {_EXAMPLE}",
            check_id="app.bad-name",
        )
    return name


def load_application(project: Project) -> Application:
    """Import the project and return its application, calling it where it is a function.

    The project's folder is put first on ``sys.path``.

    Raises:
        StartError: the name leads nowhere, or not to an application.
        UserCodeError: the project's code raised; its exception is the cause.
    """
    folder = str(project.directory)
    if folder not in sys.path:
        sys.path.insert(0, folder)
    module_name, _, attribute = project.app.partition(":")
    found = _attribute(_module(module_name, project), attribute, project)
    if inspect.isroutine(found) or (inspect.isclass(found)):
        found = _call(found, project)
    return _application(found, project)


def _module(name: str, project: Project) -> ModuleType:
    try:
        return importlib.import_module(name)
    except TornkitError:
        raise
    except ModuleNotFoundError as error:
        missing = error.name or ""
        if name == missing or name.startswith(f"{missing}."):
            raise StartError(
                f"there is no module {missing!r} in {printable(project.directory)}"
                f" ({printable(project.source)} names {project.app!r})",
                hint="correct the name, or run the command in the project's folder",
                check_id="app.not-found",
            ) from error
        raise _raised(f"module {name!r} could not be imported", error) from error
    except Exception as error:
        raise _raised(f"module {name!r} could not be imported", error) from error


def _attribute(module: ModuleType, dotted: str, project: Project) -> object:
    found: object = module
    for part in dotted.split("."):
        if not hasattr(found, part):
            names = [name for name in vars(found) if not name.startswith("_")]
            near = did_you_mean(part, names)
            raise StartError(
                f"module {module.__name__!r} has no {part!r} ({printable(project.source)})",
                hint=near or "name an application or a function that returns one",
                file=getattr(module, "__file__", None),
                check_id="app.not-found",
            )
        found = getattr(found, part)
    return found


def _call(factory: object, project: Project) -> object:
    if not callable(factory):  # pragma: no cover  isroutine() and isclass() imply it
        return factory
    needed = [
        parameter.name
        for parameter in _parameters(factory)
        if parameter.default is parameter.empty
        and parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
    ]
    if needed:
        raise StartError(
            f"{project.app!r} needs the arguments {', '.join(needed)}",
            hint="give each of them a default: the command line calls it without any",
            check_id="app.not-an-application",
        )
    try:
        return factory()
    except TornkitError:
        raise
    except Exception as error:
        raise _raised(f"{project.app!r} raised", error) from error


def _parameters(factory: object) -> list[inspect.Parameter]:
    try:
        return list(inspect.signature(factory).parameters.values())  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return []


def _application(found: object, project: Project) -> Application:
    from tornado.web import Application  # noqa: PLC0415  the project has imported it by now

    if isinstance(found, Application):
        return found
    if inspect.iscoroutine(found):
        found.close()
    raise StartError(
        f"{project.app!r} is no application but {printable(type(found).__name__)!r}",
        hint="name a tornado.web.Application, or a plain function that returns one",
        check_id="app.not-an-application",
    )


def _raised(message: str, error: BaseException) -> UserCodeError:
    file, line = _place(error)
    return UserCodeError(message, file=file, line=line, check_id="app.raised")


def _place(error: BaseException) -> tuple[str | None, int | None]:
    if isinstance(error, SyntaxError):
        return error.filename, error.lineno
    own = str(Path(__file__).parent)
    place: tuple[str | None, int | None] = (None, None)
    trace = error.__traceback__
    while trace is not None:
        file = trace.tb_frame.f_code.co_filename
        if not file.startswith((own, "<frozen")) and "importlib" not in file:
            place = (file, trace.tb_lineno)
        trace = trace.tb_next
    return place
