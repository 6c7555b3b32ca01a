"""End a connection whose other end is still sending, so that it can read its answer first.

Closing a socket with unread input makes the system send a reset, and a reset can overtake
the answer. RFC 9112, section 9.6, has the remedy: stop writing, read on for a while, close.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tornado.iostream import IOStream

__all__ = ["hang_up"]

_PATIENCE = 2.0  # seconds
_MOST = 16 * 1024 * 1024  # bytes
_lingering: set[asyncio.Task[None]] = set()


def hang_up(stream: IOStream) -> None:
    """Close a stream whose output is sent; what still comes in is thrown away, within bounds."""
    if stream.closed():
        return
    # The stream may be reading, and only one can: a second name for the socket lets go of it.
    ours = stream.socket
    try:
        rest = socket.fromfd(ours.fileno(), ours.family, ours.type)
    except OSError:
        return  # no descriptor is free; closing gives one back
    finally:
        stream.close()
    rest.setblocking(False)
    task = asyncio.create_task(_read_on(rest))
    _lingering.add(task)
    task.add_done_callback(_lingering.discard)


async def _read_on(connection: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    read = 0
    try:
        with contextlib.suppress(OSError):  # TimeoutError is one
            connection.shutdown(socket.SHUT_WR)
            async with asyncio.timeout(_PATIENCE):
                while read < _MOST and (chunk := await loop.sock_recv(connection, 65536)):
                    read += len(chunk)
    finally:
        connection.close()
