"""What arrives on a WebSocket: frames are handled as they come.

A message costs no task and no future where its handler has nothing to wait for. Where it has,
what arrives in the meantime waits, too.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextvars
import sys
import zlib
from types import CoroutineType
from typing import TYPE_CHECKING, Any

from tornado.gen import convert_yielded
from tornado.log import gen_log
from tornado.util import _websocket_mask
from tornado.websocket import _DecompressTooLargeError

from tornkit.server.websockets.frames import (
    BINARY,
    CLOSE,
    CONTROL,
    DEFLATED,
    FINAL,
    OPCODE,
    PING,
    PONG,
    RESERVED,
    TEXT,
    BadFrame,
    check_code,
    read_head,
    text_of,
)
from tornkit.server.websockets.messages import Message

if TYPE_CHECKING:
    from collections.abc import Callable

    from tornkit.server.http1.streams import Stream
    from tornkit.server.websockets.protocol import WebSocket

__all__ = ["Incoming"]

_READ_AHEAD = 65536  # bytes that may arrive before they are wanted
# As in Tornado, others have their turn after so many bytes, and a frame counts as some.
_TURN = 256 * 1024
_FRAME_COST = 1024
_WHOLE = (FINAL | TEXT, FINAL | BINARY)
_WHOLE_CONTROL = (FINAL | CLOSE, FINAL | PING, FINAL | PONG)


class Incoming:
    """Hands what arrives to the handler of a WebSocket, in order."""

    __slots__ = (
        "_at",
        "_context",
        "_ended",
        "_held",
        "_inbox",
        "_left",
        "_limit",
        "_message",
        "_protocol",
        "_stream",
    )

    _context: contextvars.Context

    def __init__(self, protocol: WebSocket, stream: Stream) -> None:
        """Take what arrives on ``stream``, and hold it until `handle_all`."""
        self._protocol = protocol
        self._stream = stream
        self._limit = protocol.params.max_message_size
        self._held = True  # what arrives has to wait
        self._inbox = stream.hand_over(self)  # what has arrived since
        self._left = b""  # what came before, handled up to here:
        self._at = 0
        self._message: Message | None = None  # that is still arriving
        self._ended: asyncio.Future[None] | None = None
        protocol._wire_bytes_in += len(self._inbox)

    async def handle_all(self) -> None:
        """Handle frames until the connection ends."""
        self._ended = self._stream.loop.create_future()
        # As in Tornado, handlers run in the context of their request.
        self._context = contextvars.copy_context()
        self._context.run(self._go_on)
        await self._ended

    # What the stream tells.

    def connected(self) -> None:
        """Do nothing: it was connected before it was upgraded."""

    def received(self, data: bytes) -> None:
        """Handle the frames that have arrived."""
        protocol = self._protocol
        protocol._wire_bytes_in += len(data)
        if self._held:
            self._inbox += data
            if len(self._inbox) > _READ_AHEAD:
                self._stream.pause_reading()
        elif not protocol.client_terminated:
            if self._left:
                data = self._left + data
                self._left = b""
            self._context.run(self._handle, data, 0)
            if self._stream.write_paused:
                self._read_on()

    def busy(self) -> bool:
        """Tell whether something waits for the handler."""
        return self._held

    def writable(self) -> None:
        """Read on from a client that had to take something first."""
        if not self._held:
            self._read_on()

    def shut(self) -> None:
        """End, once all that has arrived is handled."""
        if not self._held:
            self._end()

    def gone(self) -> None:
        """Do nothing: all is said."""

    # Frames.

    def _handle(self, data: bytes, at: int) -> None:
        """Handle the frames in ``data``, and keep what is left of it."""
        size, turn = len(data), _TURN
        try:
            while at < size and not (self._held or self._protocol.client_terminated):
                end = self._handle_frame(data, at)
                if end == at:
                    break
                turn -= _FRAME_COST + end - at
                at = end
                if turn <= 0:
                    self._rest()
        except BadFrame as bad:
            self._fail(bad)
        else:
            if at < size:
                self._left, self._at = (data, at) if self._held else (data[at:], 0)

    def _handle_frame(self, data: bytes, at: int) -> int:
        """Handle a frame, or as much of it as is there; return where that ends."""
        message = self._message
        if message is not None and message.missing:
            end = message.take(data, at)
        else:
            head = read_head(data, at)
            if head is None:
                return at
            first, begin, end = head
            if message is None and first in _WHOLE and end <= min(len(data), begin + self._limit):
                self._deliver(first, _websocket_mask(data[begin - 4 : begin], data[begin:end]))
                return end
            self._admit(first, end - begin)
            if (end if first & CONTROL else begin) > len(data):
                return at
            if first & CONTROL:
                self._control(first, _websocket_mask(data[begin - 4 : begin], data[begin:end]))
                return end
            if message is None:
                message = self._message = Message(first)
            message.expect(first, data[begin - 4 : begin], end - begin)
            end = message.take(data, begin)
        if message.complete:
            self._message = None
            self._deliver(message.first, message.data)
        return end

    def _rest(self) -> None:
        """Let others have their turn."""
        if not self._held:
            self._held = True
            self._stream.loop.call_soon(self._go_on, context=self._context)

    def _admit(self, first: int, size: int) -> None:
        """Make sure that a frame may come now.

        Raises:
            BadFrame: it may not.
        """
        if first & CONTROL:
            if first not in _WHOLE_CONTROL:
                raise BadFrame(1002, "a control frame is malformed")
            return
        opcode, message = first & OPCODE, self._message
        if opcode > BINARY:
            raise BadFrame(1002, "the type of a frame is not defined")
        if (opcode == 0) is (message is None):
            raise BadFrame(1002, "the frames of a message are not in order")
        may_be_deflated = opcode != 0 and self._protocol._decompressor is not None
        if first & RESERVED & ~(DEFLATED if may_be_deflated else 0):
            raise BadFrame(1002, "a reserved bit is set")
        if size + (len(message.data) if message else 0) > self._limit:
            raise BadFrame(1009, "message too big")

    def _deliver(self, first: int, data: bytes | bytearray) -> None:
        """Give a message to the handler."""
        protocol = self._protocol
        if first & DEFLATED:
            data = self._inflated(data)
        protocol._message_bytes_in += len(data)
        message = text_of(data) if first & TEXT else bytes(data)
        self._call(protocol.handler.on_message, message)

    def _inflated(self, data: bytes | bytearray) -> bytes:
        decompressor = self._protocol._decompressor
        assert decompressor is not None  # noqa: S101  for the types: it has been admitted
        try:
            return decompressor.decompress(bytes(data))
        except _DecompressTooLargeError:
            raise BadFrame(1009, "message too big after decompression") from None
        except zlib.error:
            raise BadFrame(1007, "a message cannot be decompressed") from None

    def _control(self, first: int, payload: bytes) -> None:
        protocol, opcode = self._protocol, first & OPCODE
        if opcode == PING:
            protocol._send_pong(payload)
            self._call(protocol.handler.on_ping, payload)
        elif opcode == PONG:
            protocol._received_pong = True
            self._call(protocol.handler.on_pong, payload)
        else:
            self._say_goodbye(payload)

    def _say_goodbye(self, payload: bytes) -> None:
        """Close, because the client does."""
        protocol = self._protocol
        protocol.client_terminated = True
        if len(payload) == 1:
            raise BadFrame(1002, "a close frame is malformed")
        if payload:
            protocol.close_code = int.from_bytes(payload[:2], "big")
            protocol.close_reason = text_of(payload[2:]) or None
            check_code(protocol.close_code)
        protocol.close(protocol.close_code)

    # The handler.

    def _call(self, method: Callable[[Any], object], argument: str | bytes) -> None:
        """Call the handler; what goes wrong there ends the connection."""
        try:
            result = method(argument)
            if result is not None:
                self._wait_for(result)
        except (Exception, asyncio.CancelledError):  # noqa: BLE001  as in Tornado
            self._blame_handler()

    def _wait_for(self, result: Any) -> None:
        """Let what arrives wait until the handler is ready for it."""
        future = (
            self._started(result) if type(result) is CoroutineType else convert_yielded(result)
        )
        if isinstance(future, concurrent.futures.Future):
            future = asyncio.wrap_future(future)
        if future.done():
            future.result()
        else:
            self._held = True
            future.add_done_callback(self._handled, context=self._context)

    def _started(self, coroutine: CoroutineType[Any, Any, Any]) -> asyncio.Task[Any]:
        loop = self._stream.loop
        if sys.version_info >= (3, 12) and loop.get_task_factory() is None:
            # Most handlers never suspend: they are done before others have their turn.
            return asyncio.Task(coroutine, loop=loop, eager_start=True)
        return loop.create_task(coroutine)

    def _handled(self, future: asyncio.Future[Any]) -> None:
        try:
            future.result()
        except (Exception, asyncio.CancelledError):  # noqa: BLE001  as in Tornado
            self._blame_handler()
        finally:
            self._go_on()

    def _blame_handler(self) -> None:
        try:
            self._protocol.handler.log_exception(*sys.exc_info())
        finally:
            self._protocol._abort()

    def _go_on(self) -> None:
        """Handle what had to wait, and then what has arrived since."""
        self._held = False
        if self._left:
            left, self._left = self._left, b""
            self._handle(left, self._at)
        if self._inbox and not self._held:
            data, self._left = self._left + self._inbox, b""
            self._inbox.clear()
            self._handle(data, 0)
        if not self._held:
            self._read_on()
            if self._stream.closed():
                self._end()

    def _read_on(self) -> None:
        """Read on, unless the client has too much to take first."""
        stream = self._stream
        if stream.write_paused and stream.unsent() > self._limit and not stream.ended:
            stream.pause_reading()
        else:
            stream.want_more()

    # The end.

    def _fail(self, bad: BadFrame) -> None:
        """Close, and say why.

        Closing while the other end sends would make the system answer with a reset, which can
        overtake what was said; so what comes is thrown away, for as long as a close may take.
        """
        gen_log.debug("Closing WebSocket with %d: %s", bad.code, bad.reason)
        protocol = self._protocol
        self._message = None
        protocol.close(bad.code, bad.reason)
        protocol.client_terminated = True
        if not self._stream.end_writing():
            protocol._abort()

    def _end(self) -> None:
        if self._ended is not None and not self._ended.done():
            self._ended.set_result(None)
