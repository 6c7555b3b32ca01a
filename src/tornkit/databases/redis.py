"""A Redis database: a client of redis-py whose pool is fair and whose waits all end."""

from __future__ import annotations

import asyncio
import re
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs, unquote, urlsplit

from tornkit._redis import URL_HINT, read_place
from tornkit.databases._redis_pool import (
    NoFreeConnection,
    fair_pool,
    is_signed_by,
    signing_connection,
)
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

    from redis.asyncio import Redis

    RedisClient: TypeAlias = Redis

__all__ = ["RedisDatabase", "RedisOptions"]

_FILES: Final = ("ssl_ca_certs", "ssl_certfile", "ssl_keyfile")
_DECODED: Final = {"true": True, "false": False}
_REFUSED: Final = "refuses the command for now"
# redis-py's errors and what they mean; the first that fits.
_MEANINGS: Final = (
    ("AuthenticationError", "refuses the user or the password", "check its URL"),
    ("TimeoutError", "gave no answer in time", "check that its server runs, and is not too slow"),
    ("BusyLoadingError", "is still loading its data", ""),
    ("ConnectionError", "cannot be reached", "check that its server runs"),
    ("OutOfMemoryError", _REFUSED, ""),
    ("ReadOnlyError", _REFUSED, ""),
    ("MasterDownError", _REFUSED, ""),
    ("ClusterDownError", _REFUSED, ""),
)
# It has no class for others.
_REFUSALS: Final = re.compile(r"(?:^|caused error: )(?:MISCONF|NOREPLICAS|OOM|READONLY|BUSY)\b")


@dataclass(frozen=True, slots=True)
class RedisOptions:
    """What the settings may choose for a Redis database; times in seconds."""

    pool_size: int = 10
    """Connections that a process holds at most; Pub/Sub and blocking commands keep theirs."""
    pool_timeout: float = 1.0
    """How long a command waits for a free connection."""
    connect_timeout: float = 1.0
    """How long the server may take to accept a connection."""
    timeout: float = 1.0
    """How long an answer may take, beyond what a blocking command asks for."""
    decode_responses: bool = True
    """Whether answers are text instead of bytes; the URL may say so too."""


