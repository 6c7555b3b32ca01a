"""How a connection's steps run, how long they may take, and how it ends.

What the steps are about is in `connection`.
"""

from __future__ import annotations

import asyncio
import enum
from typing import TYPE_CHECKING, Any, TypeVar

from tornado.httputil import HTTPInputError
from tornado.iostream import UnsatisfiableReadError
from tornado.log import app_log, gen_log

from tornkit.server.http1.answers import REFUSAL, TOO_LARGE

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tornado.httpserver import _HTTPRequestContext
    from tornado.httputil import HTTPMessageDelegate

    from tornkit.server.http1.bodies import Body
    from tornkit.server.http1.exchange import Exchange
    from tornkit.server.http1.streams import Stream

__all__ = ["Lifetime", "State"]

_LOOK_AGAIN = 30.0  # seconds after which a client that was still taking its answer is closed
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


class _Told(Exception):
    """The application raised; that has been logged."""


class Lifetime:
    """A connection that ends in time, whatever goes wrong.

    Attributes:
        stream: the connection as a stream.
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
        "_timer",
        "_unwanted",
        "context",
        "state",
        "stream",
    )

    def __init__(self, stream: Stream, context: _HTTPRequestContext) -> None:
        """Begin without a request, and without a limit."""
        self.stream = stream
        self.context = context
        self.state = State.WAITING
        self._inbox = bytearray()
        self._exchange: Exchange | None = None
        self._delegate: HTTPMessageDelegate | None = None  # while the request is read
        self._body: Body | None = None
        self._held = False  # a step comes later; what arrives has to wait for it
        self._deadline: float | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._unwanted = 0
        self._gone: asyncio.Future[None] | None = None

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

    # How steps run.

    def _step(self, step: Callable[..., None], *arguments: Any) -> None:
        """Run a step; whatever goes wrong ends the connection, not the server."""
        try:
            step(*arguments)
        except HTTPInputError as error:
            gen_log.info("Malformed HTTP message from %s: %s", self.context, error)
            self._refuse(REFUSAL)
        except UnsatisfiableReadError as error:
            gen_log.info("Unsatisfiable read, closing connection: %s", error)
            self._refuse(TOO_LARGE if self.state is State.WAITING else REFUSAL)
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

    def _refuse(self, answer: bytes) -> None:
        if self.state not in (State.LINGERING, State.CLOSED) and not self.stream.closed():
            self.stream.send(answer)
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
        (RFC 9112, section 9.6). Over TLS, where the other end cannot be told that this one has
        stopped, only if it is known that something comes, or that much is left to send: the
        event loop gives that half a minute.
        """
        self._exchange = None
        self._unwanted = len(self._inbox) + (self.state is not State.ANSWERING)
        stream = self.stream
        if not stream.end_writing() and not (self._unwanted or stream.write_paused):
            stream.close()
        if stream.closed():
            return
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
        elif self.state is not State.READING and self.stream.unsent():
            # A slow client has more time, as long as it takes what is sent to it.
            self.stream.watch()
            self._allow(_LOOK_AGAIN)
        else:
            if self.state is State.READING:
                gen_log.info("Timeout reading body from %s", self.context)
            self._exchange = None
            self.stream.close()
