"""How a child process of the tests gets tornkit's pytest plugin."""

from __future__ import annotations

from importlib.metadata import entry_points

__all__ = ["PLUGIN"]

# Where tornkit is on the path without being installed, its plugin has to be named.
PLUGIN = [] if entry_points(group="pytest11", name="tornkit") else ["-p", "tornkit.testing.plugin"]
