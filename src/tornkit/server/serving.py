"""Start and stop servers for applications, one or several in a process."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from tornkit.server.binding import bind
from tornkit.server.draining import DrainingHTTPServer, DrainingTornadoServer
from tornkit.server.proxies import TrustedProxies

if TYPE_CHECKING:
    import socket
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
    from typing import Any, Self

    from tornado.web import Application

    from tornkit.server.draining import DrainingServer

__all__ = ["Options", "serve", "start", "stop"]

logger = logging.getLogger("tornkit.server")


@dataclass(frozen=True, slots=True)
class Options:
    """The limits of a server; sizes in bytes, times in seconds.

    Attributes:
        shutdown_timeout: how long requests in flight may take to finish at the end.
        max_body_size: the largest body; a larger one is refused.
        idle_timeout: how long a connection may wait for the headers of its next request.
        body_timeout: how long a body may take to arrive.
        stall_timeout: how long a client may take nothing of an answer; not with ``tornado``.
        max_connections: how many connections may be open, more have to wait; not with
            ``tornado``.
        trusted_proxies: addresses, networks and ``unix``: whose ``X-Forwarded-For`` and
            ``X-Forwarded-Proto`` are believed.
        engine: ``tornkit`` is our HTTP server, ``tornado`` is Tornado's own, which is slower.
    """

    shutdown_timeout: float = 30.0
    max_body_size: int = 10 * 1024 * 1024
    idle_timeout: float = 75.0
    body_timeout: float = 60.0
    stall_timeout: float = 30.0
    max_connections: int = 10_000
    trusted_proxies: Sequence[str] = ()
    engine: Literal["tornkit", "tornado"] = "tornkit"

    @classmethod
    def of(cls, settings: object) -> Self:
        """Return the options that a table of settings has under the same names.

        Example:
            ``Options.of(application.config.server)``
        """
        names = (name for name in cls.__dataclass_fields__ if hasattr(settings, name))
        return cls(**{name: getattr(settings, name) for name in names})


def start(
    application: Application,
    sockets: Iterable[socket.socket],
    options: Options | None = None,
) -> DrainingServer:
    """Serve an application on listening sockets; the running loop does the work."""
    limits = options or Options()
    common = {
        "max_body_size": limits.max_body_size,
        "idle_connection_timeout": limits.idle_timeout,
        "body_timeout": limits.body_timeout,
        "trusted_proxies": TrustedProxies.parse(limits.trusted_proxies),
    }
    server: DrainingServer
    if limits.engine == "tornado":
        server = DrainingTornadoServer(application, **common)
    else:
        server = DrainingHTTPServer(
            application,
            stall_timeout=limits.stall_timeout,
            max_connections=limits.max_connections,
            **common,
        )
    server.add_sockets(sockets)
    return server


async def stop(servers: Iterable[DrainingServer], patience: float) -> None:
    """Stop servers side by side; requests in flight have ``patience`` seconds to finish."""
    unfinished = sum(await asyncio.gather(*(server.drain(patience) for server in servers)))
    if unfinished:
        logger.warning("%d requests did not finish in %g s and were cut off", unfinished, patience)


@contextlib.asynccontextmanager
async def serve(
    applications: Sequence[tuple[Application, int]],
    *,
    host: str = "127.0.0.1",
    options: Options | None = None,
) -> AsyncIterator[list[int]]:
    """Serve each application on its port inside the block; yield the real ports.

    An application with ``startup`` and ``shutdown`` is started before its port is opened,
    and shut down after its last request.

    Example:
        ``async with serve([(site, 8888), (metrics, 0)]) as ports: await asyncio.Event().wait()``

    Raises:
        StartError: a port cannot be opened.
    """
    limits = options or Options()
    async with contextlib.AsyncExitStack() as stack:
        for application, _ in applications:
            await _enter(stack, application)
        ports: list[int] = []
        servers: list[DrainingServer] = []
        stack.push_async_callback(stop, servers, limits.shutdown_timeout)
        for application, port in applications:
            sockets = bind(host, port)
            servers.append(start(application, sockets, limits))
            ports.append(sockets[0].getsockname()[1])
        try:
            yield ports
        finally:
            for application, _ in applications:
                _tell(application)


def own_coroutine(application: Application, name: str) -> Callable[[], Awaitable[None]] | None:
    """Return an application's ``startup`` or ``shutdown``; one that is no coroutine is its own."""
    method = getattr(application, name, None)
    return method if inspect.iscoroutinefunction(method) else None


def _tell(application: Any) -> None:
    """Let a balancer see that a site is about to go, before it refuses a connection."""
    if hasattr(application, "begin_draining"):
        application.begin_draining()


async def _enter(stack: contextlib.AsyncExitStack, application: Application) -> None:
    startup = own_coroutine(application, "startup")
    shutdown = own_coroutine(application, "shutdown")
    if startup is not None:
        await startup()
    if shutdown is not None:
        stack.push_async_callback(shutdown)
