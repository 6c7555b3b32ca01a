"""MySQL and MariaDB through asyncmy."""

from __future__ import annotations

import logging
import math
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from tornkit.databases.base import Engines, Fault, SQLOptions
from tornkit.databases.engines import make_engine, reader_beside
from tornkit.databases.servers import ServerBackend
from tornkit.errors import DatabaseError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping
    from typing import Any

    from sqlalchemy import URL
    from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

__all__ = ["MySQLBackend"]

LOCK_TIMEOUT = 600
"""Seconds that a migration waits for another process's."""


# The driver logs every note of the server, such as the names it does not use.
logging.getLogger("asyncmy").setLevel(logging.ERROR)

_DENIED = Fault("the server refused the user or the password", "check both in the URL")
_UNREACHABLE = Fault("the server cannot be reached", "check that it runs, and the URL")
_FULL = Fault("the server's disk is full", "free some space")
_READ_ONLY = Fault("it cannot be written to", "write in a block that is not read_only")
_FAULTS = {
    1044: _DENIED,
    1045: _DENIED,
    1698: _DENIED,
    1049: Fault("the server has no such database", "create it, or check the URL"),
    1021: _FULL,
    1114: _FULL,
    1040: Fault("the server has no free connection", "lower the workers or raise its limit"),
    1205: Fault("a lock was not to be had in time", "look for a block that stays open too long"),
    1213: Fault("two transactions waited for each other", "try again"),
    1290: _READ_ONLY,
    1792: _READ_ONLY,
    2002: _UNREACHABLE,
    2003: _UNREACHABLE,
    2006: _UNREACHABLE,
    2013: _UNREACHABLE,
}


class MySQLBackend(ServerBackend):
    """MySQL 8 and MariaDB 10.6 and later, in utf8mb4."""

    driver = "mysql+asyncmy"
    package = "asyncmy"
    extra = "mysql"

    def __init__(self, url: URL, options: SQLOptions | None = None) -> None:
        if "charset" not in url.query:
            url = url.update_query_dict({"charset": "utf8mb4"})
        super().__init__(url, options)

    def _engines(self, pool: Mapping[str, Any]) -> Engines:
        from tornkit.databases.drivers import asyncmy  # noqa: PLC0415 - only where its scheme is used

        writer = make_engine(
            self.url,
            asyncmy.connector(connecting=self.connect_timeout, answering=self.options.timeout),
            begin=asyncmy.begin,
            reads=False,
            hide_parameters=True,
            pool_recycle=1800,
            **pool,
        )
        return Engines(writer, reader_beside(writer))

    def cut(self, connection: Any) -> None:
        """Abort the transport."""
        from tornkit.databases.drivers import asyncmy  # noqa: PLC0415 - only where its scheme is used

        asyncmy.cut(connection)

    def migration_engine(self) -> AsyncEngine:
        """Make an unpooled engine; a change of the schema may take its time."""
        given = "connect_timeout" in self.url.query
        timeout = {} if given else {"connect_timeout": math.ceil(self.connect_timeout)}
        return create_async_engine(self.url, connect_args=timeout, poolclass=NullPool)

    @asynccontextmanager
    async def migration_lock(self, connection: AsyncConnection) -> AsyncIterator[None]:
        """Hold a named lock; here a schema change ends any transaction, so one would not do."""
        # The name is the server's, so it holds the database's; at most 64 characters count.
        name = {"timeout": LOCK_TIMEOUT}
        lock = "CONCAT('tornkit:', SHA1(DATABASE()))"
        taken = await connection.scalar(text(f"SELECT GET_LOCK({lock}, :timeout)"), name)
        await connection.commit()
        if taken != 1:
            raise DatabaseError(
                f"another process has been migrating for {LOCK_TIMEOUT} s",
                hint="wait for it, or end it, and try again",
            )
        try:
            yield
        finally:
            await connection.rollback()
            await connection.execute(text(f"SELECT RELEASE_LOCK({lock})"))
            await connection.commit()

    def explain(self, error: BaseException) -> Fault | None:
        """Look the error's number up."""
        number = error.args[0] if error.args else None
        if type(error).__module__.partition(".")[0] != "asyncmy":
            return None
        return _FAULTS.get(number) if isinstance(number, int) else None
