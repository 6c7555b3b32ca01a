"""asyncmy's connection, with a deadline for every answer."""

# mypy: disallow-untyped-calls=false
# The driver's stubs say nothing of most of its methods.

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from asyncmy import connection as base
from asyncmy.errors import Error, OperationalError
from asyncmy.protocol import MysqlPacket

from tornkit.databases.deadlines import Watch, mark_late

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

__all__ = ["Connection", "begin", "connector", "cut"]

_read_packet = base.Connection.read_packet
_UNREACHABLE = 2003
_DEADLOCK = 1213
_TOO_LONG = {1969, 3024}  # what MariaDB and MySQL say of a statement that they ended


class Connection(base.Connection):
    """A connection that is cut when an answer takes too long."""

    watch: Watch | None = None
    reads = False
    is_read_only = False  # what the session's transactions are
    is_clean = True  # the driver's own note of open transactions misses those that only read
    is_lost = False  # a deadlock ends the transaction, and the next statement begins another

    async def read_packet(self, packet_type: Any = MysqlPacket) -> Any:
        """Wait for a part of an answer; all of them come through here."""
        self.is_clean = False
        watch = self.watch
        if watch is None:
            return await _read_packet(self, packet_type)
        watch.begin()
        try:
            return await _read_packet(self, packet_type)
        except Error as error:
            number = error.args[0] if error.args else None
            watch.judge(error)
            if number in _TOO_LONG:
                mark_late(error, watch.seconds)
            self.is_lost = self.is_lost or number == _DEADLOCK
            raise
        finally:
            watch.end()

    @property
    def must_begin(self) -> bool:
        """Whether there is anything to be done; transactions begin with their first statement."""
        return self.reads is not self.is_read_only or self.is_lost

    async def commit(self) -> None:
        """Commit; a failure leaves open whether a transaction is."""
        await super().commit()
        self.is_clean = True

    async def rollback(self) -> None:
        """Roll back."""
        await super().rollback()
        self.is_clean = True


async def begin(connection: Connection) -> None:
    """Have transactions begin as ``READ ONLY`` or not, and forget what became of the last one."""
    connection.is_lost = False
    if connection.reads is not connection.is_read_only:
        kind = "READ ONLY" if connection.reads else "READ WRITE"
        await connection.query(f"SET SESSION TRANSACTION {kind}")
        connection.is_read_only = connection.reads


def connector(*, connecting: float, answering: float) -> Callable[..., Awaitable[Connection]]:
    """Return what connects within ``connecting`` seconds, and has answers within ``answering``.

    The server ends longer statements itself; MySQL does so only where they just read.
    """

    async def connect(**options: Any) -> Connection:
        connection = Connection(**options)
        try:
            async with asyncio.timeout(connecting):
                await connection.connect()
                await connection.query(_limit(connection.get_server_info(), answering))
        except TimeoutError as error:
            cut(connection)
            late = OperationalError(_UNREACHABLE, "it did not accept the connection in time")
            mark_late(late, connecting)
            raise late from error
        except BaseException:
            cut(connection)
            raise
        connection.watch = Watch(connection, answering, cut)
        connection.is_clean = True
        return connection

    return connect


def _limit(server: str, seconds: float) -> str:
    if "MariaDB" in server:
        return f"SET SESSION max_statement_time = {seconds:.3f}"
    return f"SET SESSION max_execution_time = {round(seconds * 1000)}"


def cut(connection: base.Connection) -> None:
    """Abort the transport; closing it would first wait for what is still to be sent."""
    transport: Any = getattr(connection, "_transport", None)  # no public name leads there
    if transport is not None:
        transport.abort()
