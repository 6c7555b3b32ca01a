"""What answers a request: `BaseHandler`, WebSockets, error pages, static files, health.

Parsing paths is `tornkit.routing`'s work, keeping sessions `tornkit.sessions`'; here the
parts that `tornkit.application` hands over as one `Site` meet in a request.
"""

from tornkit.handlers.base import BaseHandler
from tornkit.handlers.site import Site
from tornkit.handlers.visitor import SessionUser
from tornkit.handlers.websocket import WebSocketHandler

__all__ = ["BaseHandler", "SessionUser", "Site", "WebSocketHandler"]
