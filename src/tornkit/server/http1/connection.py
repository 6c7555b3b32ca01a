"""Serve the requests of one connection, one after the other.

A connection waits for a head, reads the request, waits for its answer, and waits again.
Nothing of this is a task: each step runs when what it waits for is there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from tornado.http1connection import _GzipMessageDelegate

from tornkit.server.http1.answers import CONTINUE
from tornkit.server.http1.bodies import body_of
from tornkit.server.http1.exchange import Exchange
from tornkit.server.http1.heads import HeadReader
from tornkit.server.http1.lifetime import Lifetime, State

if TYPE_CHECKING:
    from tornado.http1connection import HTTP1ConnectionParameters
    from tornado.httpserver import _HTTPRequestContext
    from tornado.httputil import (
        HTTPConnection,
        HTTPHeaders,
        HTTPMessageDelegate,
        RequestStartLine,
    )

    from tornkit.server.http1.streams import Stream

__all__ = ["Connection"]

_READ_AHEAD = 65536  # bytes that may arrive before they are wanted
_YIELD_AFTER = 256 * 1024  # bytes of a body that are read before others have their turn


class Server(Protocol):
    """Who serves the requests."""

    def opened(self, connection: Connection) -> None:
        """Remember the connection."""

    def start_request(
        self, server_conn: object, request_conn: HTTPConnection
    ) -> HTTPMessageDelegate:
        """Return who answers the next request."""

    def on_answer(self, connection: Connection) -> None:
        """Take note that a request is answered."""

    def on_close(self, server_conn: object) -> None:
        """Forget the connection."""


class Connection(Lifetime):
    """An HTTP/1 connection.

    Attributes:
        params: its limits.
    """

    __slots__ = ("_heads", "_scanned", "_server", "params")

    def __init__(
        self,
        server: Server,
        stream: Stream,
        params: HTTP1ConnectionParameters,
        context: _HTTPRequestContext,
    ) -> None:
        """Serve requests on ``stream``, from the moment that it is connected."""
        super().__init__(stream, context)
        self.params = params
        self._server = server
        self._heads = HeadReader()
        self._scanned = 0  # how much of the inbox is known to hold no end of a head
        stream.attach(self)

    @property
    def idle(self) -> bool:
        """Tell whether nothing of a request has arrived."""
        return self.state is State.WAITING and not self._inbox

    def idle_for(self) -> float:
        """Return for how many seconds nothing of a request has arrived, and nothing was sent."""
        if not self.idle or self.stream.writing() or self._deadline is None:
            return 0.0
        return self.stream.loop.time() - self._deadline + (self.params.header_timeout or 0.0)

    # What the stream tells.

    def connected(self) -> None:
        """Begin to wait for a request."""
        self._server.opened(self)
        self._allow(self.params.header_timeout)

    def received(self, data: bytes) -> None:
        """Take what has arrived."""
        state = self.state
        if state is State.LINGERING:
            self._throw_away(len(data))
        elif self._ready() and not self._inbox:
            self._step(self._look_for_head, data)
        else:
            self._inbox += data
            if self._body is not None and not self._held:
                self._step(self._read_body)
            elif self._ready():
                self._step(self._look_again)
            elif len(self._inbox) > _READ_AHEAD:
                self.stream.pause_reading()

    def busy(self) -> bool:
        """Tell whether something that arrived has to be dealt with."""
        # Half a request alone is nothing to deal with, for its rest will not come.
        waits = self.state is State.ANSWERING or self.stream.write_paused
        return self._held or (waits and bool(self._inbox))

    def writable(self) -> None:
        """Go on with what had to wait until the other end has taken its answers."""
        if self.state is State.LINGERING:
            if not self._unwanted and not self.stream.end_writing():
                self.stream.close()
        elif self._inbox and self._ready():
            self._step(self._look_again)

    def gone(self) -> None:
        """Forget everything: the socket is closed."""
        self.shut()
        self._forget()

    # What an exchange tells.

    def answered(self, exchange: Exchange) -> None:
        """Go on after an answer."""
        if self._exchange is not exchange or self.state is State.CLOSED:
            return
        self._server.on_answer(self)
        # What is left of an unread request must never be taken for the next one.
        if exchange._disconnect_on_finish or self.state is not State.ANSWERING:
            self._end()
            return
        self._exchange = None
        self.state = State.WAITING
        self._allow(self.params.header_timeout)
        if self._inbox:
            self._later(self._look_again)
        else:
            self.stream.want_more()

    def detach(self, exchange: Exchange) -> Stream:
        """Give up the stream, and serve no more requests."""
        if self._exchange not in (None, exchange):
            raise RuntimeError("the connection serves another request, and cannot be detached")
        if self.state in (State.LINGERING, State.CLOSED):
            self.stream.close()
            self.stream.hold(self._inbox)
            return self.stream
        self.state = State.CLOSED
        self._exchange = None
        self._delegate = None
        self._cancel_timer()
        self.stream.detach(self._inbox)
        self._inbox = bytearray()
        self._forget()
        return self.stream

    def _forget(self) -> None:
        self._server.on_close(self)
        if self._gone is not None and not self._gone.done():
            self._gone.set_result(None)

    # The steps of a request.

    def _ready(self) -> bool:
        """Tell whether the next request may be looked at."""
        return self.state is State.WAITING and not self._held and not self.stream.write_paused

    def _look_again(self) -> None:
        if self._ready():
            self._look_for_head(self._inbox)

    def _look_for_head(self, data: bytes | bytearray) -> None:
        head = self._heads.read(data, self.params.max_header_size, self._scanned)
        inbox = self._inbox
        if head is None:
            if data is not inbox:
                inbox += data
            self._scanned = len(inbox)
            self.stream.want_more()
            return
        end, start_line, headers = head
        self._scanned = 0
        if data is inbox:
            del inbox[:end]
        elif end < len(data):
            inbox += data[end:]
        self._begin(start_line, headers)

    def _begin(self, start_line: RequestStartLine, headers: HTTPHeaders) -> None:
        kind = Exchange
        if "Upgrade" in headers._as_list:
            # Not above: a program without WebSockets need not import them.
            from tornkit.server.websockets.upgrade import Upgrade as kind  # noqa: N813, PLC0415
        exchange = self._exchange = kind(self, start_line, headers)
        self.state = State.READING
        self._deadline = None
        delegate = self._server.start_request(self, exchange)
        exchange._disconnect_on_finish = not exchange.keep_alive()
        if self.params.decompress:
            delegate = _GzipMessageDelegate(
                delegate, self.params.chunk_size, exchange._max_body_size
            )
        self._delegate = delegate
        done = self._tell(delegate.headers_received, start_line, headers)
        if done is None:
            self._choose_body(exchange, headers)
        else:
            self._wait_for(done, lambda: self._choose_body(exchange, headers))

    def _choose_body(self, exchange: Exchange, headers: HTTPHeaders) -> None:
        if self.state is not State.READING:
            return
        fields = headers._as_list
        if "Content-Length" in fields or "Transfer-Encoding" in fields:
            self._body = body_of(headers, exchange, self.params.chunk_size)
        if "Expect" in fields and headers["Expect"] == "100-continue":
            self.stream.send(CONTINUE)
        if self._body is None:
            self._finish_request(exchange)
        else:
            self._read_body()
            if self.state is State.READING:  # most bodies have come with their head
                self._allow(exchange._body_timeout)

    def _read_body(self) -> None:
        body, exchange, delegate = self._body, self._exchange, self._delegate
        assert body is not None  # noqa: S101  for the types; there is one while it is read
        assert exchange is not None  # noqa: S101
        assert delegate is not None  # noqa: S101
        while self.state is State.READING:
            piece = body.take(self._inbox)
            if piece is None:
                if body.done:
                    self._body = None
                    self._finish_request(exchange)
                else:
                    self.stream.want_more()
                return
            done = self._tell(delegate.data_received, piece)
            if done is not None:
                self._wait_for(done, self._read_body)
                return
            if body.work >= _YIELD_AFTER:
                body.work = 0
                self._later(self._read_body)
                return

    def _finish_request(self, exchange: Exchange) -> None:
        delegate = self._delegate
        assert delegate is not None  # noqa: S101  as above
        self._deadline = None
        exchange._read_finished = True
        self.state = State.ANSWERING
        self._tell(delegate.finish)
        self._delegate = None
        if self.stream.ended:
            # As in Tornado, a handler that does not have to wait can still answer.
            self.stream.loop.call_soon(self._notice_end)

    def _notice_end(self) -> None:
        if not self.busy() and self.state is State.ANSWERING:
            self.stream.close()
