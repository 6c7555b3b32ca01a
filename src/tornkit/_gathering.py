"""Several awaitables at once, with a deadline; the first error ends the others."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tornkit._text import printable
from tornkit.errors import DeadlineExceeded

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["gather"]


async def gather(*children: Any, timeout: float | None = None) -> Any:  # noqa: ASYNC109 - seconds for all of them
    """Return the results of awaitables, in the shape that they came in.

    Args:
        children: awaitables, or one list, tuple or dict of them.
        timeout: seconds that they have together.

    Raises:
        DeadlineExceeded: the time was up; it names what was not done.
        TypeError: a child cannot be awaited; none has run.
        ValueError: ``timeout`` is not above 0.
    """
    given: Any = children
    if len(children) == 1 and isinstance(children[0], Mapping | Sequence):
        given = children[0]
    keys = list(given) if isinstance(given, Mapping) else None
    awaitables = list(given.values()) if isinstance(given, Mapping) else list(given)
    try:
        _check(awaitables, timeout)
    except BaseException:
        _discard(awaitables)
        raise
    results = await _all(awaitables, timeout)
    return results if keys is None else dict(zip(keys, results, strict=True))


def _check(awaitables: Iterable[object], timeout: float | None) -> None:
    for child in awaitables:
        if not isinstance(child, Awaitable):
            raise TypeError(
                f"gather() got {printable(repr(child))}, which cannot be awaited; "
                "expected awaitables, or one list or dict of them"
            )
    if timeout is not None and not timeout > 0:
        raise ValueError(f"gather(timeout={timeout!r}): expected seconds above 0, or None")


def _discard(awaitables: Iterable[object]) -> None:
    """Close coroutines that will not run, so that none complains of it."""
    for child in awaitables:
        if inspect.iscoroutine(child):
            child.close()


async def _all(awaitables: list[Awaitable[Any]], timeout: float | None) -> list[Any]:  # noqa: ASYNC109
    if not awaitables:
        return []
    names = [_name(child) for child in awaitables]
    # A future given twice is one future.
    tasks = [asyncio.ensure_future(child) for child in awaitables]
    watch = _Watch(tasks)
    try:
        await asyncio.wait([watch.over], timeout=timeout)
        late = [name for name, task in zip(names, tasks, strict=True) if not task.done()]
    finally:
        failed = watch.failed
        await _end(tasks)
    if failed is not None:
        return [failed.result()]
    if late:
        raise DeadlineExceeded(
            f"{len(late)} of {len(tasks)} did not end within {timeout:g} s: {', '.join(late)}",
            hint="give them more time, or find out what they wait for",
        )
    return [task.result() for task in tasks]


class _Watch:
    """Notice when all of some futures have ended, or the first of them has failed."""

    def __init__(self, futures: Iterable[asyncio.Future[Any]]) -> None:
        self.over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.failed: asyncio.Future[Any] | None = None
        self._running = set(futures)
        for future in self._running:
            future.add_done_callback(self._note)

    def _note(self, done: asyncio.Future[Any]) -> None:
        self._running.discard(done)
        # Also one that was cancelled by somebody else has no result.
        if self.failed is None and (done.cancelled() or done.exception() is not None):
            self.failed = done
        if not self.over.done() and (self.failed is not None or not self._running):
            self.over.set_result(None)


async def _end(tasks: Iterable[asyncio.Future[Any]]) -> None:
    """Cancel what still runs and wait until it has ended."""
    running = [task for task in tasks if not task.done()]
    for task in running:
        task.cancel()
    if running:
        await asyncio.wait(running)
        for task in running:
            if not task.cancelled():
                task.exception()  # nobody else will ask


def _name(child: object) -> str:
    found = getattr(child, "__qualname__", None) or getattr(child, "__name__", None)
    if found is None and isinstance(child, asyncio.Task):
        found = _name(child.get_coro())
    return printable(found or type(child).__name__)
