"""A MongoDB database: a client of PyMongo whose operations all end in time."""

from __future__ import annotations

import asyncio
import re
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from tornkit.databases._mongodb_pool import shielded_pool
from tornkit.databases._mongodb_urls import HINT, MongoURL, read_url
from tornkit.databases._strays import Strays
from tornkit.databases.bind import (
    PING_TIMEOUT,
    Bind,
    check_files,
    first_line,
    importing,
    options_of,
)
from tornkit.errors import DatabaseError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import TypeAlias

    from pymongo import AsyncMongoClient
    from pymongo.asynchronous.database import AsyncDatabase

    Documents: TypeAlias = AsyncDatabase[dict[str, Any]]

__all__ = ["MongoDatabase", "MongoOptions"]

# Our options, and what a URL calls them.
_IN_URL: Final = {
    "pool_size": "maxPoolSize",
    "connect_timeout": "connectTimeoutMS",
    "timeout": "timeoutMS",
}
_FILES: Final = ("tlsCAFile", "tlsCertificateKeyFile", "tlsCRLFile")
_PLACE: Final = re.compile(r"\[?(?P<host>[\w.:%-]+?)\]?:(?P<port>[0-9]{1,5}): ")
_DETAILS: Final = re.compile(r" \(configured timeouts:.*|, Timeout: .*|, full error: .*")
_SIGN_IN: Final = frozenset({18, 8000})  # MongoDB's code, and that of Atlas
_UNAUTHORIZED: Final = 13
_HINT: Final = "check that its server runs, and is not too slow"


@dataclass(frozen=True, slots=True)
class MongoOptions:
    """What the settings may choose for a MongoDB database; times in seconds."""

    pool_size: int = 50
    """Connections that a process holds at most to each server; a change stream keeps one."""
    connect_timeout: float = 2.0
    """How long a server may take to accept a connection before another is preferred."""
    timeout: float = 5.0
    """How long an operation may take in all: a server, a free connection, its answer."""


