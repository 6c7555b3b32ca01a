"""Start and stop servers for applications, one or several in a process."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from tornkit.server.binding import bind
from tornkit.server.draining import DrainingHTTPServer, DrainingTornadoServer
from tornkit.server.proxies import TrustedProxies

if TYPE_CHECKING:
    import socket
    from collections.abc import AsyncIterator, Iterable, Sequence

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
        trusted_proxies: addresses, networks and ``unix``: whose ``X-Forwarded-For`` and
            ``X-Forwarded-Proto`` are believed.
        server: ``tornado`` is Tornado's own HTTP server, ``tornkit`` is ours, which is faster.
    """

    shutdown_timeout: float = 30.0
    max_body_size: int = 10 * 1024 * 1024
    idle_timeout: float = 75.0
    body_timeout: float = 60.0
    trusted_proxies: Sequence[str] = ()
    server: Literal["tornado", "tornkit"] = "tornado"


def start(
    application: Application,
    sockets: Iterable[socket.socket],
    options: Options | None = None,
) -> DrainingServer:
    """Serve an application on listening sockets; the running loop does the work."""
    limits = options or Options()
    kind = DrainingHTTPServer if limits.server == "tornkit" else DrainingTornadoServer
    server = kind(
        application,
        max_body_size=limits.max_body_size,
        idle_connection_timeout=limits.idle_timeout,
        body_timeout=limits.body_timeout,
        trusted_proxies=TrustedProxies.parse(limits.trusted_proxies),
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
        yield ports


async def _enter(stack: contextlib.AsyncExitStack, application: Application) -> None:
    startup = getattr(application, "startup", None)
    shutdown = getattr(application, "shutdown", None)
    if startup is not None:
        await startup()
    if shutdown is not None:
        stack.push_async_callback(shutdown)
