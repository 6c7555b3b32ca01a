"""Open listening sockets, with messages that say which port and what to do."""

from __future__ import annotations

import errno
import os
import socket
from typing import TYPE_CHECKING, Any

from tornkit._text import printable
from tornkit.errors import StartError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["address", "bind", "check_port"]

_BACKLOG = 1024
_WILDCARDS = ("", "0.0.0.0", "::")  # noqa: S104  recognised, not bound


def bind(host: str, port: int) -> list[socket.socket]:
    """Listen on every address of ``host`` ("" is any) and ``port``; port 0 takes a free one.

    Raises:
        StartError: the port is in use or needs more rights, or the host is not ours.
    """
    sockets = _bound(host, port)
    try:
        for each in sockets:
            each.listen(_BACKLOG)
    except OSError as error:
        for each in sockets:
            each.close()
        raise _start_error(host, port, error) from error
    return sockets


def check_port(host: str, port: int) -> None:
    """Find out whether `bind` would work, without opening the port.

    Raises:
        StartError: as `bind`.
    """
    for each in _bound(host, port):
        each.close()


def _bound(host: str, port: int) -> list[socket.socket]:
    sockets: list[socket.socket] = []
    missing: OSError | None = None
    try:
        found = socket.getaddrinfo(
            host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
        for family, kind, protocol, _, where in dict.fromkeys(found):
            # Where the system chose the port, the other addresses of the host share it.
            chosen = sockets[0].getsockname()[1] if sockets else port
            try:
                sockets.append(_open(family, kind, protocol, (where[0], chosen, *where[2:])))
            except OSError as error:
                if error.errno not in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
                    raise
                missing = error  # such as ::1 of localhost, where IPv6 is switched off
        if not sockets:
            raise missing or OSError(errno.EADDRNOTAVAIL, "no address")
    except OSError as error:
        for each in sockets:
            each.close()
        raise _start_error(host, port, error) from error
    return sockets


def _open(family: int, kind: int, protocol: int, where: tuple[Any, ...]) -> socket.socket:
    opened = socket.socket(family, kind, protocol)
    try:
        if os.name != "nt":  # there it would let two programs share a port
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        opened.setblocking(False)
        opened.bind(where)
    except OSError:
        opened.close()
        raise
    return opened


def _start_error(host: str, port: int, error: OSError) -> StartError:
    where = f"port {port} on {printable(host) or 'every address'}"
    if error.errno == errno.EADDRINUSE:
        message, hint = f"{where} is in use", "stop the other program, or choose another --port"
    elif error.errno in (errno.EACCES, errno.EPERM):
        message, hint = f"{where} needs more rights", "choose a --port from 1024 up"
    elif isinstance(error, socket.gaierror) or error.errno == errno.EADDRNOTAVAIL:
        message = f"host {printable(host)!r} is no address of this machine"
        hint = "choose another --host, such as 127.0.0.1"
    else:
        message, hint = f"{where} cannot be opened: {printable(error.strerror)}", ""
    return StartError(message, hint=hint, check_id="server.port")


def address(sockets: Sequence[socket.socket], host: str = "") -> str:
    """Return the URL under which the sockets are reached from this machine."""
    name, port = sockets[0].getsockname()[:2]
    shown = "127.0.0.1" if name in _WILDCARDS else (host or name)
    if host in _WILDCARDS:
        shown = "127.0.0.1" if name in _WILDCARDS else name
    return f"http://[{shown}]:{port}" if ":" in shown else f"http://{shown}:{port}"
