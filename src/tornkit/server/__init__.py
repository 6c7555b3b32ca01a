"""Listen, serve, and stop without dropping a request.

`HTTPServer` has the interface of Tornado's, and takes less of the processor. Which
application is served, and with which settings, is for the caller to say; nothing here reads
settings.
"""

from __future__ import annotations

from tornkit.server.binding import address, bind, check_port
from tornkit.server.draining import DrainingServer
from tornkit.server.http1 import HTTPServer
from tornkit.server.loops import is_uvloop, new_event_loop
from tornkit.server.serving import Options, serve, start, stop

__all__ = [
    "DrainingServer",
    "HTTPServer",
    "Options",
    "address",
    "bind",
    "check_port",
    "is_uvloop",
    "new_event_loop",
    "serve",
    "start",
    "stop",
]
