"""Testing a site: `Client`, and the pytest fixtures of ``tornkit.testing.plugin``.

The fixtures come with ``pip install "tornkit[test]"`` and need no import:

* ``app``: the project's application, started in the test's own loop;
* ``client``: a `Client` for it, over a real socket;
* ``settings_overrides``: override it to change settings, by dotted key.

Each test has databases of its own, migrated and empty.
"""

from __future__ import annotations

from tornkit.testing.client import Client

__all__ = ["Client"]
