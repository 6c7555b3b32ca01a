"""What ``tornkit check`` knows: everything that can be said before a site is started.

`look_at` examines an application that could be built, `look_at_deployment` one that was built
with production's settings, and `from_error` words why one could not.
Every identifier is explained in ``docs/reference/checks.md``.
"""

from __future__ import annotations

from tornkit.checks.application import look_at, look_at_port
from tornkit.checks.deploy import look_at_deployment, mend
from tornkit.checks.messages import Message, errors_only, from_error

__all__ = [
    "Message",
    "errors_only",
    "from_error",
    "look_at",
    "look_at_deployment",
    "look_at_port",
    "mend",
]
