"""PostgreSQL through psycopg."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from tornkit.databases.base import Engines, Fault
from tornkit.databases.engines import make_engine, reader_beside
from tornkit.databases.servers import ServerBackend

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

__all__ = ["PostgreSQLBackend"]

_MIGRATION_LOCK = 0x746F726E6B6974  # "tornkit" in ASCII, one lock per database

_DENIED = Fault("the server refused the user or the password", "check both in the URL")
_UNREACHABLE = Fault("the server cannot be reached", "check that it runs, and the URL")
_FAULTS = {
    "28000": _DENIED,
    "28P01": _DENIED,
    "3D000": Fault("the server has no such database", "create it, or check the URL"),
    "53100": Fault("the server's disk is full", "free some space"),
    "53300": Fault("the server has no free connection", "lower the workers or raise its limit"),
    "55P03": Fault(
        "a lock was not to be had in time", "look for a block that stays open too long"
    ),
    "40P01": Fault("two transactions waited for each other", "try again"),
    "40001": Fault("another transaction got there first", "try again"),
    "25006": Fault("it cannot be written to", "write in a block that is not read_only"),
    "57P01": _UNREACHABLE,
    "57P02": _UNREACHABLE,
    "57P03": _UNREACHABLE,
}


class PostgreSQLBackend(ServerBackend):
    """PostgreSQL 13 and later."""

    driver = "postgresql+psycopg"
    package = "psycopg"
    extra = "postgresql"

    def _engines(self, pool: Mapping[str, Any]) -> Engines:
        from tornkit.databases.drivers import psycopg  # noqa: PLC0415 - only where its scheme is used

        writer = make_engine(
            self.url,
            psycopg.connector(connecting=self.connect_timeout, answering=self.options.timeout),
            begin=psycopg.begin,
            reads=False,
            hide_parameters=True,
            **pool,
        )
        return Engines(writer, reader_beside(writer))

    def cut(self, connection: Any) -> None:
        """Shut the socket down."""
        from tornkit.databases.drivers import psycopg  # noqa: PLC0415 - only where its scheme is used

        psycopg.cut(connection)

    def migration_engine(self) -> AsyncEngine:
        """Make an unpooled engine; a change of the schema may take its time."""
        given = "connect_timeout" in self.url.query
        timeout = {} if given else {"connect_timeout": math.ceil(self.connect_timeout)}
        return create_async_engine(self.url, connect_args=timeout, poolclass=NullPool)

    async def lock_transaction(self, connection: AsyncConnection) -> None:
        """Take an advisory lock that ends with the transaction."""
        await connection.execute(
            text("SELECT pg_advisory_xact_lock(:key)"), {"key": _MIGRATION_LOCK}
        )

    def explain(self, error: BaseException) -> Fault | None:
        """Look the SQLSTATE up; an error without one came from connecting."""
        state = getattr(error, "sqlstate", None)
        if state is not None:
            return _FAULTS.get(state)
        if type(error).__module__.partition(".")[0] != "psycopg" or not _is_operational(error):
            return None
        words = str(error)
        if any(sign in words for sign in ("authentication failed", "no password", 'role "')):
            return _DENIED
        if 'database "' in words and "does not exist" in words:
            return _FAULTS["3D000"]
        if "too many clients" in words or "remaining connection slots" in words:
            return _FAULTS["53300"]
        return _UNREACHABLE


def _is_operational(error: BaseException) -> bool:
    return any(kind.__name__ == "OperationalError" for kind in type(error).__mro__)