class RedisDatabase(Bind):
    """A Redis database under its bind's name.

    Nothing is sent twice: a command that failed may have happened.

    Args:
        name: the bind, such as ``cache``.
        url: ``redis://[[user]:password@]host[:port][/db]``, the same with ``rediss`` for TLS,
            or ``unix:///path/of/socket[?db=0]``.
        options: see `RedisOptions`.

    Raises:
        DatabaseError: the URL is none of these, or an option is none; neither is quoted.
    """

    kind = "Redis"
    reach = "self.redis"

    def __init__(self, name: str, url: str, options: Mapping[str, Any] = {}) -> None:
        self.name = name
        self._given_url = url
        self.url = _shown(name, url)
        self.options = options_of(RedisOptions, name, "Redis", options)
        self._decodes = _decodes(name, url, options, self.options)
        self._client: Redis | None = None
        self._errors: Any = None  # redis.exceptions, once it was opened

    @property
    def is_open(self) -> bool:
        """Whether it was opened in this process."""
        return self._client is not None

    @property
    def client(self) -> RedisClient:
        """The client of redis-py: ``await database.client.get("key")``."""
        if self._client is None:
            raise self._not_open()
        return self._client

    async def open(self) -> None:
        """Import redis-py and make a pool; the first command connects. Twice is once.

        Raises:
            DatabaseError: a file that the URL names cannot be read.
            MissingDriver: it is not installed.
        """
        if self._client is not None:
            return
        with importing(self.name, "redis", "redis"):
            import redis  # noqa: PLC0415
            from redis.asyncio import BlockingConnectionPool, Redis  # noqa: PLC0415
            from redis.asyncio.connection import parse_url  # noqa: PLC0415
            from redis.asyncio.retry import Retry  # noqa: PLC0415
            from redis.backoff import NoBackoff  # noqa: PLC0415
        self._errors = redis.exceptions
        parts: dict[str, Any] = {
            "connection_class": redis.asyncio.Connection,
            **parse_url(self._given_url),
            "max_connections": self.options.pool_size,
            "socket_connect_timeout": self.options.connect_timeout,
            "socket_timeout": self.options.timeout,
            "retry": Retry(NoBackoff(), 0),
            # The shapes of answers are those of every version of redis-py, and of Redis.
            "protocol": 2,
            "decode_responses": self._decodes,
        }
        check_files(self.name, {option: parts[option] for option in _FILES if option in parts})
        if not self._given_url.startswith("unix:"):
            parts["socket_keepalive"] = True
        kind = signing_connection(parts.pop("connection_class"), self, redis.RedisError)
        pool = fair_pool(BlockingConnectionPool, self, redis.ConnectionError)
        patience = self.options.pool_timeout
        self._client = Redis.from_pool(pool(patience, connection_class=kind, **parts))

    async def close(self) -> None:
        """Close every connection, also one in use; what is closed can be opened again."""
        client, self._client = self._client, None
        if client is not None:
            with suppress(self._errors.RedisError, OSError):
                async with asyncio.timeout(self.options.connect_timeout + self.options.timeout):
                    await client.aclose()

    async def ping(self, timeout: float = PING_TIMEOUT) -> None:  # noqa: ASYNC109 - seconds, as in health
        """Ask for an answer within ``timeout`` seconds.

        Raises:
            DatabaseError: there was none.
        """
        client = self.client
        try:
            async with asyncio.timeout(timeout):
                await client.execute_command("PING")  # type: ignore[no-untyped-call]  # redis-py's
        except TimeoutError:
            raise self._no_answer(timeout) from None
        except self._errors.RedisError as error:
            raise self.explain(error) or self._unavailable("refuses", error) from error

    def explain(self, error: BaseException) -> DatabaseError | None:
        """Return what an error of this database's client means, or None.

        None where it is the caller's own affair, such as a wrong type of key or a lock that
        is held, and where the error came from another client.
        """
        if not is_signed_by(error, self):
            return None
        if isinstance(error, NoFreeConnection):
            hint = "look for blocking commands and subscriptions, or raise pool_size"
            return self._unavailable("no connection became free", error, hint)
        for kind, what, hint in _MEANINGS:
            if isinstance(error, getattr(self._errors, kind, ())):
                return self._unavailable(what, error, hint)
        if _REFUSALS.search(str(error)):
            return self._unavailable(_REFUSED, error)
        return None

    def _unavailable(self, what: str, error: BaseException, hint: str = "") -> DatabaseError:
        # Of a command in a pipeline the error quotes all of it, with its values.
        reason = str(error).rpartition("caused error: ")[2].strip()
        password = unquote(urlsplit(self._given_url).password or "")
        line = first_line(reason, [password] if password else [])
        told = f" ({line})" if line else ""
        return DatabaseError(
            f"database {self.name!r}: {what}{told}",
            hint=hint,
            check_id="databases.unavailable",
        )


# --- the URL -----------------------------------------------------------------------------


def _shown(name: str, url: str) -> str:
    try:
        place = read_place(url, also=("decode_responses",))
        if _decoded(url) is None:
            raise ValueError("its decode_responses is neither true nor false")
    except ValueError as refused:
        problem = str(refused)
    else:
        return place
    # Outside the handler: the parser's own error quotes the URL.
    raise DatabaseError(
        f"database {name!r}: its URL cannot be used: {problem}",
        hint=URL_HINT,
        check_id="databases.url",
    )


def _decoded(url: str) -> bool | str | None:
    """Return what the URL says of decoding: "" where nothing, None where nonsense."""
    (given, *_) = parse_qs(urlsplit(url).query, keep_blank_values=True).get(
        "decode_responses", [None]
    )
    return "" if given is None else _DECODED.get(given)


def _decodes(name: str, url: str, given: Mapping[str, Any], options: RedisOptions) -> bool:
    said = _decoded(url)
    if not isinstance(said, bool):
        return options.decode_responses
    if "decode_responses" in given:
        raise DatabaseError(
            f"database {name!r}: decode_responses stands both in its URL and in its options",
            hint="say it once",
            check_id="databases.url",
        )
    return said
