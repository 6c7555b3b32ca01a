"""`Bind`: what every database of a site has in common, whatever it is a database of.

`tornkit.databases.binds` makes the right one for a URL; each kind lives in the file named
after it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from tornkit._text import did_you_mean, listing, printable
from tornkit.errors import DatabaseError, MissingDriver

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

__all__ = [
    "PING_TIMEOUT",
    "Bind",
    "check_files",
    "first_line",
    "importing",
    "missing_driver",
    "options_of",
]

PING_TIMEOUT = 5.0
"""Seconds that a ping waits unless told otherwise."""

Options = TypeVar("Options")


class Bind(ABC):
    """A database under its bind's name; making one opens nothing and imports no driver.

    Attributes:
        name: the bind, such as ``default``.
        url: its URL without the password, fit for showing.
        required: whether the site is not ready while it does not answer.
    """

    kind: ClassVar[str]
    """What messages call it: ``SQL``, ``MongoDB``, ``Redis`` or ``HTTP``."""
    reach: ClassVar[str]
    """How a handler reaches one: ``self.db``, ``self.mongo``, ``self.redis``, ``self.http``."""

    name: str
    url: str
    required: bool = True

    @abstractmethod
    def __init__(self, name: str, url: str, options: Mapping[str, Any] = ...) -> None: ...

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name!r} {self.url}>"

    @property
    @abstractmethod
    def is_open(self) -> bool:
        """Whether it was opened in this process."""

    @abstractmethod
    async def open(self) -> None:
        """Import the driver and make ready; the first use connects. Twice is once.

        Raises:
            MissingDriver: the driver is not installed.
        """

    @abstractmethod
    async def close(self) -> None:
        """Close every connection; what is closed can be opened again. Twice is once."""

    @abstractmethod
    async def ping(self, timeout: float = PING_TIMEOUT) -> None:  # noqa: ASYNC109 - seconds, as in health
        """Ask for an answer within ``timeout`` seconds.

        Raises:
            DatabaseError: there was none.
        """

    @abstractmethod
    def explain(self, error: BaseException) -> DatabaseError | None:
        """Return what a driver's error means, or None where it is the caller's own affair."""

    def _not_open(self) -> DatabaseError:
        return DatabaseError(
            f"database {self.name!r} is not open", hint="await databases.open() first"
        )

    def _no_answer(self, seconds: float) -> DatabaseError:
        return DatabaseError(
            f"database {self.name!r} gave no answer within {seconds:g} s",
            hint="check that its server runs, and is not too slow",
            check_id="databases.unavailable",
        )


def options_of(kind: type[Options], name: str, what: str, given: Mapping[str, Any]) -> Options:
    """Return a dataclass of options filled with those of the settings.

    Args:
        kind: the dataclass; its fields are the options there are, with their defaults.
        name: the bind.
        what: what messages call the kind of database.
        given: the options that the settings name.

    Raises:
        DatabaseError: one of them is no option of this kind.
    """
    known = [field.name for field in fields(kind)]  # type: ignore[arg-type]  # a dataclass
    for key in given:
        if key not in known:
            raise DatabaseError(
                f"database_options.{name}.{printable(key)}: {what} databases have no such option",
                hint=did_you_mean(key, known) or f"they have: {listing(known)}",
                check_id="databases.option",
            )
    return kind(**given)


def check_files(name: str, given: Mapping[str, object]) -> None:
    """Refuse files that a URL names and that cannot be read, such as certificates.

    Args:
        name: the bind.
        given: option → path.

    Raises:
        DatabaseError: with the option and the path.
    """
    for option, path in given.items():
        try:
            Path(str(path)).open("rb").close()
        except (OSError, ValueError) as error:  # a path may hold a NUL
            reason = getattr(error, "strerror", None) or str(error)
            raise DatabaseError(
                f"database {name!r}: {option} names a file that cannot be read: "
                f"{printable(path, limit=200)} ({reason})",
                hint="check the URL, and who may read the file",
                check_id="databases.url",
            ) from None


def first_line(words: str, hidden: Iterable[str] = ()) -> str:
    """Return the first line of a driver's words in printable form, what is hidden as ``***``."""
    line = next(iter(words.splitlines()), "")
    for secret in hidden:
        line = line.replace(secret, "***")
    return printable(line, limit=200)


@contextmanager
def importing(name: str, package: str, extra: str) -> Iterator[None]:
    """Import a driver inside; the arguments are those of `missing_driver`.

    Raises:
        MissingDriver: it is not there, or cannot be imported.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        raise missing_driver(name, package, extra) from error
    except ImportError as error:
        raise missing_driver(name, package, extra, error) from error


def missing_driver(
    name: str, package: str, extra: str | None, error: object = ""
) -> MissingDriver:
    """Return the error that says how a driver is installed.

    Args:
        name: the bind.
        package: the import name of the driver.
        extra: the extra of tornkit that brings it.
        error: what its import said, where it is there and fails.
    """
    place = f"database {name!r}: its driver, {package},"
    if error:
        return MissingDriver(
            f"{place} cannot be imported: {printable(error)}", hint="install it again"
        )
    command = f'pip install "tornkit[{extra}]"' if extra else f"pip install {package}"
    return MissingDriver(f"{place} is not installed", hint=f"run {command}")
