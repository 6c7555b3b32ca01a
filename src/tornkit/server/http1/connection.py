"""Serve the requests of one connection, one after the other.

A connection waits for a head, reads the request, waits for its answer, and waits again.
Nothing of this is a task: each step runs when what it waits for is there.
"""

from __future__ import annotations

import asyncio
import enum
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from tornado.http1connection import _GzipMessageDelegate
from tornado.httputil import HTTPInputError
from tornado.iostream import UnsatisfiableReadError
from tornado.log import app_log, gen_log

from tornkit.server.http1.answers import CONTINUE, REFUSAL
from tornkit.server.http1.bodies import body_of
from tornkit.server.http1.exchange import Exchange
from tornkit.server.http1.heads import fields_of, read_head

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tornado.http1connection import HTTP1ConnectionParameters
    from tornado.httpserver import _HTTPRequestContext
    from tornado.httputil import (
        HTTPConnection,
        HTTPHeaders,
        HTTPMessageDelegate,
        RequestStartLine,
    )

    from tornkit.server.http1.bodies import Body
    from tornkit.server.http1.streams import Stream

__all__ = ["Connection", "State"]

_READ_AHEAD = 65536  # bytes that may arrive before they are wanted
_YIELD_AFTER = 256 * 1024  # bytes of a body that are read before others have their turn
_STALL = 30.0  # seconds in which a client must take some of what is sent to it
_LINGER = 2.0  # seconds for which the rest of an unwanted request is thrown away
_MOST_UNWANTED = 16 * 1024 * 1024  # bytes of it


_Result = TypeVar("_Result")


class State(enum.Enum):
    """What a connection is about."""

    WAITING = "for the head of a request"
    READING = "the rest of a request"
    ANSWERING = "a request that has been read"
    LINGERING = "sending the last bytes, and throwing away what still comes"
    CLOSED = "nothing"


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


class _Told(Exception):
    """The application raised; that has been logged."""


