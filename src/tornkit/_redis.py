"""A link to Redis for whatever is kept there: one script, or one command, at a time.

Nothing waits longer than a second for a server that does not answer, and nothing is tried
twice: who asked learns at once, and the next request finds out anew.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Final
from urllib.parse import parse_qsl, urlsplit

from tornkit._text import printable
from tornkit._uninterrupted import uninterrupted
from tornkit.errors import MissingDriver, SessionError, StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import Collection

__all__ = ["SCHEMES", "URL_HINT", "RedisLink", "Script", "read_place"]

SCHEMES: Final = ("redis", "rediss", "unix")
URL_HINT: Final = (
    "write it like redis://:password@host:6379/0, rediss://host:6379/0 or "
    "unix:///run/redis.sock?db=0, special characters in the password percent-encoded"
)
CONNECT_TIMEOUT: Final = 1.0  # seconds
SOCKET_TIMEOUT: Final = 1.0  # seconds for each answer
TOTAL_TIMEOUT: Final = 1.25  # seconds for all of it: a free connection, a sign-in, the answer
MAX_CONNECTIONS: Final = 16
# Another option could undo the limits above.
_OPTIONS: Final = frozenset(
    {
        *("db", "client_name", "ssl_ca_certs", "ssl_ca_data", "ssl_cert_reqs"),
        *("ssl_certfile", "ssl_check_hostname", "ssl_keyfile"),
    }
)


class Script:
    """A script's text, and the hash Redis knows it by."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.sha = hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()


class RedisLink:
    """Reach one server; a store subclasses this and says what it is for.

    Args:
        url: ``redis://[[user]:password@]host[:port][/db]``, the same with ``rediss`` for TLS,
            or ``unix:///path/of/socket[?db=0]``.
        prefix: what every key begins with.

    Raises:
        SessionError: the URL is none of these; the message does not quote it.
    """

    purpose: ClassVar[str]
    """What messages call it, such as ``session store``."""

    def __init__(self, url: str, *, prefix: str) -> None:
        self._place = _place(url, self.purpose)
        self._url = url
        self._prefix = prefix
        self._opened: _Opened | None = None

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._place}>"

    async def open(self) -> None:
        """Import the driver and make a pool; the first request connects.

        Raises:
            MissingDriver: redis-py is not installed.
        """
        if self._opened is not None:
            return
        try:
            from redis import exceptions  # noqa: PLC0415
            from redis.asyncio import ConnectionPool, Redis  # noqa: PLC0415
            from redis.asyncio.connection import parse_url  # noqa: PLC0415
            from redis.asyncio.retry import Retry  # noqa: PLC0415
            from redis.backoff import NoBackoff  # noqa: PLC0415
        except ImportError as error:
            raise MissingDriver(
                f"{self.purpose} {self._place}: its driver, redis, cannot be imported: "
                f"{printable(error)}",
                hint='run pip install "tornkit[redis]"',
            ) from error
        options: dict[str, Any] = {
            **parse_url(self._url),
            "socket_connect_timeout": CONNECT_TIMEOUT,
            "socket_timeout": SOCKET_TIMEOUT,
            "socket_keepalive": True,
            "retry": Retry(NoBackoff(), 0),
            "max_connections": MAX_CONNECTIONS,
            "protocol": 2,
            "decode_responses": True,
            "encoding_errors": "backslashreplace",
        }
        if self._url.startswith("unix:"):
            del options["socket_keepalive"]
        client = Redis.from_pool(ConnectionPool(**options))
        self._opened = _Opened(client, exceptions, asyncio.Semaphore(MAX_CONNECTIONS))

    async def close(self) -> None:
        """Close every connection."""
        opened, self._opened = self._opened, None
        if opened is not None:
            with suppress(opened.errors.RedisError, OSError):
                async with asyncio.timeout(TOTAL_TIMEOUT):
                    await opened.client.aclose()

    async def _run(self, script: Script, *arguments: str | float) -> Any:
        """Run a script, the prefix its first argument.

        A server that was restarted gets the text again.
        """
        given = (0, self._prefix, *arguments)
        try:
            return await self._ask("EVALSHA", script.sha, *given)
        except _UnknownScript:
            return await self._ask("EVAL", script.text, *given)

    async def _ask(self, *command: str | float) -> Any:
        """Return the answer to a command.

        The command is sent and answered also if the caller is cancelled: once the caller
        goes on, it has happened or never will.
        """
        return await uninterrupted(self._answer(command))

    async def _answer(self, command: tuple[str | float, ...]) -> Any:
        opened = self._opened
        if opened is None:
            raise StoreUnavailable(
                f"the {self.purpose} {self._place} is not open", hint="await store.open() first"
            )
        errors = opened.errors
        try:
            async with asyncio.timeout(TOTAL_TIMEOUT), opened.free:
                return await opened.client.execute_command(*command)
        except errors.NoScriptError:
            raise _UnknownScript from None
        except (OSError, errors.ConnectionError, errors.TimeoutError) as error:
            raise self._unavailable(error) from error
        except errors.RedisError as error:
            # Not as the cause: a refusal quotes the command, and neither ids nor values have
            # any business in a log.
            raise self._unavailable(error) from None

    def _unavailable(self, error: Exception) -> StoreUnavailable:
        first = next(iter(str(error).splitlines()), "").partition(", with args")[0]
        reason = printable(first, limit=200) or f"nothing came within {TOTAL_TIMEOUT} seconds"
        return StoreUnavailable(
            f"the {self.purpose} does not answer: {type(error).__name__}: {reason}"
        )


