"""How WebSockets end when their server does."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tornado.log import app_log
from tornado.websocket import WebSocketProtocol13

if TYPE_CHECKING:
    from tornado.websocket import WebSocketProtocol

__all__ = ["knows_the_end", "say_goodbye"]

_GOING_AWAY = 1001  # RFC 6455, section 7.4.1
_REASON = "the server is going away"


def say_goodbye(websocket: WebSocketProtocol) -> None:
    """Send a close frame; the server says for how long the client may answer it."""
    try:
        if websocket.is_closing():
            return
        websocket.close(_GOING_AWAY, _REASON)
    except Exception:  # noqa: BLE001  it may be the application's own
        app_log.exception("Uncaught exception")
        return
    if isinstance(websocket, WebSocketProtocol13) and websocket._waiting is not None:
        # Tornado's five seconds; what is cancelled is kept, or the next close() starts them anew.
        websocket.stream.io_loop.remove_timeout(websocket._waiting)


def knows_the_end(websocket: WebSocketProtocol) -> bool:
    """Tell whether the handler of a WebSocket has been told that it has ended."""
    return getattr(websocket.handler, "_on_close_called", True)
