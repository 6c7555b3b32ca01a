"""`WebSocketHandler`: Tornado's, behind the same door and with the same session."""

from __future__ import annotations

from typing import Any

import tornado.websocket

from tornkit.handlers.base import BaseHandler

__all__ = ["WebSocketHandler"]


class WebSocketHandler(tornado.websocket.WebSocketHandler, BaseHandler):
    """Answer a WebSocket; a stranger gets 401 and the wrong role 403, never a redirect.

    The session is saved before the connection is upgraded; what changes later is saved by
    ``await self.save_session()``.
    """

    async def get(self, *args: Any, **kwargs: Any) -> None:
        """Save the session, for the upgrade leaves at once, and answer the handshake."""
        await self.save_session()
        await super().get(*args, **kwargs)
