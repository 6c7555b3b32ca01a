"""End a connection whose other end takes nothing of what is sent to it."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Protocol

from tornado.log import gen_log

if TYPE_CHECKING:
    import asyncio

__all__ = ["StallWatch"]

_INTERNET = (socket.AF_INET, socket.AF_INET6)
_TCP_INFO = getattr(socket, "TCP_INFO", None)  # Linux
_TAKEN = slice(120, 128)  # where its answer counts the bytes that the other end acknowledged


class Sender(Protocol):
    """Who sends."""

    def unsent(self) -> int:
        """Return how many bytes the other end has not taken yet."""

    def abort(self) -> None:
        """End the connection."""


class StallWatch:
    """Looks from time to time whether the other end takes anything, until all is sent.

    The kernel is asked, too, where it can be: it holds megabytes, so that a slow client that
    reads all the time frees the transport's buffer seldom.
    """

    __slots__ = ("_before", "_opened", "_patience", "_sender", "_timer")

    def __init__(self, sender: Sender, opened: socket.socket, patience: float | None) -> None:
        """Give the other end ``patience`` seconds to take something; None waits for ever."""
        self._sender = sender
        self._opened = opened
        self._patience = patience
        self._before: tuple[int, bytes] | None = None
        self._timer: asyncio.TimerHandle | None = None

    def begin(self, loop: asyncio.AbstractEventLoop) -> None:
        """Watch from now on, unless that has begun."""
        if self._timer is None and self._patience is not None:
            self._before = self._state()
            self._timer = loop.call_later(self._patience, self._look, loop)

    def end(self) -> None:
        """Watch no longer."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        self._timer = None
        now = self._state()
        unsent = now[0]
        if unsent and now == self._before:
            gen_log.info(
                "%s took none of %d bytes for %g s, closing connection",
                _name(self._opened),
                unsent,
                self._patience,
            )
            self._sender.abort()
        elif unsent:
            self.begin(loop)

    def _state(self) -> tuple[int, bytes]:
        """Return how many bytes are unsent, and what changes whenever some are taken."""
        unsent = self._sender.unsent()
        if _TCP_INFO is None or self._opened.family not in _INTERNET:
            return unsent, b""
        info = self._opened.getsockopt(socket.IPPROTO_TCP, _TCP_INFO, _TAKEN.stop)
        return unsent, info[_TAKEN]


def _name(opened: socket.socket) -> str:
    try:
        peer = opened.getpeername()
    except OSError:
        return "a client that has gone"
    return str(peer[0]) if opened.family in _INTERNET else "a client on a Unix socket"
