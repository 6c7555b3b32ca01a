"""Work that a cancelled caller still awaits to its end."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable

__all__ = ["uninterrupted"]

T = TypeVar("T")


async def uninterrupted(work: Awaitable[T]) -> T:
    """Await all of ``work``, and only then obey a cancellation.

    Once the caller goes on, the work has happened or never will. A cancellation that comes
    again meanwhile waits too, so this is for work that ends by itself.
    """
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        while not task.done():
            with suppress(asyncio.CancelledError):
                await asyncio.wait([task])
        if not task.cancelled():
            task.exception()  # seen, and of no interest to who was cancelled
        raise
