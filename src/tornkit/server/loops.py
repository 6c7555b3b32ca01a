"""The event loop that a server runs on."""

from __future__ import annotations

import asyncio

__all__ = ["new_event_loop"]


def new_event_loop() -> asyncio.AbstractEventLoop:
    """Return a uvloop where it is installed, else asyncio's own loop."""
    try:
        import uvloop  # noqa: PLC0415  not on Windows
    except ImportError:
        return asyncio.new_event_loop()
    return uvloop.new_event_loop()