class Connection:
    """An HTTP/1 connection.

    Attributes:
        stream: the connection as a stream.
        params: its limits.
        context: where it comes from.
        state: what it is about.
    """

    __slots__ = (
        "_body",
        "_deadline",
        "_delegate",
        "_exchange",
        "_gone",
        "_held",
        "_inbox",
        "_scanned",
        "_server",
        "_timer",
        "_unsent",
        "_unwanted",
        "context",
        "params",
        "state",
        "stream",
    )

    def __init__(
        self,
        server: Server,
        stream: Stream,
        params: HTTP1ConnectionParameters,
        context: _HTTPRequestContext,
    ) -> None:
        """Serve requests on ``stream``, from the moment that it is connected."""
        self.stream = stream
        self.params = params
        self.context = context
        self.state = State.WAITING
        self._server = server
        self._inbox = bytearray()
        self._scanned = 0  # how much of it is known to hold no end of a head
        self._exchange: Exchange | None = None
        self._delegate: HTTPMessageDelegate | None = None  # while the request is read
        self._body: Body | None = None
        self._held = False  # a step comes later; what arrives has to wait for it
        self._deadline: float | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._unsent = 0
        self._unwanted = 0
        self._gone: asyncio.Future[None] | None = None
        stream.attach(self)

    @property
    def idle(self) -> bool:
        """Tell whether nothing of a request has arrived."""
        return self.state is State.WAITING and not self._inbox

    @property
    def settled(self) -> bool:
        """Tell whether nothing is lost by closing at once: all is read, and all is sent."""
        lingers = self.state is State.LINGERING and not self._unwanted
        return lingers and not self.stream.writing()

    async def close(self) -> None:
        """Close the connection at once, and wait until it is closed."""
        self._gone = self._gone or self.stream.loop.create_future()
        self.stream.abort()
        await self._gone

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
        return self._held or bool(self._inbox)

    def writable(self) -> None:
        """Go on with what had to wait until the other end has taken its answers."""
        if self._inbox and self._ready():
            self._step(self._look_again)

    def shut(self) -> None:
        """End, because the stream has ended."""
        if self.state is State.CLOSED:
            return
        before, self.state = self.state, State.CLOSED
        self._cancel_timer()
        if not self._held:
            self._let_delegate_go()
        exchange, self._exchange = self._exchange, None
        if exchange is not None:
            try:
                exchange.lost(told=before is not State.ANSWERING)
            except Exception:  # noqa: BLE001  it is the application's
                app_log.exception("Uncaught exception")

    def gone(self) -> None:
        """Forget everything: the socket is closed."""
        self.shut()
        self._server.on_close(self)
        if self._gone is not None and not self._gone.done():
            self._gone.set_result(None)

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
        self._server.on_close(self)
        return self.stream

    # The steps of a request.

    def _ready(self) -> bool:
        """Tell whether the next request may be looked at."""
        return self.state is State.WAITING and not self._held and not self.stream.write_paused

    def _look_again(self) -> None:
        if self._ready():
            self._look_for_head(self._inbox)

    def _look_for_head(self, data: bytes | bytearray) -> None:
        head = read_head(data, self.params.max_header_size, self._scanned)
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
        exchange = self._exchange = Exchange(self, start_line, headers)
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
        fields = fields_of(headers)
        if "Expect" in fields and headers["Expect"] == "100-continue":
            self.stream.send(CONTINUE)
        if "Content-Length" in fields or "Transfer-Encoding" in fields:
            self._body = body_of(headers, exchange, self.params.chunk_size)
        if self._body is None:
            self._finish_request(exchange)
        else:
            self._read_body()
            if self.state is State.READING:  # most bodies have come with their head
                self._allow(exchange._body_timeout)

    def _read_body(self) -> None:
        body, exchange, delegate = self._body, self._exchange, self._delegate
        assert body is not None  # noqa: S101  for the types; it is what _go_on() asks
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

    # How steps run.

    def _step(self, step: Callable[..., None], *arguments: Any) -> None:
        """Run a step; whatever goes wrong ends the connection, not the server."""
        try:
            step(*arguments)
        except HTTPInputError as error:
            self._refuse(error)
        except UnsatisfiableReadError as error:
            gen_log.info("Unsatisfiable read, closing connection: %s", error)
            self._drop()
        except _Told:
            self._drop()
        except Exception:  # noqa: BLE001  one connection's fault is not the server's end
            gen_log.exception("Uncaught exception")
            self._drop()

    def _tell(self, method: Callable[..., _Result], *arguments: Any) -> _Result:
        """Call the application."""
        try:
            return method(*arguments)
        except HTTPInputError:
            raise
        except Exception as error:
            app_log.exception("Uncaught exception")
            raise _Told from error

    def _later(self, step: Callable[[], None]) -> None:
        """Run a step when others have had their turn."""
        self._held = True
        self.stream.loop.call_soon(self._resume, None, step)

    def _wait_for(self, done: Awaitable[None], step: Callable[[], None]) -> None:
        """Run a step when the application is ready for it."""
        self._held = True
        future = asyncio.ensure_future(done)
        future.add_done_callback(lambda future: self._resume(future, step))

    def _resume(self, future: asyncio.Future[None] | None, step: Callable[[], None]) -> None:
        self._held = False
        self._step(self._resumed, future, step)

    def _resumed(self, future: asyncio.Future[None] | None, step: Callable[[], None]) -> None:
        if future is not None:
            if future.cancelled():
                raise _Told
            self._tell(future.result)
        if self.state in (State.WAITING, State.READING):
            step()
        else:
            self._let_delegate_go()

    # The end.

    def _refuse(self, error: HTTPInputError) -> None:
        gen_log.info("Malformed HTTP message from %s: %s", self.context, error)
        if self.state not in (State.LINGERING, State.CLOSED) and not self.stream.closed():
            self.stream.send(REFUSAL)
            self._end()
        self._let_delegate_go()

    def _drop(self) -> None:
        self._exchange = None
        self.stream.close()
        self._let_delegate_go()

    def _end(self) -> None:
        """Close the connection when all is sent.

        Closing while the other end sends makes the system answer with a reset, which can
        overtake the last answer; so what still comes is read and thrown away for a while
        (RFC 9112, section 9.6).
        """
        self._exchange = None
        if not self.stream.end_writing():
            self.stream.close()
            return
        self._unwanted = len(self._inbox) + (self.state is not State.ANSWERING)
        self.state = State.LINGERING
        self._inbox.clear()
        self._allow(_LINGER)
        if not self._held:
            self.stream.loop.call_soon(self._let_delegate_go)

    def _throw_away(self, size: int) -> None:
        self._unwanted += size
        if self._unwanted > _MOST_UNWANTED:
            self.stream.close()

    def _let_delegate_go(self) -> None:
        """Tell what waited for the rest of the request that it will not come."""
        delegate, self._delegate, self._body = self._delegate, None, None
        if delegate is not None:
            try:
                delegate.on_connection_close()
            except Exception:  # noqa: BLE001  it is the application's
                app_log.exception("Uncaught exception")

    # Time: one timer, which is moved when it has run out, not at every request.

    def _allow(self, seconds: float | None) -> None:
        """Let what is waited for take so long."""
        if seconds is None:
            self._deadline = None
            return
        loop = self.stream.loop
        self._deadline = deadline = loop.time() + seconds
        if self._timer is None or self._timer.when() > deadline:
            self._cancel_timer()
            self._timer = loop.call_at(deadline, self._on_timer)

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _on_timer(self) -> None:
        self._timer = None
        if self._deadline is None:
            return
        loop = self.stream.loop
        if loop.time() < self._deadline:
            self._timer = loop.call_at(self._deadline, self._on_timer)
        elif not self._still_sending():
            if self.state is State.READING:
                gen_log.info("Timeout reading body from %s", self.context)
            self._exchange = None
            self.stream.close()

    def _still_sending(self) -> bool:
        """Give a slow client more time, as long as it takes what is sent to it."""
        before, self._unsent = self._unsent, self.stream.unsent()
        if self.state is State.READING or self._unsent in (0, before):
            return False
        self._allow(_STALL)
        return True