@dataclass(frozen=True, slots=True)
class _Opened:
    client: Any  # redis.asyncio.Redis
    errors: Any  # redis.exceptions
    free: asyncio.Semaphore


class _UnknownScript(Exception):
    """The server has not seen this script since it started."""


# --- the URL -----------------------------------------------------------------------------

_PORTS: Final = {"redis": 6379, "rediss": 6379}
_DATABASE: Final = re.compile(r"/?|/[0-9]{1,5}")


def _place(url: str, purpose: str) -> str:
    """Return a URL without user, password and options."""
    try:
        return read_place(url)
    except ValueError as refused:
        raise SessionError(
            f"the URL of the {purpose} cannot be used: {refused}",
            hint=URL_HINT,
        ) from None


def read_place(url: str, *, also: Collection[str] = ()) -> str:
    """Return a URL without user, password and options.

    Args:
        url: refused, without quoting it, also where redis-py would let it pass.
        also: options it may set besides those that any link to Redis allows.

    Raises:
        ValueError: what is wrong with it.
    """
    scheme = url.partition("://")[0]
    try:
        parsed = urlsplit(url)
        port = parsed.port
    except ValueError:
        raise ValueError("its port is no number") from None
    if scheme not in SCHEMES:
        raise ValueError(f"its scheme is none of {', '.join(SCHEMES)}")
    query = parse_qsl(parsed.query, keep_blank_values=True)
    options = dict(query)
    known = _OPTIONS.union(also)
    if not (options.keys() <= known and len(options) == len(query)) or parsed.fragment:
        raise ValueError(f"it may set only {', '.join(sorted(known))}, and each once")
    if not re.fullmatch(r"[0-9]{1,5}", options.get("db", "0")):
        raise ValueError("its db is no number")
    if scheme == "unix":
        if not parsed.path.strip("/"):
            raise ValueError("it names no socket")
        return f"unix://{printable(parsed.path)}"
    if not parsed.hostname:
        raise ValueError("it names no host")
    if not _DATABASE.fullmatch(parsed.path) or (parsed.path.strip("/") and "db" in options):
        raise ValueError("after the host comes nothing but the number of a database")
    return f"{scheme}://{printable(parsed.hostname)}:{port or _PORTS[scheme]}{parsed.path}"
