"""`WebSocketProtocol13` on our HTTP server: it sends, and ends, with less ado."""

from __future__ import annotations

from struct import Struct
from typing import TYPE_CHECKING, Any

from tornado.escape import json_encode, utf8
from tornado.iostream import StreamClosedError
from tornado.websocket import WebSocketClosedError, WebSocketProtocol13

from tornkit.server.websockets.deflate import Deflater, Inflater
from tornkit.server.websockets.frames import BINARY, CONTROL, DEFLATED, FINAL, TEXT
from tornkit.server.websockets.incoming import Incoming

if TYPE_CHECKING:
    import asyncio

    from tornkit.server.http1.streams import Stream

__all__ = ["WebSocket"]

_SHORT, _MEDIUM, _LONG = Struct(">BB"), Struct(">BBH"), Struct(">BBQ")
_TURN = 65536  # bytes that are written before others have their turn
_LARGE = 65536  # bytes; to copy more costs more than a second write


class WebSocket(WebSocketProtocol13):
    """A WebSocket on a stream of our server, made of one of Tornado's that has shaken hands."""

    stream: Stream  # type: ignore[assignment]

    _incoming: Incoming
    _turn_at = _TURN  # bytes that have been written when others next have it
    _ping_coroutine: asyncio.TimerHandle | None  # type: ignore[assignment]

    def begin(self, stream: Stream) -> None:
        """Take what arrives on ``stream``."""
        if self._compressor is not None and self._compressor._compressor is not None:
            self._compressor = Deflater(self._compressor)
        if self._decompressor is not None and self._decompressor._decompressor is not None:
            self._decompressor = Inflater(self._decompressor)
        # A fresh dictionary takes half the memory of one that grows by a key.
        self.__dict__ = {**vars(self), "_incoming": Incoming(self, stream)}

    async def _receive_frame_loop(self) -> None:
        incoming = self._incoming
        del self._incoming  # which knows us
        try:
            await incoming.handle_all()
            self._abort()
        finally:
            self.handler.on_ws_connection_close(self.close_code, self.close_reason)

    # What is sent.

    def write_message(
        self, message: str | bytes | dict[str, Any], binary: bool = False
    ) -> asyncio.Future[None]:
        """Send a message; wait for the future where the client may be slow.

        Raises:
            WebSocketClosedError: the connection has ended; the future raises it, too.
        """
        if isinstance(message, str):
            data = message.encode()
        else:
            data = utf8(json_encode(message) if isinstance(message, dict) else message)
        self._message_bytes_out += len(data)
        flags = 0
        if self._compressor:
            data, flags = self._compressor.compress(data), DEFLATED
        try:
            sent = self._write_frame(True, BINARY if binary else TEXT, data, flags)
        except StreamClosedError:
            raise WebSocketClosedError from None
        if sent.done() and self._wire_bytes_out >= self._turn_at:
            # Who writes without end to a client that reads as fast must not keep others waiting.
            self._turn_at = self._wire_bytes_out + _TURN
            sent = self.stream.turn()
        return sent if sent.done() else self._until(sent)

    def _write_frame(
        self, fin: bool, opcode: int, data: bytes, flags: int = 0
    ) -> asyncio.Future[None]:
        size = len(data)
        if opcode & CONTROL:
            if not fin:
                raise ValueError("control frames may not be fragmented")
            if size > 125:
                raise ValueError("control frame payloads may not exceed 125 bytes")
        first = (FINAL if fin else 0) | opcode | flags
        if size < 126:
            head = _SHORT.pack(first, size)
        elif size < 65536:
            head = _MEDIUM.pack(first, 126, size)
        else:
            head = _LONG.pack(first, 127, size)
        self._wire_bytes_out += len(head) + size
        if size < _LARGE:
            return self.stream.write(head + data)
        self.stream.write(head)
        return self.stream.write(data)

    def _until(self, sent: asyncio.Future[None]) -> asyncio.Future[None]:
        """Return a future that is done with ``sent``, and that fails if the connection ends."""
        future: asyncio.Future[None] = self.stream.loop.create_future()

        def settle(_: object) -> None:
            if future.done():
                return
            if self.stream.write_paused:  # nothing more has been taken: it has ended
                future.set_exception(WebSocketClosedError())
                future.exception()  # nobody has to look at it
            else:
                future.set_result(None)

        sent.add_done_callback(settle)
        return future

    # Pings: a timer, not a task.

    def start_pinging(self) -> None:
        """Send a ping at every interval, if one is set, and close when it is not answered."""
        if not self._ping_coroutine and self.ping_interval > 0:
            loop = self.stream.loop
            self._ping_coroutine = loop.call_later(self.ping_interval, self._ping)

    def _ping(self) -> None:
        if self.is_closing():
            return
        loop = self.stream.loop
        again = loop.time() + self.ping_interval
        self._received_pong = False
        self.write_ping(b"")
        timeout = self.ping_timeout
        if timeout > 0:
            self._ping_coroutine = loop.call_later(timeout, self._check_pong, again)
        else:
            self._ping_coroutine = loop.call_at(again, self._ping)

    def _check_pong(self, again: float) -> None:
        if self._received_pong:
            self._ping_coroutine = self.stream.loop.call_at(again, self._ping)
        else:
            self.close(reason="ping timed out")
