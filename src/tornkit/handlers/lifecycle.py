"""One request from its first byte to its last: the order of steps, and when answers leave.

Tornado's `RequestHandler` sends an answer as soon as ``finish()`` is called. Here an answer
may have to wait: for the database block around it to commit, and for the session to be
saved. `LifecycleHandler` marks such a response as finished at once, so that handlers see
Tornado's own semantics, and sends it when its conditions hold. What has to be saved is
known to `tornkit.handlers.visitor`; this module only asks.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from contextlib import asynccontextmanager
from functools import lru_cache
from typing import TYPE_CHECKING, Any, ClassVar

from tornado import iostream
from tornado.log import app_log, gen_log
from tornado.web import Finish, HTTPError
from tornado.websocket import WebSocketHandler

from tornkit._work import CountedWork, Work, current_work
from tornkit.errors import (
    AnswerError,
    AppError,
    DatabaseError,
    DeadlineExceeded,
    StoreUnavailable,
)
from tornkit.handlers import bodies
from tornkit.handlers.blocks import OpenBlock, enter_block, surrounding_block
from tornkit.handlers.cors import CorsHandler
from tornkit.logs import log_arguments, shown_target
from tornkit.logs import request_id as current_request_id
from tornkit.security.hosts import allowed

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
    from types import TracebackType

    from sqlalchemy.ext.asyncio import AsyncSession
    from tornado.web import OutputTransform

    from tornkit.databases import Databases

__all__ = ["LifecycleHandler"]

_log = logging.getLogger("tornkit.handlers")

# Of what a database says by its errors; the others are bugs.
_DATABASE_STATUS: dict[str | None, int] = {
    "databases.unavailable": 503,
    "databases.refused": 502,
    "databases.request": 400,
    "databases.stale": 409,
}


@lru_cache(1024)
def _name_of(handler: type, method: str | None) -> str:
    return f"{method} {handler.__module__}:{handler.__qualname__}"


class _NotYet(asyncio.Future[None]):
    """Stand for an answer that leaves only after its database block; refuse to be awaited."""

    def __await__(self) -> Any:
        raise AnswerError(
            "an answer cannot be awaited inside a self.db() block",
            hint="it is sent after the block has committed: await nothing, or answer after it",
        )

    __iter__ = __await__

    def add_done_callback(self, *args: Any, **kwargs: Any) -> None:
        """Refuse ``asyncio.gather`` and its kin, which would wait for ever."""
        self.__await__()


class LifecycleHandler(CorsHandler):
    """Run a request's steps in order and hold its answer back until it may leave."""

    accepts_typed_arguments = True

    # What `tornkit.handlers.guards` asks before each method of this class and its heirs.
    _guards: ClassVar[tuple[Callable[[Any], Awaitable[None]], ...]] = ()

    _pending: asyncio.Task[None] | None = None
    _settling_failed = False
    _answered_in: OpenBlock | None = None  # the block that a prepared answer waits for
    _request_id: str | None = None

    @property
    def request_id(self) -> str:
        """The id of this request: in ``X-Request-ID`` and in each of its log lines."""
        if self._request_id is None:
            self._request_id = os.urandom(8).hex()
        return self._request_id

    def clear(self) -> None:
        """Reset headers and content to those that every response starts with."""
        super().clear()
        self._headers.put("X-Request-Id", self._request_id or self.request_id)

    # --- hooks ---------------------------------------------------------------------------

    def _is_open(self) -> bool:
        """Tell whether anybody may pass, and nobody is to be known."""
        return True

    async def _open_door(self) -> None:
        """Load who is asking and refuse whoever may not pass."""

    def _must_settle(self) -> bool:
        """Tell whether something has to be saved before the answer may leave."""
        return False

    async def _settle(self) -> None:
        """Save what has to be saved before the answer may leave."""

    def _block_left(self, block: OpenBlock, *, failed: bool) -> None:
        """Take note that a block has committed or failed."""

    # --- the steps -----------------------------------------------------------------------

    async def _execute(self, transforms: list[OutputTransform], *args: Any, **kwargs: Any) -> None:
        self._transforms = transforms
        current_request_id.set(self._request_id or self.request_id)
        site, request = self.site, self.request
        work = CountedWork if site.debug else Work
        kind: Any = type(self)
        method = request.method if request.method in self.SUPPORTED_METHODS else "?"
        current_work.set(work(_name_of(kind, method), site.cache))
        try:
            waits = self._enter(args, kwargs)
            if waits is not None:
                await waits
            if not self._finished:
                result: Any = self.prepare()
                if result is not None:
                    await result
            # An early answer leaves before the server is told to go on: otherwise it would
            # read on, or close the connection, while the answer still waits for its session.
            if self._pending is not None:
                await self._pending_answers()
            self._let_body_come()
            if self._finished or (self._stream_request_body and not await self._body_arrived()):
                return
            if isinstance(self, WebSocketHandler) and self._unsettled():
                await self._settle()  # an upgrade leaves at once, so the session goes first
            answer = getattr(self, (request.method or "").lower())
            result = answer(*self.path_args, **self.path_kwargs)
            if result is not None:
                result = await result
            if self._auto_finish and not self._finished:
                self.finish()
        except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001 - as Tornado does
            self._answer_exception(error)
        finally:
            result = None  # a traceback that holds this frame must not hold the result
            try:
                if self._pending is not None:
                    await self._pending_answers()
            finally:
                self._let_body_come()

    def _enter(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Awaitable[None] | None:
        """Read what was sent; return what has to be awaited before the handler may know it."""
        self._read(args, kwargs)
        if self.request.method == "OPTIONS" and self._answer_preflight():
            return None
        self._cross_origin_protection()
        is_open, checks = self._is_open(), self._guards and self._checks()
        return None if is_open and not checks else self._pass(is_open, checks)

    async def _pass(
        self, is_open: bool, checks: Sequence[Callable[[Any], Awaitable[None]]]
    ) -> None:
        if not is_open:
            await self._open_door()
        for check in checks:
            if not self._finished:
                await check(self)

    def _read(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Read what was sent, or refuse what nobody wants to read."""
        request = self.request
        refusal = bodies.refusal_of(request)
        if refusal is not None:
            raise refusal
        if request.method not in self.SUPPORTED_METHODS:
            raise HTTPError(405)
        has_body = request.body or "Content-Type" in request.headers._as_list
        if has_body and not self._stream_request_body:
            bodies.parse(request)
        self.path_args = [self._path_argument(value) for value in args] if args else []
        self.path_kwargs = (
            {name: self._path_argument(value, name) for name, value in kwargs.items()}
            if kwargs
            else {}
        )
        if request.arguments:
            log_arguments(request.arguments)
        self._check_host()

    def _check_host(self) -> None:
        patterns = self.site.allowed_hosts
        if patterns is not None and not allowed(self.request.host, patterns):
            raise HTTPError(400, "host %r is not in allowed_hosts", self.request.host)

    def _checks(self) -> Sequence[Callable[[Any], Awaitable[None]]]:
        """Return the guards that this request has to pass."""
        return self._guards

    def _path_argument(self, value: Any, name: str | None = None) -> Any:
        # Tornado's regexes give bytes; tornkit's converters give the converted value.
        return self.decode_argument(value, name) if isinstance(value, bytes) else value

    def _let_body_come(self) -> None:
        """Tell the server that the handler is ready for a body, if it is to come in parts."""
        ready: asyncio.Future[None] | None = self._prepared_future
        if ready is not None and not ready.done():
            ready.set_result(None)

    async def _body_arrived(self) -> bool:
        try:
            await self.request._body_future
        except iostream.StreamClosedError:
            return False
        return True

    # --- exceptions ----------------------------------------------------------------------

    def _answer_exception(self, error: BaseException) -> None:
        task = asyncio.current_task()
        if isinstance(error, asyncio.CancelledError) and task is not None and task.cancelling():
            # The request's own task was cancelled: answer, so that the connection does not
            # hang, and let the cancellation go on.
            if not self._finished:
                try:
                    self.send_error(500)
                except Exception:  # noqa: BLE001 - the cancellation must go on
                    _log.exception("error while answering a cancelled request")
            raise error
        try:
            self._handle_request_exception(error)
        except Exception:  # noqa: BLE001 - nothing above can answer any more
            _log.exception("error while answering with an error")

    def _handle_request_exception(self, e: BaseException) -> None:
        status, said = _status_of(e), e
        if status is None and self.site.databases is not None:
            # An error of a driver's own, as of Redis or MongoDB, may mean that a server is down.
            said = self.site.databases.explain(e) or e
            status = _status_of(said)
        if status is None:
            super()._handle_request_exception(e)
            return
        level = logging.ERROR if status >= 500 else logging.INFO
        _log.log(level, "%d %s: %s", status, self._asked, said)
        if not self._finished:
            self.send_error(status, exc_info=sys.exc_info())

    def log_exception(
        self,
        typ: type[BaseException] | None,
        value: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        """Log a bug, or what an HTTP error says, as Tornado does.

        Private values in the address, such as the token of a link, are hidden.
        """
        if not isinstance(value, HTTPError):
            app_log.error("Uncaught exception %s", self._asked, exc_info=(typ, value, tb))  # type: ignore[arg-type]
        elif message := value.get_message():
            gen_log.warning("%d %s: %s", value.status_code, self._asked, message)

    @property
    def _asked(self) -> str:
        request = self.request
        return f"{request.method} {shown_target(request.uri or '-')} ({request.remote_ip})"

    # --- databases -----------------------------------------------------------------------

    @property
    def _databases(self) -> Databases:
        if self.site.databases is None:
            raise DatabaseError("databases need a tornkit.Application", hint="use one")
        return self.site.databases

    # --- answers -------------------------------------------------------------------------

    @asynccontextmanager
    async def db(
        self, name: str = "default", *, read_only: bool = False
    ) -> AsyncIterator[AsyncSession]:
        """Open a block of database work that commits on leaving and rolls back on an error.

        A block inside a block of the same bind joins it. Inside, `finish`, `redirect` and
        every ``response*`` only prepare the answer: it is sent after the outermost block
        has committed, and dropped when the block fails.

        Args:
            name: the bind, a key of the setting ``databases``.
            read_only: refuse writes; on SQLite such blocks do not wait for writers.

        Raises:
            UnknownDatabase: no bind of that name.
            DatabaseError: the database cannot be used, or the commit failed (503).
        """
        databases = self._databases
        finish: Finish | None = None
        block = enter_block(self, reads=read_only)
        try:
            async with databases.sql[name].session(read_only=read_only) as session:
                try:
                    yield session
                except Finish as reason:
                    finish = reason  # Tornado's way to end early is not an error
        except BaseException:
            block.leave()
            self._drop_answer_of(block)
            self._block_left(block, failed=True)
            raise
        block.leave()
        try:
            self._block_left(block, failed=False)
        except BaseException:
            self._drop_answer_of(block)
            raise
        if self._answered_in is not None and self._answered_in.is_over:
            self._answered_in, self._finished = None, False
            LifecycleHandler.finish(self)
        if finish is not None:
            raise finish

    def _drop_answer_of(self, block: OpenBlock) -> None:
        if self._answered_in is not None and self._answered_in.is_within(block):
            self._answered_in, self._finished = None, False
            self.clear()

    def redirect(self, url: str, permanent: bool = False, status: int | None = None) -> None:
        """Redirect to ``url``; ``permanent`` stands for 301 instead of 302.

        Raises:
            AnswerError: a ``flush()`` is under way or done.
        """
        if self._answer_begun and not self._finished:
            raise AnswerError("redirect() after flush()", hint="call it before the first flush()")
        super().redirect(url, permanent, status)

    def finish(self, chunk: str | bytes | dict[str, Any] | None = None) -> asyncio.Future[None]:
        """Finish this response; it leaves once its block has committed and its session is saved.

        Returns:
            A future that is done when the response has been handed to the connection.

        Raises:
            RuntimeError: the response is finished already.
        """
        if self._finished:
            raise RuntimeError("finish() called twice")
        if chunk is not None:
            self.write(chunk)
        block = surrounding_block(self)
        if block is not None:
            self._answered_in, self._finished = block, True
            return _NotYet()
        if self._pending is None and (self._status_code == 101 or not self._unsettled()):
            return self._finish()
        self._finished = True
        # As after any finish(), a client that leaves is no longer the handler's concern.
        self.request.connection.set_close_callback(None)  # type: ignore[union-attr]
        return self._queue(self._settle_and_finish())

    def flush(self, include_footers: bool = False) -> asyncio.Future[None]:
        """Send what was written so far, after the session's changes so far are saved.

        Raises:
            AnswerError: inside a ``self.db()`` block that writes, whose outcome is not known yet.
        """
        if include_footers:  # finish() itself is sending
            return self._send(include_footers=True)
        block = surrounding_block(self)
        if block is not None and not block.reads:
            raise AnswerError(
                "flush() inside a self.db() block would send an answer that may be rolled back",
                hint="flush after the block",
            )
        if self._pending is None and (self._headers_written or not self._unsettled()):
            return self._send()
        return self._queue(self._settle_and_flush())

    flush._is_ours = True  # type: ignore[attr-defined]

    def _before_headers(self) -> None:
        super()._before_headers()
        if bodies.refusal_of(self.request) is not None:
            self._headers["Connection"] = "close"

    @property
    def _answer_begun(self) -> bool:
        """Whether headers have left, or are on their way behind a save."""
        return self._headers_written or self._pending is not None

    def _unsettled(self) -> bool:
        return not self._settling_failed and self._must_settle()

    async def _settle_and_finish(self) -> None:
        if self._settling_failed:
            return  # an earlier step has answered with that failure
        try:
            try:
                if self._unsettled():
                    await self._settle()
            finally:
                self._finished = False
            sent = self._finish()
        except Exception as error:  # noqa: BLE001 - answered and logged as Tornado would
            self._answer_failure(error)
            return
        await sent

    async def _settle_and_flush(self) -> None:
        if self._settling_failed:
            return
        try:
            if self._unsettled():
                await self._settle()
            sent = self._send()
        except Exception as error:  # noqa: BLE001 - answered and logged as Tornado would
            self._finished = False  # a finish() that waits its turn will find this failure
            self._answer_failure(error)
            return
        await sent

    def _answer_failure(self, error: Exception) -> None:
        self._settling_failed = True  # the error page must not wait for the same failure again
        self._pending = None
        self._answer_exception(error)

    def _queue(self, step: Coroutine[Any, Any, None]) -> asyncio.Future[None]:
        """Run ``step`` after the steps before it; answers leave in the order they were given."""
        previous = self._pending

        async def run() -> None:
            if previous is not None:
                await asyncio.wait([previous])
            await step

        self._pending = asyncio.ensure_future(run())
        # Whoever stops waiting for an answer, as a timeout does, must not stop the answer.
        sent = asyncio.shield(self._pending)
        # As with Tornado's own futures, a client that has left is no error to report.
        for future in (self._pending, sent):
            future.add_done_callback(lambda done: done.cancelled() or done.exception())
        return sent

    async def _pending_answers(self) -> None:
        while (pending := self._pending) is not None and not pending.done():
            await asyncio.wait([pending])
        if pending is self._pending:
            self._pending = None


def _status_of(error: BaseException) -> int | None:
    """Return the status of an error that is not a bug, or None where Tornado knows better."""
    if isinstance(error, AppError):
        return error.status_code
    if isinstance(error, StoreUnavailable | DeadlineExceeded):
        return 503
    return _DATABASE_STATUS.get(error.check_id) if isinstance(error, DatabaseError) else None
