"""Accept connections while there is room for them.

Where there is none, new connections wait in the queue of the system, where another process
that listens on the same socket may take them.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from tornado.ioloop import IOLoop
from tornado.log import gen_log

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

__all__ = ["Acceptor", "open_files"]

_AT_ONCE = 128  # connections that are accepted before others have their turn, as in Tornado
_LOOK_AGAIN = 1.0  # seconds
_LOG_AGAIN = 60.0  # seconds


class Acceptor:
    """Accepts connections from listening sockets, and pauses where there is no room."""

    def __init__(
        self,
        take: Callable[[socket.socket, Any], None],
        full: Callable[[], str | None],
        make_room: Callable[[], None],
    ) -> None:
        """Accept nothing yet.

        Args:
            take: gets each connection, and the address of its other end.
            full: tells why there is no room for another one, or None where there is.
            make_room: is called every second while there is none.
        """
        self._take = take
        self._full = full
        self._make_room = make_room
        self._listening: set[socket.socket] = set()
        self._paused = False
        self._timer: object | None = None
        self._logged = -math.inf

    def add(self, listening: socket.socket) -> Callable[[], None]:
        """Accept the connections of a socket; return what ends that."""
        loop = IOLoop.current()
        self._listening.add(listening)
        if not self._paused:
            loop.add_handler(listening, self._accept, loop.READ)

        def remove() -> None:
            self._listening.discard(listening)
            if not self._paused:
                loop.remove_handler(listening)
            elif not self._listening:
                self._resume()

        return remove

    def connection_ended(self) -> None:
        """Go on, if a connection had to end before another one could be accepted."""
        if self._paused and self._full() is None:
            self._resume()

    def _accept(self, listening: socket.socket, _: int) -> None:
        for _ in range(_AT_ONCE):
            if listening not in self._listening:
                return
            if why := self._full():
                self._pause(why)
                return
            try:
                connection, address = listening.accept()
            except BlockingIOError:
                return
            except ConnectionAbortedError:
                continue
            except OSError as error:  # most likely no descriptor is free
                self._pause(str(error))
                return
            self._take(connection, address)

    def _pause(self, why: str) -> None:
        loop = IOLoop.current()
        self._paused = True
        for each in self._listening:
            loop.remove_handler(each)
        if loop.time() - self._logged >= _LOG_AGAIN:
            self._logged = loop.time()
            gen_log.warning("new connections have to wait: %s", why)
        self._wait(loop)

    def _wait(self, loop: IOLoop) -> None:
        self._timer = loop.call_later(_LOOK_AGAIN, self._look_again, loop)
        self._make_room()

    def _look_again(self, loop: IOLoop) -> None:
        if self._full() is None:
            self._resume()
        else:
            self._wait(loop)

    def _resume(self) -> None:
        loop = IOLoop.current()
        self._stop_waiting(loop)
        self._paused = False
        for each in self._listening:
            loop.add_handler(each, self._accept, loop.READ)

    def _stop_waiting(self, loop: IOLoop) -> None:
        timer, self._timer = self._timer, None
        if timer is not None:
            loop.remove_timeout(timer)


def open_files() -> float:
    """Return how many files, sockets among them, this process may open."""
    try:
        import resource  # noqa: PLC0415  not on Windows
    except ImportError:
        return math.inf
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return math.inf if soft == resource.RLIM_INFINITY else soft
