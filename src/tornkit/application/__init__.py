"""The site, put together: settings, modules and resources in one Tornado application.

`composer` has the application, `parts` makes each of its parts from the settings, and
`stores` finds the store of a URL.
"""

from __future__ import annotations

from tornkit.application.composer import Application

__all__ = ["Application"]
