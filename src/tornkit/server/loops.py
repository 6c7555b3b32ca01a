"""The event loop that a server runs on."""

from __future__ import annotations

import asyncio

__all__ = ["is_uvloop", "new_event_loop"]


def new_event_loop() -> asyncio.AbstractEventLoop:
    """Return a uvloop where it is installed, else asyncio's own loop."""
    try:
        import uvloop  # noqa: PLC0415  not on Windows
    except ImportError:
        return asyncio.new_event_loop()
    return uvloop.new_event_loop()


def is_uvloop(loop: asyncio.AbstractEventLoop) -> bool:
    """Tell whether a loop is uvloop's."""
    return type(loop).__module__.partition(".")[0] == "uvloop"
