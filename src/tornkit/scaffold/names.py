"""Decide which names a project, a module and a role may have."""

from __future__ import annotations

import keyword
import re
import sys
import unicodedata
from dataclasses import dataclass

from tornkit._text import did_you_mean, printable
from tornkit.errors import BadName

__all__ = [
    "RESERVED_MODULES",
    "ProjectName",
    "check_prefix",
    "module_name",
    "module_names",
    "project_name",
    "role_name",
]

RESERVED_MODULES = frozenset({"static", "health", "tasks", "ops", "metrics"})
"""Module names whose URLs the library serves itself."""

LONGEST_NAME = 40
LONGEST_ROLE = 64
LONGEST_PREFIX = 80

_SHAPE = re.compile(r"[a-z][a-z0-9]*(?:[-_][a-z0-9]+)*")
_PREFIX = re.compile(r"(?:/[A-Za-z0-9][A-Za-z0-9._~-]*)+")
_KEYWORDS = frozenset(word.lower() for word in keyword.kwlist)
_DEVICES = frozenset(
    ["con", "prn", "aux", "nul", "conin$", "conout$", "clock$"]
    + [f"{port}{digit}" for port in ("com", "lpt") for digit in "0123456789"]
)
# Python 3.11 still has these; a project made on a later Python may run there.
_OLDER_STDLIB = frozenset(
    {
        "test",
        "asynchat",
        "asyncore",
        "audioop",
        "cgi",
        "cgitb",
        "chunk",
        "crypt",
        "distutils",
        "imp",
    }
    | {
        "imghdr",
        "lib2to3",
        "mailcap",
        "msilib",
        "nntplib",
        "pipes",
        "smtpd",
        "sndhdr",
        "telnetlib",
    }
)
_DEPENDENCIES = frozenset(
    {"aiosqlite", "alembic", "annotated_types", "argon2", "asyncmy", "bson", "cffi", "click"}
    | {"dotenv", "greenlet", "httpx", "jinja2", "mako", "markupsafe", "msgspec"}
    | {"mypy", "pip", "psycopg", "pydantic", "pydantic_core", "pydantic_settings", "pymongo"}
    | {"pytest", "pytest_asyncio", "redis", "ruff", "saq", "sqlalchemy", "tornado", "tornkit"}
    | {"typing_extensions", "typing_inspection", "uvloop", "zxcvbn"}
)
_PROJECT_FOLDERS = frozenset({"build", "data", "dist", "log", "tests", "upload", "venv"})


@dataclass(frozen=True, slots=True)
class ProjectName:
    """A project's name as typed, and the package it gives."""

    name: str
    package: str


def project_name(typed: str) -> ProjectName:
    """Return the name of a project with its package: ``my-app`` gives ``my_app``.

    Raises:
        BadName: it cannot be the name of a folder and of an importable package everywhere.
    """
    name = typed.lower()
    _check_shape("project", typed, name)
    package = name.replace("-", "_")
    if package in _OLDER_STDLIB or package in {one.lower() for one in sys.stdlib_module_names}:
        _refuse("project", typed, "is the name of a module of Python itself", "choose another")
    if package in _DEPENDENCIES:
        _refuse("project", typed, "is the name of a package tornkit needs", "choose another")
    if package in _PROJECT_FOLDERS:
        _refuse("project", typed, "is the name of a folder inside every project", "choose another")
    return ProjectName(typed, package)


def module_name(typed: str) -> str:
    """Return a checked module's name, ``teacher``, or with its group, ``staff/principal``.

    Raises:
        BadName: it cannot name a package, or the library serves its URL itself.
    """
    if len(typed) > LONGEST_NAME:
        _refuse("module", typed, f"is longer than {LONGEST_NAME} characters", "shorten it")
    parts = typed.split("/")
    if len(parts) > 2:
        _refuse("module", typed, "is nested too deep", "write NAME or GROUP/NAME")
    for part in parts:
        _check_shape("module", typed, part)
        if "-" in part:
            better = typed.replace("-", "_")
            _refuse("module", typed, "has a '-'", f"a module is a package: write {better!r}")
    if parts[0] in RESERVED_MODULES:
        _refuse("module", typed, "is reserved, tornkit serves its URL itself", "choose another")
    return typed


def module_names(typed: str) -> tuple[str, ...]:
    """Return the checked names of ``student,teacher``, in the order given.

    Raises:
        BadName: one of them is bad, given twice, or one that every project has.
    """
    names = [module_name(part.strip()) for part in typed.split(",")]
    tops = [name.split("/")[0] for name in names]
    for position, name in enumerate(names):
        if tops[position] in {"home", "account"}:
            _refuse("module", name, "is in every project already", "leave it out")
        if name in names[:position]:
            _refuse("module", name, "is given twice", "give it once")
        if "/" not in name and any(other.startswith(f"{name}/") for other in names):
            _refuse("module", name, "is a module and a group", "rename one of them")
    return tuple(names)


def role_name(typed: str) -> str:
    """Return a checked role's name.

    Raises:
        BadName: it is not lower-case letters, digits, ``-`` and ``_``.
    """
    _check_shape("role", typed, typed, longest=LONGEST_ROLE, importable=False)
    return typed


def check_prefix(typed: str) -> str:
    """Return a checked URL prefix, such as ``/library``.

    Raises:
        BadName: it is not ``/`` and plain path segments, or the library serves it itself.
    """
    if len(typed) > LONGEST_PREFIX:
        _refuse("prefix", typed, f"is longer than {LONGEST_PREFIX} characters", "shorten it")
    if not _PREFIX.fullmatch(typed):
        advice = "write / and a word, such as /library, without a / at the end"
        _refuse("prefix", typed, "is not a plain path", advice)
    if typed.split("/")[1] in RESERVED_MODULES:
        _refuse("prefix", typed, "is reserved, tornkit serves it itself", "choose another")
    return typed


def _check_shape(
    kind: str, typed: str, name: str, *, longest: int = LONGEST_NAME, importable: bool = True
) -> None:
    """Refuse what is no plain name on every system; ``name`` is the part to look at."""
    if not name.strip():
        _refuse(kind, typed, "is empty", "give it a name")
    if len(name) > longest:
        _refuse(kind, typed, f"is longer than {longest} characters", "shorten it")
    if unicodedata.normalize("NFKC", name) != name:
        _refuse(kind, typed, "has characters that Python reads as others", "use plain a to z")
    if name.partition(".")[0].lower() in _DEVICES:
        _refuse(kind, typed, "is a device on Windows", "choose another")
    if importable and name.lower() in _KEYWORDS:
        _refuse(kind, typed, "is a keyword of Python", "choose another")
    if not _SHAPE.fullmatch(name):
        advice = "use lower-case letters a to z, digits and single _, beginning with a letter"
        better = _mended(name)
        suggestion = f"; {did_you_mean(name, [better])}" if better else ""
        _refuse(kind, typed, "is not a plain name", advice + suggestion.rstrip("; "))


def _mended(name: str) -> str:
    """Return the nearest well-formed name, or "" when there is none."""
    mended = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")
    known_bad = mended in _KEYWORDS or mended in _DEVICES or mended in RESERVED_MODULES
    return mended if _SHAPE.fullmatch(mended) and not known_bad else ""


def _refuse(kind: str, typed: str, found: str, advice: str) -> None:
    raise BadName(f"{kind} '{printable(typed)}' {found}", hint=advice)
