"""What redis-py's connections and its pool leave to be wished.

The classes here inherit from those of the driver, which they are given: it is imported only
when a database is opened.
"""

from __future__ import annotations

import asyncio
import math
from typing import Any

from tornkit.databases._redis_waits import asked_wait

__all__ = ["NoFreeConnection", "fair_pool", "is_signed_by", "signing_connection"]

_SIGNATURE = "tornkit_database"


class NoFreeConnection(Exception):
    """Mark the error that every connection stayed in use."""


def is_signed_by(error: BaseException, owner: object) -> bool:
    """Tell whether an error came from a connection of ``owner``."""
    return vars(error).get(_SIGNATURE) is owner


def _sign(error: BaseException, owner: object) -> None:
    vars(error)[_SIGNATURE] = owner


def signing_connection(kind: Any, owner: object, failure: type[Exception]) -> Any:
    """Return a kind of connection that waits as asked and signs its errors.

    Only by the signature is an error of one database told from that of another. redis-py
    lets the timeout of answers end a blocking command too, and before 8.1 a subscription
    that listens.

    Args:
        kind: the driver's: by TCP, TLS or a socket of Unix.
        owner: whose it is.
        failure: the base of the driver's errors.
    """

    class Connection(kind):  # type: ignore[misc]  # which one, the URL decides
        socket_timeout: float | None
        _asked = 0.0

        async def connect(self) -> None:
            try:
                await super().connect()
            except failure as error:
                _sign(error, owner)
                raise

        async def send_command(self, *command: Any, **more: Any) -> None:
            self._asked = 0.0
            await super().send_command(*command, **more)
            self._asked = asked_wait(command)  # after what connecting has sent and read

        async def send_packed_command(self, *command: Any, **more: Any) -> None:
            try:
                await super().send_packed_command(*command, **more)
            except failure as error:
                _sign(error, owner)
                raise

        async def read_response(self, *given: Any, **more: Any) -> Any:
            asked, self._asked = self._asked, 0.0
            if more.get("timeout") is None and not more.get("disconnect_on_error", True):
                asked = math.inf  # a subscription listens
            usual = self.socket_timeout
            try:
                if asked and usual is not None:
                    self.socket_timeout = None if asked == math.inf else asked + usual
                return await super().read_response(*given, **more)
            except failure as error:
                _sign(error, owner)
                raise
            finally:
                self.socket_timeout = usual

    return Connection


def fair_pool(base: Any, owner: object, unreachable: type[Exception]) -> Any:
    """Return a pool that serves in order who waits.

    From redis-py's own, a task that gives a connection back and asks for the next at once
    gets the same one again, so that busy tasks let others wait until their time is up.

    Args:
        base: the driver's pool that waits.
        owner: whose it is.
        unreachable: the driver's error of a connection that there is not.
    """

    class Nobody(NoFreeConnection, unreachable):  # type: ignore[misc, valid-type]  # the driver's
        pass

    class Pool(base):  # type: ignore[misc]  # known only once the driver is imported
        def __init__(self, patience: float, *, max_connections: int, **more: Any) -> None:
            super().__init__(max_connections=max_connections, **more)
            self._patience = patience
            self._gate = asyncio.Semaphore(max_connections)
            self._lent: set[Any] = set()

        async def get_connection(self, *given: Any, **more: Any) -> Any:
            await self._enter()
            try:
                lent = await super().get_connection(*given, **more)
            except BaseException as error:
                self._gate.release()
                if isinstance(error, unreachable):
                    _sign(error, owner)
                raise
            self._lent.add(lent)
            return lent

        async def _enter(self) -> None:
            if not self._gate.locked():
                await self._gate.acquire()
                return
            try:
                async with asyncio.timeout(self._patience):
                    await self._gate.acquire()
            except TimeoutError:
                error = Nobody(f"within {self._patience:g} s")
                _sign(error, owner)
                raise error from None

        async def release(self, lent: Any) -> None:
            # The pool itself calls this too, for a connection that it could not make ready.
            try:
                await super().release(lent)
            finally:
                if lent in self._lent:
                    self._lent.discard(lent)
                    self._gate.release()

    return Pool
