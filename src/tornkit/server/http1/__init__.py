"""HTTP/1 on the transports of the event loop, with the interface of Tornado's server."""

from __future__ import annotations

from tornkit.server.http1.server import HTTPServer

__all__ = ["HTTPServer"]
