"""psycopg's connection, with a deadline for every answer."""

from __future__ import annotations

import asyncio
import socket
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from psycopg import AsyncConnection, Error
from psycopg.errors import ConnectionTimeout, QueryCanceled
from psycopg.pq import TransactionStatus

from tornkit.databases.deadlines import Watch, mark_late

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

__all__ = ["Connection", "begin", "connector", "cut"]


_CANCEL_TIMEOUT: Final = 0.5
"""Seconds in which a server has to take note that a statement is cancelled."""


class Connection(AsyncConnection[Any]):
    """A connection that is cut when an answer takes too long."""

    watch: Watch | None = None
    reads = False

    async def wait(self, *args: Any, **options: Any) -> Any:
        """Wait for the server, through which every statement and every commit goes."""
        watch = self.watch
        if watch is None:
            return await super().wait(*args, **options)
        watch.begin()
        try:
            return await super().wait(*args, **options)
        except Error as error:
            watch.judge(error, by_server=isinstance(error, QueryCanceled))
            raise
        finally:
            watch.end()

    async def _try_cancel(self, *, timeout: float = _CANCEL_TIMEOUT) -> None:  # noqa: ASYNC109 - psycopg's own
        # Called where the task that waits for an answer is cancelled. psycopg would wait for
        # ten seconds for a server that is silent, whatever deadline has passed.
        try:
            await self.cancel_safe(timeout=min(timeout, _CANCEL_TIMEOUT))
        except Error:
            cut(self)

    @property
    def must_begin(self) -> bool:
        """Whether the last transaction could write and the next cannot, or the reverse."""
        return bool(self.read_only) is not self.reads

    @property
    def is_clean(self) -> bool:
        """Whether no transaction is open."""
        return self.pgconn.transaction_status == TransactionStatus.IDLE

    @property
    def is_lost(self) -> bool:
        """Whether a statement failed; PostgreSQL then answers COMMIT with ROLLBACK."""
        return self.pgconn.transaction_status == TransactionStatus.INERROR


async def begin(connection: Connection) -> None:
    """Have transactions begin as ``READ ONLY``, or as the server's default is."""
    await connection.set_read_only(connection.reads or None)


def connector(*, connecting: float, answering: float) -> Callable[..., Awaitable[Connection]]:
    """Return what connects within ``connecting`` seconds, and has answers within ``answering``.

    The server ends longer statements itself, also those that wait for a lock.
    """
    limit = f"SET statement_timeout = {round(answering * 1000)}"

    async def connect(*args: Any, **options: Any) -> Connection:
        try:
            async with asyncio.timeout(connecting):
                connection = await Connection.connect(*args, **options)
                try:
                    await connection.set_autocommit(True)
                    await connection.execute(limit.encode())
                    await connection.set_autocommit(False)
                except BaseException:
                    cut(connection)
                    await connection.close()
                    raise
        except TimeoutError as error:
            late = ConnectionTimeout("the server did not accept the connection in time")
            mark_late(late, connecting)
            raise late from error
        connection.watch = Watch(connection, answering, cut)
        return connection

    return connect


def cut(connection: AsyncConnection[Any]) -> None:
    """Shut the socket down, which the driver takes for the server's own doing."""
    if not connection.closed:
        line = socket.socket(fileno=connection.fileno())
        with suppress(OSError):
            line.shutdown(socket.SHUT_RDWR)
        line.detach()  # the driver closes it