class MongoDatabase(Bind):
    """A MongoDB database under its bind's name.

    Dates come back aware, in UTC; UUIDs are stored in the standard form.

    Args:
        name: the bind, such as ``catalog``.
        url: ``mongodb://[user:password@]host[:port][,…]/database[?options]``, or the same
            with ``mongodb+srv``. The options are PyMongo's.
        options: see `MongoOptions`.

    Raises:
        DatabaseError: the URL is none of these, or an option is none; neither is quoted.
    """

    kind = "MongoDB"
    reach = "self.mongo"

    def __init__(self, name: str, url: str, options: Mapping[str, Any] = {}) -> None:
        self.name = name
        self._given_url = url
        self._parts = _read(name, url)
        self.url = self._parts.shown
        self.options = options_of(MongoOptions, name, "MongoDB", options)
        self._refuse_twice(options)
        self._client: AsyncMongoClient[dict[str, Any]] | None = None
        self._errors: Any = None  # pymongo.errors, once it was opened
        self._strays = Strays()

    @property
    def is_open(self) -> bool:
        """Whether it was opened in this process."""
        return self._client is not None

    @property
    def client(self) -> AsyncMongoClient[dict[str, Any]]:
        """The client of PyMongo, for other databases of the server and for transactions."""
        if self._client is None:
            raise self._not_open()
        return self._client

    @property
    def database(self) -> Documents:
        """The database that the URL names: ``await bind.database.books.find_one()``."""
        return self.client[self._parts.database]

    async def open(self) -> None:
        """Import PyMongo and make a client; the first operation connects. Twice is once.

        Raises:
            DatabaseError: PyMongo knows an option of the URL not, or not its value; a file
                that it names cannot be read.
            MissingDriver: it is not installed.
        """
        if self._client is not None:
            return
        with importing(self.name, "pymongo", "mongodb"):
            from pymongo import AsyncMongoClient, errors  # noqa: PLC0415
            from pymongo.asynchronous.pool import Pool  # noqa: PLC0415
        self._errors = errors
        given = self._parts.options
        check_files(
            self.name, {file: given[file.lower()] for file in _FILES if file.lower() in given}
        )
        problem = ""
        try:
            with warnings.catch_warnings():
                # An option that PyMongo does not know it only warns of.
                warnings.simplefilter("error", UserWarning)
                arguments = {**self._arguments(), "_pool_class": shielded_pool(Pool, self._strays)}
                self._client = AsyncMongoClient(self._given_url, **arguments)
        except (errors.PyMongoError, OSError, ValueError, TypeError, UserWarning) as error:
            problem = self._line(error)
        if problem:  # outside the handler: the error may quote the password
            raise DatabaseError(
                f"database {self.name!r}: its URL cannot be used: {problem}",
                hint="its options are those of PyMongo",
                check_id="databases.url",
            )

    async def close(self) -> None:
        """Close every connection; what is closed can be opened again. Twice is once."""
        client, self._client = self._client, None
        if client is not None:
            await client.close()
            await self._strays.settle()

    async def ping(self, timeout: float = PING_TIMEOUT) -> None:  # noqa: ASYNC109 - seconds, as in health
        """Ask for an answer within ``timeout`` seconds.

        Raises:
            DatabaseError: there was none.
        """
        database = self.database
        try:
            async with asyncio.timeout(timeout):
                await database.command("ping")
        except TimeoutError:
            raise self._no_answer(timeout) from None
        except self._errors.PyMongoError as error:
            explained = self.explain(error) or self._unavailable("refuses a ping", error)
            raise explained from error

    def explain(self, error: BaseException) -> DatabaseError | None:
        """Return what an error of PyMongo means, or None.

        None where it is the caller's own affair, such as a key that is there already, and
        where it speaks of a server that is none of this database's.
        """
        errors = self._errors
        if errors is None or not isinstance(error, errors.PyMongoError) or self._is_foreign(error):
            return None
        if isinstance(error, errors.ServerSelectionTimeoutError):
            return self._unavailable("no server of it can be reached", error, _HINT)
        if error.timeout:
            return self._unavailable("gave no answer in time", error, _HINT)
        if isinstance(error, errors.ConnectionFailure):
            return self._unavailable("the connection broke", error, _HINT)
        if _refuses_sign_in(error):
            return self._unavailable("refuses the user or the password", error, "check its URL")
        return None

    def _is_foreign(self, error: BaseException) -> bool:
        """Tell whether an error names a server, and one of another database."""
        found = _PLACE.match(str(error))
        if found is None:
            return False
        known = set(self._parts.nodes)
        if self._client is not None:
            known |= {(host.lower(), port or 0) for host, port in self._client.nodes}
        return bool(known) and (found["host"].lower(), int(found["port"])) not in known

    def _arguments(self) -> dict[str, Any]:
        """Return what the client is made with; the URL's own options win."""
        options = self.options
        arguments: dict[str, Any] = {
            "maxPoolSize": options.pool_size,
            "connectTimeoutMS": round(options.connect_timeout * 1000),
            "timeoutMS": round(options.timeout * 1000),
            "tz_aware": True,
            "uuidRepresentation": "standard",
        }
        return {
            name: value
            for name, value in arguments.items()
            if name.lower() not in self._parts.options
        }

    def _refuse_twice(self, given: Mapping[str, Any]) -> None:
        for option, name in _IN_URL.items():
            if option in given and name.lower() in self._parts.options:
                raise DatabaseError(
                    f"database {self.name!r}: its options set {option}, and its URL sets {name}",
                    hint="set one of the two",
                    check_id="databases.url",
                )

    def _unavailable(self, what: str, error: BaseException, hint: str = "") -> DatabaseError:
        return DatabaseError(
            f"database {self.name!r}: {what} ({self._line(error)})",
            hint=hint,
            check_id="databases.unavailable",
        )

    def _line(self, error: BaseException) -> str:
        words = _DETAILS.sub("", str(error))
        return first_line(words, self._parts.secrets) or type(error).__name__


def _refuses_sign_in(error: BaseException) -> bool:
    code = getattr(error, "code", None)
    return code in _SIGN_IN or (code == _UNAUTHORIZED and "requires auth" in str(error))


def _read(name: str, url: str) -> MongoURL:
    try:
        return read_url(url)
    except ValueError as refused:
        problem = str(refused)
    # Outside the handler: its error holds what could not be read.
    raise DatabaseError(
        f"database {name!r}: its URL cannot be used: {problem}",
        hint=HINT,
        check_id="databases.url",
    )
