"""Sessions in Redis: each is a hash, and each change one script, which Redis runs as a whole.

Behind the prefix, the hash of an id names the hash of its session, ``user:ID`` the set of a
user's sessions, and ``ends`` all sessions by their end. Scripts find the keys of a user's
sessions by themselves, so this is for one Redis server with replicas, not for Redis Cluster.

Nothing waits longer than a second for a server that does not answer, and nothing is tried
twice: who asked learns at once, and the next request finds out anew.
"""

from __future__ import annotations

import asyncio
import re
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl, urlsplit

from tornkit._text import printable
from tornkit.errors import MissingDriver, SessionError, StoreUnavailable
from tornkit.sessions import _values
from tornkit.sessions._redis_scripts import (
    APPLY,
    BEYOND,
    CLEAR,
    CREATE,
    DELETE,
    DELETE_USER,
    DONE,
    INCREMENT,
    LIST_USER,
    ROTATE,
    SWAP,
    Script,
)
from tornkit.sessions.base import SessionStore, StoredSession

if TYPE_CHECKING:
    from collections.abc import Collection, Coroutine, Mapping

__all__ = ["SCHEMES", "RedisStore"]

SCHEMES: Final = ("redis", "rediss", "unix")
PREFIX: Final = "tornkit:session:"
CONNECT_TIMEOUT: Final = 1.0  # seconds
SOCKET_TIMEOUT: Final = 1.0  # seconds for each answer
TOTAL_TIMEOUT: Final = 1.25  # seconds for all of it: a free connection, a sign-in, the answer
MAX_CONNECTIONS: Final = 16
# Redis forgets a session by itself this long after its end, should nobody clear it before.
MARGIN: Final = 60.0  # seconds
LONGEST_LIFE: Final = 1e10  # seconds; Redis refuses ends beyond 64 bits of milliseconds
CLEAR_BATCH: Final = 500  # sessions; Redis does nothing else meanwhile
# Another option could undo the limits above.
_OPTIONS: Final = frozenset(
    {
        *("db", "client_name", "ssl_ca_certs", "ssl_ca_data", "ssl_cert_reqs"),
        *("ssl_certfile", "ssl_check_hostname", "ssl_keyfile"),
    }
)


class RedisStore(SessionStore):
    """Keep sessions in Redis 6 or later.

    Args:
        url: ``redis://[[user]:password@]host[:port][/db]``, the same with ``rediss`` for TLS,
            or ``unix:///path/of/socket[?db=0]``.
        prefix: what every key begins with.

    Raises:
        SessionError: the URL is none of these; the message does not quote it.
    """

    def __init__(self, url: str, *, prefix: str = PREFIX) -> None:
        self._place = _place(url)
        self._url = url
        self._prefix = prefix
        self._opened: _Opened | None = None

    def __repr__(self) -> str:
        return f"<RedisStore {self._place}>"

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
                f"session store {self._place}: its driver, redis, cannot be imported: "
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

    async def load(self, id_hash: str) -> StoredSession | None:
        """Return the session with all its values, or None."""
        fields = await self._ask("HGETALL", self._prefix + id_hash)
        values = {name[1:]: text for name, text in fields.items() if name.startswith("=")}
        return _stored(id_hash, fields, values) if fields else None

    async def create(self, stored: StoredSession) -> None:
        """Keep a session under an id that is new."""
        await self._run(CREATE, *_written(stored), *_changed(stored.values, ()))

    async def apply(
        self,
        id_hash: str,
        *,
        put: Mapping[str, str],
        drop: Collection[str],
        seen_at: float,
        expires_at: float,
    ) -> bool:
        """Set and delete keys and renew the times; False if the session is gone."""
        times = _times(seen_at, expires_at)
        return bool(await self._run(APPLY, id_hash, *times, *_changed(put, drop)))

    async def increment(
        self, id_hash: str, name: str, by: int, *, seen_at: float, expires_at: float
    ) -> int | None:
        """Add to an integer and return it; None if the session is gone."""
        times = _times(seen_at, expires_at)
        while True:
            state, text = await self._run(INCREMENT, id_hash, *times, name, by)
            if state != BEYOND:
                return int(text) if state == DONE else None
            # Redis counts in 64 bits. Whenever another request is faster, that one is served,
            # so all of them are in the end.
            number = _values.add_to_text(text, by, name)
            swap = (id_hash, *times, name, "" if text is None else text, number)
            state = await self._run(SWAP, *swap)
            if state != BEYOND:
                return number if state == DONE else None

    async def rotate(
        self, id_hash: str, successor: StoredSession, *, drop: Collection[str]
    ) -> bool:
        """Move a session to a new id in one step; False, and no successor, if it is gone."""
        changes = _changed(successor.values, drop)
        return bool(await self._run(ROTATE, *_written(successor), id_hash, *changes))

    async def delete(self, id_hash: str) -> bool:
        """Delete a session; False if there is none."""
        return bool(await self._run(DELETE, id_hash))

    async def delete_user(self, user_id: str) -> int:
        """Delete every session of a user, also one that is being rotated; return how many."""
        return int(await self._run(DELETE_USER, user_id))

    async def list_user(self, user_id: str) -> list[StoredSession]:
        """Return a user's sessions without their values, the last seen first."""
        rows = await self._run(LIST_USER, user_id)
        fields = [(row[0], dict(zip(_FIELDS, row[1:], strict=True))) for row in rows]
        found = [_stored(id_hash, known, {}) for id_hash, known in fields]
        listed = [stored for stored in found if stored is not None]
        return sorted(listed, key=lambda stored: stored.seen_at, reverse=True)

    async def clear_expired(self, now: float) -> int:
        """Delete the sessions with ``expires_at <= now``; return how many.

        Those that Redis forgot by itself do not count.
        """
        cleared, looked_at = 0, CLEAR_BATCH
        while looked_at == CLEAR_BATCH:
            looked_at, deleted = await self._run(CLEAR, repr(float(now)), CLEAR_BATCH)
            cleared += deleted
        return cleared

    # --- commands ------------------------------------------------------------------------

    async def _run(self, script: Script, *arguments: str | float) -> Any:
        """Run a script; a server that was restarted gets its text again."""
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
        return await _uninterrupted(self._answer(command))

    async def _answer(self, command: tuple[str | float, ...]) -> Any:
        opened = self._opened
        if opened is None:
            raise StoreUnavailable(
                f"the session store {self._place} is not open", hint="await store.open() first"
            )
        errors = opened.errors
        try:
            async with asyncio.timeout(TOTAL_TIMEOUT), opened.free:
                return await opened.client.execute_command(*command)
        except errors.NoScriptError:
            raise _UnknownScript from None
        except (OSError, errors.ConnectionError, errors.TimeoutError) as error:
            raise _unavailable(error) from error
        except errors.RedisError as error:
            # Not as the cause: a refusal quotes the command, and neither ids nor values have
            # any business in a log.
            raise _unavailable(error) from None


