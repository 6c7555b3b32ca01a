"""Where our WebSockets take the place of Tornado's: when a connection is given to one."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any, cast

from tornado.websocket import WebSocketHandler, WebSocketProtocol13

from tornkit.server.http1.exchange import Exchange
from tornkit.server.websockets.protocol import WebSocket

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from tornado.httputil import HTTPHeaders, RequestStartLine, ResponseStartLine

    from tornkit.server.http1.streams import Stream

__all__ = ["Upgrade"]


class Upgrade(Exchange):
    """An exchange whose client would speak another protocol.

    A handler makes itself known to its connection by its close callback. When Tornado's
    `WebSocketHandler` takes the connection, the protocol that it has made, and that has just
    shaken hands, becomes one of ours; a protocol of the application's own is left alone.
    """

    _handler: Callable[[], WebSocketHandler | None] | None = None

    def set_close_callback(self, callback: Callable[[], None] | None) -> None:
        """Call ``callback`` when the connection ends; remember whose it is."""
        super().set_close_callback(callback)
        owner: Any = getattr(callback, "__self__", None)
        if isinstance(owner, WebSocketHandler):
            self._handler = weakref.ref(owner)

    def write_headers(
        self,
        start_line: RequestStartLine | ResponseStartLine,
        headers: HTTPHeaders,
        chunk: bytes | None = None,
    ) -> asyncio.Future[None]:
        """Write the head of the answer; one that upgrades does not end the connection."""
        if start_line[1] == 101:
            # A server that drains says "close" with every answer, which no handshake survives.
            self._disconnect_on_finish = False
        return super().write_headers(start_line, headers, chunk)

    def detach(self) -> Stream:  # type: ignore[override]
        """Take the connection over."""
        stream = super().detach()
        handler = self._handler and self._handler()
        protocol = handler and handler.ws_connection
        if type(protocol) is WebSocketProtocol13 and not protocol.mask_outgoing:
            # It must stay the same object, for its handshake goes on with it.
            protocol.__class__ = WebSocket
            cast("WebSocket", protocol).begin(stream)
        if protocol and not stream.closed():
            stream.websocket = protocol
        return stream
