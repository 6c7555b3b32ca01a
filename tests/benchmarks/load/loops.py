"""Two ways to ask: again as soon as there is an answer, or at a fixed rate whatever happens."""

from __future__ import annotations

import select
import time
from collections import deque
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from tests.benchmarks.load.wire import LoadError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tests.benchmarks.load.wire import Connection

__all__ = ["Outcome", "closed_loop", "open_loop"]

_PATIENCE = 10.0  # seconds for what is under way at the end
_WAIT = 0.5  # seconds between two looks at the clock where nothing arrives


@dataclass(frozen=True)
class Outcome:
    """What a load has seen; times in seconds.

    Attributes:
        served: how many exchanges have ended.
        unfinished: how many were due, and have not.
        seconds: from the first to the last.
        p50, p99, longest: how long exchanges took.
        late: by how much this program itself was late with the 99th of a hundred requests.
    """

    served: int
    unfinished: int
    seconds: float
    p50: float
    p99: float
    longest: float
    late: float = 0.0

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def _outcome(taken: list[float], seconds: float, *, due: int, late: float = 0.0) -> Outcome:
    if not taken:
        raise LoadError("no request was answered")
    taken.sort()
    return Outcome(
        served=len(taken),
        unfinished=due - len(taken),
        seconds=seconds,
        p50=_quantile(taken, 0.5),
        p99=_quantile(taken, 0.99),
        longest=taken[-1],
        late=late,
    )


def _quantile(ordered: Sequence[float], share: float) -> float:
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)]


class _Poll:
    """The connections that something is waited for."""

    def __init__(self, connections: Sequence[Connection]) -> None:
        self._epoll = select.epoll()
        self._known = {each.socket.fileno(): each for each in connections}
        for number, connection in self._known.items():
            connection.socket.setblocking(False)
            self._epoll.register(number, select.EPOLLIN)

    def want_room(self, connection: Connection, *, wanted: bool) -> None:
        """Wait for room to send as well, or no longer."""
        events = select.EPOLLIN | (select.EPOLLOUT if wanted else 0)
        self._epoll.modify(connection.socket.fileno(), events)

    def ready(self, timeout: float) -> list[tuple[Connection, int]]:
        known = self._known
        return [(known[number], events) for number, events in self._epoll.poll(timeout)]


def closed_loop(
    connections: Sequence[Connection],
    request: bytes,
    is_whole: Callable[[bytes], bool],
    seconds: float,
) -> Outcome:
    """Ask on all connections, and again on each as soon as its answer is there.

    What is under way at the end is waited for, so that nothing is served and not counted.
    """
    poll, taken, clock = _Poll(connections), list[float](), time.perf_counter
    began = clock()
    end = began + seconds
    under_way, due = 0, 0

    def ask(connection: Connection) -> None:
        nonlocal under_way, due
        under_way, due = under_way + 1, due + 1
        if not connection.begin(request, clock()):
            poll.want_room(connection, wanted=True)

    for connection in connections:
        ask(connection)
    while under_way and clock() < end + _PATIENCE:
        for connection, events in poll.ready(_WAIT):
            if connection.unsent:
                if events & select.EPOLLOUT and connection.go_on():
                    poll.want_room(connection, wanted=False)
            elif is_whole(connection.receive()):
                now = clock()
                taken.append(now - connection.intended)
                under_way -= 1
                if now < end:
                    ask(connection)
    return _outcome(taken, clock() - began, due=due)


def open_loop(
    connections: Sequence[Connection],
    request: bytes,
    is_whole: Callable[[bytes], bool],
    seconds: float,
    *,
    rate: float,
    alone: bool,
) -> Outcome:
    """Ask ``rate`` times a second, whether answers come or not.

    A request that finds no free connection waits for one, and its time counts from when it
    was due: a server that stops for a while is charged for all who would have asked.

    Args:
        connections: as many requests can be under way.
        request: what is asked.
        is_whole: whether an answer is there.
        seconds: for how long.
        rate: requests a second, evenly spaced.
        alone: nobody else needs this core, so it may be spun on.
    """
    poll, clock = _Poll(connections), time.perf_counter
    free, taken, late = deque(connections), list[float](), list[float]()
    total, step, sent = max(1, int(rate * seconds)), 1 / rate, 0
    began = clock()
    deadline = began + seconds + _PATIENCE
    while len(taken) < total and (now := clock()) < deadline:
        was_free = bool(free)
        while free and sent < total and (intended := began + sent * step) <= now:
            connection = free.popleft()
            if not connection.begin(request, intended):
                raise LoadError("a request is too large for one send")
            if was_free:  # else it was the server that kept it waiting
                late.append(clock() - intended)
            sent += 1
        pause = 0.0 if alone else max(0.0, began + sent * step - now)
        for connection, _ in poll.ready(min(pause, _WAIT)):
            if is_whole(connection.receive()):
                taken.append(clock() - connection.intended)
                free.append(connection)
    late.sort()
    return _outcome(taken, clock() - began, due=total, late=_quantile(late, 0.99) if late else 0.0)
