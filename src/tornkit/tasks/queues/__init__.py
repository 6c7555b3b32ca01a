"""The queue of a URL; each driver is imported when its scheme is used."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote

from tornkit._redis import SCHEMES as REDIS
from tornkit._redis import URL_HINT, read_place
from tornkit._text import printable
from tornkit.errors import MissingDriver, TaskError

if TYPE_CHECKING:
    from tornkit.tasks.saq import TaskQueue

__all__ = ["beside", "open_queue"]

MEMORY: Final = "memory://"
_IN_MEMORY: Final = ":memory:"
_SQLITE: Final = "sqlite:///"
_POSTGRESQL: Final = ("postgresql", "postgres")
_NAME: Final = re.compile(r"[A-Za-z0-9_.-]{1,100}", re.ASCII)
_SUFFIX: Final = re.compile(r"(\.[A-Za-z0-9]+)?$")
_EXPECTED: Final = (
    "expected sqlite:///data/tasks.db, postgresql://user@host/database, redis://host:6379/0 or, "
    "for tests, memory://"
)


def open_queue(url: str, *, name: str = "default") -> TaskQueue:
    """Return the queue of a URL, not connected.

    Args:
        url: where jobs are kept.
        name: whose they are, where several sites share a server: the name of the package.

    Raises:
        TaskError: the URL names no queue; the message does not quote it, for its password.
        MissingDriver: SAQ or the driver is not installed.
    """
    if not _NAME.fullmatch(name):
        raise TaskError(
            f"{printable(repr(name))} cannot name a task queue",
            hint="use up to 100 letters, digits, and _ . -",
        )
    scheme = url.partition("://")[0]
    if url == MEMORY or url.startswith(_SQLITE):
        return _sqlite(url, name)
    if scheme in _POSTGRESQL:
        return _postgresql(url, name)
    if scheme in REDIS:
        return _redis(url, name)
    raise TaskError("the URL of the task queue names none", hint=_EXPECTED, check_id="tasks.queue")


def beside(url: str) -> str:
    """Return the URL of the queue that belongs to a SQL database, as ``database://default`` means.

    For SQLite that is a file beside the database's: in the same file, tasks and the site's own
    transactions would wait for each other. In PostgreSQL it is the same database.

    Example:
        >>> beside("sqlite:///data/school.db")
        'sqlite:///data/school-tasks.db'

    Raises:
        TaskError: no queue can be kept there.
    """
    scheme, _, rest = url.partition("://")
    kind = scheme.partition("+")[0]
    if kind in _POSTGRESQL:
        return f"postgresql://{rest}"
    path = rest.partition("?")[0].removeprefix("/")
    if kind == "sqlite" and path in ("", _IN_MEMORY):
        return MEMORY
    if kind == "sqlite" and not path.startswith("file:"):
        return _SQLITE + _SUFFIX.sub(r"-tasks\1", path, count=1)
    raise TaskError(
        f"a database of {printable(kind)} keeps no task queue",
        hint=_EXPECTED,
        check_id="tasks.queue",
    )


def _sqlite(url: str, name: str) -> TaskQueue:
    path = _IN_MEMORY if url == MEMORY else url.removeprefix(_SQLITE)
    if not path or "?" in path or (path == _IN_MEMORY and url != MEMORY):
        raise TaskError(
            f"the URL of the task queue is {printable(url)}",
            hint="write sqlite:///data/tasks.db, without options, or memory://",
            check_id="tasks.queue",
        )
    try:
        from tornkit.tasks.queues.sqlite import SQLiteQueue  # noqa: PLC0415 - SAQ is optional
    except ImportError as error:
        raise _missing("SAQ", error, "tasks") from error
    return SQLiteQueue(path if path == _IN_MEMORY else unquote(path), name=name)


def _postgresql(url: str, name: str) -> TaskQueue:
    try:
        from tornkit.tasks.queues.postgresql import PostgreSQLQueue  # noqa: PLC0415 - as above
    except (ImportError, _missing_dependency()) as error:
        raise _missing("SAQ, psycopg or psycopg_pool", error, "tasks,postgresql") from error
    return PostgreSQLQueue(url, name=name)


def _redis(url: str, name: str) -> TaskQueue:
    try:
        place = read_place(url)
    except ValueError as refused:
        raise TaskError(
            f"the URL of the task queue cannot be used: {refused}",
            hint=URL_HINT,
            check_id="tasks.queue",
        ) from None
    try:
        from tornkit.tasks.queues.redis import RedisTaskQueue  # noqa: PLC0415 - as above
    except (ImportError, _missing_dependency()) as error:
        raise _missing("SAQ or redis", error, "tasks,redis") from error
    return RedisTaskQueue(url, name=name, place=place)


def _missing_dependency() -> type[Exception]:
    """Return what SAQ raises where a driver is not installed."""
    try:
        from tornkit.tasks.saq import MissingDependencyError  # noqa: PLC0415 - as above
    except ImportError:
        return ImportError
    return MissingDependencyError


def _missing(what: str, error: BaseException, extras: str) -> MissingDriver:
    return MissingDriver(
        f"the task queue needs {what}, which cannot be imported: {printable(error)}",
        hint=f'run pip install "tornkit[{extras}]"',
    )
