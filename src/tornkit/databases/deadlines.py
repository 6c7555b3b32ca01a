"""How long a database may be silent.

Every connection has a `Watch`. It is told when an answer begins to be waited for and when it
has come; where none comes in time it cuts the connection, so that whoever waits gets an error.
Cut, not cancelled: drivers answer a cancellation by asking the server, and it is the server
that does not answer. A connection has one timer for many statements: where it goes off and the
statement it was made for is over, it is set again for the one that is running.
"""

from __future__ import annotations

import asyncio
import weakref
from typing import TYPE_CHECKING, Any, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Self

__all__ = ["GRACE", "Deadline", "Watch", "Watched", "late_by", "mark_late"]

GRACE: Final = 0.25
"""Seconds that a connection is cut after its server should have ended the statement itself."""

_MARK = "tornkit_silent_for"


class Watched(Protocol):
    """A driver's connection that keeps deadlines and knows its transaction."""

    watch: Watch | None
    """What cuts it; none while it connects, which has a deadline of its own."""
    reads: bool
    """Whether it was taken for transactions that cannot write."""

    @property
    def must_begin(self) -> bool:
        """Whether anything has to be done before the first statement of a transaction."""

    @property
    def is_clean(self) -> bool:
        """Whether no transaction is open, so that it can be used again as it is."""

    @property
    def is_lost(self) -> bool:
        """Whether the server has given the open transaction up already."""


class Watch:
    """See to it that a connection is not waited for longer than it may take.

    Args:
        connection: the driver's; it is not kept alive.
        seconds: how long an answer may take.
        cut: breaks the connection at once.
        grace: seconds more, in which the server may still end the statement itself.
    """

    __slots__ = (
        *("__weakref__", "_began", "_connection", "_cut", "_is_late", "_loop", "_patience"),
        *("_timer", "heard_at", "seconds"),
    )

    def __init__(
        self, connection: Any, seconds: float, cut: Callable[[Any], None], *, grace: float = GRACE
    ) -> None:
        self._connection = weakref.ref(connection)
        self.seconds, self._patience, self._cut = seconds, seconds + grace, cut
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._began: float | None = None
        self._is_late = False
        self.heard_at = self._loop.time()

    def begin(self) -> None:
        """Note that an answer is waited for from here."""
        self._is_late = False
        self._began = now = self._loop.time()
        if self._timer is None:
            self._timer = self._loop.call_at(now + self._patience, self._look)

    def end(self) -> None:
        """Note that it has come, or is waited for no longer."""
        self._began = None
        self.heard_at = self._loop.time()

    def judge(self, error: Exception, *, by_server: bool = False) -> None:
        """Mark an error that came instead of an answer, where it came because of the time.

        Args:
            error: the driver's.
            by_server: whether it says that the server ended the statement.
        """
        began, now = self._began, self._loop.time()
        # The server's clock is not ours, and the loop's is as coarse as its rounds.
        if self._is_late or (by_server and began and now - began > 0.95 * self.seconds):
            mark_late(error, self.seconds)

    def _look(self) -> None:
        self._timer = None
        if self._began is None:
            return
        due = self._began + self._patience
        if due > self._loop.time():
            self._timer = self._loop.call_at(due, self._look)
            return
        connection = self._connection()
        if connection is not None:
            self._is_late = True
            self._cut(connection)


class Deadline:
    """Cut a driver's connection at a time of the loop, unless the block is left before."""

    def __init__(self, connection: Any, latest: float, cut: Callable[[Any], None]) -> None:
        self.late = False
        self._connection, self._cut = connection, cut
        self._timer = asyncio.get_running_loop().call_at(latest, self._give_up)

    def _give_up(self) -> None:
        self.late = True
        self._cut(self._connection)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()


def mark_late(error: Exception, seconds: float) -> None:
    """Note on a driver's error that it stands for an answer that took too long."""
    setattr(error, _MARK, seconds)


def late_by(error: BaseException) -> float | None:
    """Return the seconds after which an answer was given up, or None where it was not."""
    seconds: float | None = getattr(error, _MARK, None)
    return seconds
