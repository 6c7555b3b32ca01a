"""The real services that tests talk to, where they answer on their standard local ports.

`require` is the gate: it returns where the service is, skips the test where there is none,
and fails it when ``CI=true``. `fresh_database` gives a test an empty database of its own.
"""

from __future__ import annotations

import asyncio
import functools
import os
import secrets
import socket
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, Final, NoReturn

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = [
    "PORTS",
    "fresh_database",
    "fresh_databases",
    "problem",
    "require",
    "unavailable",
    "url",
]

HOST: Final = "127.0.0.1"
PORTS: Final = {
    "postgresql": 5432,
    "mysql": 3306,
    "redis": 6379,
    "rabbitmq": 5672,
    "mosquitto": 1883,
    "nats": 4222,
}
# Only the SQL servers let tests in under a name.
USERS: Final = {"postgresql": "postgres", "mysql": "root"}
TIMEOUT: Final = 5  # seconds


def require(name: str) -> tuple[str, int]:
    """Return the host and port of a service, or skip the test (fail it, when ``CI=true``)."""
    reason = problem(name)
    if reason is not None:
        unavailable(f"{name} does not serve tests at {HOST}:{PORTS[name]}: {reason}")
    return HOST, PORTS[name]


def unavailable(reason: str) -> NoReturn:
    """Skip the running test for want of something; fail it when ``CI=true``."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"{reason} (CI=true: nothing may be missing)", pytrace=False)
    pytest.skip(reason)


def url(name: str, database: str = "test") -> str:
    """Return the URL of a database of a SQL server, as a project's settings write it."""
    return f"{name}://{USERS[name]}@{HOST}:{PORTS[name]}/{database}"


@contextmanager
def fresh_database(name: str) -> Iterator[str]:
    """Make an empty database on ``postgresql`` or ``mysql``; give its URL; drop it at the end."""
    require(name)
    database = f"tornkit_{os.getpid()}_{secrets.token_hex(4)}"
    _execute(name, f"CREATE DATABASE {database}")
    try:
        yield url(name, database)
    finally:
        # A connection that a failed test left open must not keep the database alive.
        force = " WITH (FORCE)" if name == "postgresql" else ""
        _execute(name, f"DROP DATABASE {database}{force}")


@contextmanager
def fresh_databases() -> Iterator[Callable[[str], str]]:
    """Give the URL of one empty database on each server that is asked for, always the same."""
    with ExitStack() as stack:
        yield functools.cache(lambda name: stack.enter_context(fresh_database(name)))


@functools.cache
def problem(name: str) -> str | None:
    """Say what keeps a service from being used; None when nothing does."""
    try:
        socket.create_connection((HOST, PORTS[name]), timeout=TIMEOUT).close()
        if name in USERS:
            _execute(name, "SELECT 1")
    except Exception as error:  # noqa: BLE001 - every driver has a tree of its own
        return f"{type(error).__name__}: {error}".strip().splitlines()[0]
    return None


def _execute(name: str, statement: str) -> None:
    """Run one statement on the database ``test``, outside any transaction."""
    run: Callable[[str], Any] = {"postgresql": _postgresql, "mysql": _mysql}[name]
    # A thread, for the caller may be inside an event loop.
    with ThreadPoolExecutor(1) as thread:
        thread.submit(run, statement).result()


def _postgresql(statement: str) -> None:
    import psycopg

    with psycopg.connect(
        host=HOST,
        port=PORTS["postgresql"],
        user=USERS["postgresql"],
        dbname="test",
        connect_timeout=TIMEOUT,
        autocommit=True,
    ) as connection:
        connection.execute(statement.encode())


def _mysql(statement: str) -> None:
    async def run() -> None:
        import asyncmy

        connection = await asyncmy.connect(
            host=HOST,
            port=PORTS["mysql"],
            user=USERS["mysql"],
            database="test",
            connect_timeout=TIMEOUT,
            autocommit=True,
        )
        try:
            async with connection.cursor() as cursor:
                await cursor.execute(statement)
        finally:
            await connection.ensure_closed()

    asyncio.run(run())
