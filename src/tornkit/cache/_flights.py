"""Computations under way: one for each key, awaited by everybody who wants its result.

A flight is a task of its own, so that it does not end with the caller who happened to come
first. It is cancelled when nobody waits for it any more.
"""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from tornkit.errors import CacheError

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator

__all__ = ["Flight", "Flights"]

Text: TypeAlias = bytes | str

_inside: Final[ContextVar[Flight | None]] = ContextVar("tornkit_flight", default=None)


class Flight:
    """One computation, and who waits for it."""

    __slots__ = ("is_saving", "is_wanted", "key", "needs", "task", "waiting")

    def __init__(self, key: str) -> None:
        self.key = key
        self.task: asyncio.Task[Text] | None = None
        self.waiting = 0
        self.needs: list[Flight] = []
        """What it waits for itself, in this cache or another."""
        self.is_wanted = True
        """Whether its result may be kept: no one has deleted or set the key meanwhile."""
        self.is_saving = False


class Flights:
    """The computations of one cache."""

    def __init__(self) -> None:
        self._aloft: dict[str, Flight] = {}

    async def join(self, key: str, work: Callable[[Flight], Coroutine[Any, Any, Text]]) -> Text:
        """Return the result of the computation of a key; begin it if there is none.

        Raises:
            CacheError: that computation waits for the one that this is called from, or it was
                cancelled by something else than its callers.
        """
        flight = self._aloft.get(key) or self._start(key, work)
        caller = _inside.get()
        if caller is not None and _waits_for(flight, caller):
            raise CacheError(
                f"the computation of cache key {key!r} waits for itself",
                hint="it must not ask for its own key, nor for one whose computation asks for it",
            )
        task = flight.task
        if task is None:  # it has only just been put into the table
            raise CacheError(f"the computation of cache key {key!r} has not begun")
        with _noted(caller, flight):
            flight.waiting += 1
            try:
                await asyncio.wait([task])
            finally:
                flight.waiting -= 1
                if not task.done() and not flight.waiting:
                    await self._abandon(flight, task)
        if task.cancelled():
            # Passed on, this would look as if the caller had been cancelled.
            raise CacheError(f"the computation of cache key {key!r} was cancelled")
        return task.result()

    def _start(self, key: str, work: Callable[[Flight], Coroutine[Any, Any, Text]]) -> Flight:
        flight = self._aloft[key] = Flight(key)

        async def fly() -> Text:
            _inside.set(flight)
            return await work(flight)

        flight.task = asyncio.create_task(fly(), name=f"tornkit-cache-{key}")
        flight.task.add_done_callback(lambda _: self._remove(flight))
        return flight

    async def _abandon(self, flight: Flight, task: asyncio.Task[Text]) -> None:
        """End what nobody waits for, and see it ended before the last caller goes on."""
        self._remove(flight)
        task.cancel()
        await asyncio.wait([task])
        if not task.cancelled():
            task.exception()  # seen, and of no interest to who was cancelled

    def _remove(self, flight: Flight) -> None:
        if self._aloft.get(flight.key) is flight:
            del self._aloft[flight.key]

    async def ground(self, key: str) -> None:
        """Make sure that what is being computed for a key is not kept.

        Those who wait get it; whoever comes later begins anew.
        """
        flight = self._aloft.pop(key, None)
        if flight is not None:
            await _unwanted(flight)

    async def ground_all(self) -> None:
        """Do the same for every key."""
        flights, self._aloft = list(self._aloft.values()), {}
        for flight in flights:
            flight.is_wanted = False
        for flight in flights:
            await _unwanted(flight)


def _waits_for(flight: Flight, wanted: Flight) -> bool:
    """Tell whether a flight is the one that is wanted, or cannot end before it."""
    seen, ahead = set[Flight](), [flight]
    while ahead:
        each = ahead.pop()
        if each is wanted:
            return True
        if each not in seen:
            seen.add(each)
            ahead += each.needs
    return False


@contextmanager
def _noted(caller: Flight | None, flight: Flight) -> Iterator[None]:
    """Let others see that a flight waits for another."""
    if caller is None:
        yield
        return
    caller.needs.append(flight)
    try:
        yield
    finally:
        caller.needs.remove(flight)


async def _unwanted(flight: Flight) -> None:
    flight.is_wanted = False
    if flight.is_saving and flight.task is not None:
        # On another connection, what is written could arrive after what deletes it.
        await asyncio.wait([flight.task])