@dataclass(frozen=True, slots=True)
class _Opened:
    client: Any  # redis.asyncio.Redis
    errors: Any  # redis.exceptions
    free: asyncio.Semaphore


class _UnknownScript(Exception):
    """The server has not seen this script since it started."""


def _unavailable(error: Exception) -> StoreUnavailable:
    first = next(iter(str(error).splitlines()), "").partition(", with args")[0]
    reason = printable(first, limit=200) or f"nothing came within {TOTAL_TIMEOUT} seconds"
    return StoreUnavailable(f"the session store does not answer: {type(error).__name__}: {reason}")


async def _uninterrupted(work: Coroutine[Any, Any, Any]) -> Any:
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        while not task.done():
            with suppress(asyncio.CancelledError):
                await asyncio.wait([task])
        if not task.cancelled():
            task.exception()  # seen, and of no interest to who was cancelled
        raise


# --- the URL -----------------------------------------------------------------------------

_PORTS: Final = {"redis": 6379, "rediss": 6379}
_DATABASE: Final = re.compile(r"/?|/[0-9]{1,5}")


def _place(url: str) -> str:
    """Return a URL without user, password and options; refuse what redis-py would let pass."""
    scheme = url.partition("://")[0]
    try:
        parsed = urlsplit(url)
        port = parsed.port
    except ValueError:
        raise _refused("its port is no number") from None
    if scheme not in SCHEMES:
        raise _refused(f"its scheme is none of {', '.join(SCHEMES)}")
    query = parse_qsl(parsed.query, keep_blank_values=True)
    options = dict(query)
    if not (options.keys() <= _OPTIONS and len(options) == len(query)) or parsed.fragment:
        raise _refused(f"it may set only {', '.join(sorted(_OPTIONS))}, and each once")
    if not re.fullmatch(r"[0-9]{1,5}", options.get("db", "0")):
        raise _refused("its db is no number")
    if scheme == "unix":
        if not parsed.path.strip("/"):
            raise _refused("it names no socket")
        return f"unix://{printable(parsed.path)}"
    if not parsed.hostname:
        raise _refused("it names no host")
    if not _DATABASE.fullmatch(parsed.path) or (parsed.path.strip("/") and "db" in options):
        raise _refused("after the host comes nothing but the number of a database")
    return f"{scheme}://{printable(parsed.hostname)}:{port or _PORTS[scheme]}{parsed.path}"


def _refused(reason: str) -> SessionError:
    return SessionError(
        f"the URL of the session store cannot be used: {reason}",
        hint="write it like redis://:password@host:6379/0, rediss://host:6379/0 or "
        "unix:///run/redis.sock?db=0, special characters in the password percent-encoded",
    )


# --- what is stored ----------------------------------------------------------------------

_FIELDS: Final = ("user", "created", "seen", "expires", "meta")


def _stored(
    id_hash: str, fields: Mapping[str, str | None], values: Mapping[str, str]
) -> StoredSession | None:
    user_id, created, seen, expires, meta = (fields.get(name) for name in _FIELDS)
    if created is None or seen is None or expires is None:
        return None  # not of our making
    times = (float(created), float(seen), float(expires))
    return StoredSession(id_hash, user_id, *times, meta or "{}", values)


def _times(seen_at: float, expires_at: float) -> tuple[str, str, int]:
    """Return the times as they are stored, and after how many milliseconds Redis may forget.

    Redis is told a duration, for its clock need not be the site's.
    """
    life = min(max(expires_at - seen_at, 0.0) + MARGIN, LONGEST_LIFE)
    return repr(float(seen_at)), repr(float(expires_at)), int(life * 1000)


def _written(stored: StoredSession) -> tuple[str | int, ...]:
    times = _times(stored.seen_at, stored.expires_at)
    user_id = stored.user_id or ""
    return (stored.id_hash, *times, user_id, repr(float(stored.created_at)), stored.meta)


def _changed(put: Mapping[str, str], drop: Collection[str]) -> list[str | int]:
    pairs = [part for pair in put.items() for part in pair]
    return [len(drop), *drop, *pairs]
