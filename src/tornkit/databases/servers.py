"""What the backends of database servers share: a pool for blocks, and a small prompt one."""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from typing import TYPE_CHECKING, Any

from sqlalchemy import event
from sqlalchemy.exc import DisconnectionError

from tornkit.databases import prompt
from tornkit.databases.base import Backend, Engines
from tornkit.databases.deadlines import Deadline
from tornkit.databases.pools import IDLE, ShieldedPool

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy.ext.asyncio import AsyncEngine

__all__ = ["ServerBackend"]


class ServerBackend(Backend):
    """A SQL server that is reached over a network, and may be silent."""

    def engines(self) -> Engines:
        """Make one pool; its readers' transactions begin as ``READ ONLY``."""
        engines = self._engines(
            {
                "poolclass": ShieldedPool,
                "pool_size": self.options.pool_size,
                "max_overflow": 0,
                "pool_timeout": self.options.pool_timeout,
            }
        )
        self.keep_time(engines.writer, fresh=IDLE)
        self._ask_the_idle(engines.writer)
        return engines

    def prompt_engines(self) -> Engines:
        """Make a second, small pool."""
        engines = self._engines(prompt.POOL)
        self.keep_time(engines.writer, fresh=0)
        return engines

    @abstractmethod
    def _engines(self, pool: Mapping[str, Any]) -> Engines:
        """Make the two engines over a pool of these options."""

    def _ask_the_idle(self, engine: AsyncEngine) -> None:
        """Ask a connection that has been idle for a sign of life; replace one that gives none.

        The server may have been restarted meanwhile. It may be so at any other moment too, but
        then one block fails, and all connections of the pool are replaced.
        """
        dialect: Any = engine.dialect
        patience = min(self.connect_timeout, self.options.timeout)

        def check(connection: Any, _record: object, _proxy: object) -> None:
            now = asyncio.get_running_loop().time()
            driver = connection.driver_connection
            if now - driver.watch.heard_at < IDLE:
                return
            with Deadline(driver, now + patience, self.cut) as deadline:
                try:
                    dialect.do_ping(connection)
                except dialect.loaded_dbapi.Error as error:
                    raise DisconnectionError("it gave no sign of life") from error
            if deadline.late:  # its answer and the cut came at the same time
                raise DisconnectionError("its sign of life came too late")

        event.listen(engine.sync_engine, "checkout", check)
