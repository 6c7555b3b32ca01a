"""Testing a site: a client, counted queries, a clock, and the fixtures of the pytest plugin.

The fixtures come with ``pip install "tornkit[test]"`` and need no import:

* ``app``: the project's application, started in the test's own loop;
* ``client``: a `Client` for it, over a real socket;
* ``settings_overrides``: override it to change settings, by dotted key;
* ``task_clock``: a `TaskClock` that the tasks of ``app`` go by.

Each test has databases of its own, migrated and empty.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tornkit.testing.client import Client
from tornkit.testing.clocks import TaskClock
from tornkit.testing.queries import Queries, count_queries

if TYPE_CHECKING:
    from tornkit.testing.session_stores import SessionStoreContract

__all__ = ["Client", "Queries", "SessionStoreContract", "TaskClock", "count_queries"]


def __getattr__(name: str) -> type[SessionStoreContract]:
    # The client works without pytest.
    if name == "SessionStoreContract":
        from tornkit.testing.session_stores import SessionStoreContract  # noqa: PLC0415

        return SessionStoreContract
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
