"""How large a body may be, and what its sender is told where it is larger or unreadable.

Tornado's server closes the connection on a body over its limit, without an answer that a
browser could show. `BoundedBody` knows the handler's own limit, and lets it answer 413 before
the rest of the body is read.
"""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING, Any

from tornado.http1connection import HTTP1Connection
from tornado.httputil import HTTPInputError
from tornado.web import HTTPError, _HandlerDelegate

from tornkit._requests import Collector, execute
from tornkit.server.hanging_up import hang_up

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from tornado.httputil import (
        HTTPHeaders,
        HTTPServerRequest,
        RequestStartLine,
        ResponseStartLine,
    )
    from tornado.web import Application, RequestHandler

__all__ = ["BoundedBody", "parse", "refusal_of"]

_ANSWER_PATIENCE = 30.0  # seconds that the answer to a refused body has to be made and sent
_TOO_MANY = ("too many", "Max number")  # Tornado's words, and those of urllib.parse
_UNITS = (("GiB", 1024**3), ("MiB", 1024**2), ("KiB", 1024))


def refusal_of(request: HTTPServerRequest) -> HTTPError | None:
    """Return why the body of a request was not taken, if it was not."""
    return getattr(request, "_refusal", None)


def parse(request: HTTPServerRequest) -> None:
    """Read the fields and files of a form into the request.

    Raises:
        tornado.web.HTTPError: 400 where it is no form, or has more fields than Tornado's
            bounds of 1000, or 100 where it carries files.
    """
    try:
        request._parse_body()
    except HTTPInputError as error:
        many = any(words in str(error) for words in _TOO_MANY)
        reason = "The form has too many fields." if many else "The form cannot be read."
        raise HTTPError(400, "invalid body: %s", error, reason=reason) from error


class BoundedBody(Collector, _HandlerDelegate):
    """Hand a request to its handler, with at most ``limit`` bytes of body."""

    def __init__(
        self,
        limit: int,
        application: Application,
        request: HTTPServerRequest,
        handler_class: type[RequestHandler],
        handler_kwargs: dict[str, Any] | None = None,
        *,
        path_args: list[Any] | None = None,
        path_kwargs: dict[str, Any] | None = None,
    ) -> None:
        """Take what Tornado's delegate takes, after the limit."""
        # In the steps of Tornado's own, without a buffer for a body that most do not have.
        self.application = application
        self.connection = request.connection
        self.request = request
        self.handler_class = handler_class
        self.handler_kwargs = handler_kwargs or {}
        self.path_args = path_args or []
        self.path_kwargs = path_kwargs or {}
        self.stream_request_body = handler_class._stream_request_body
        self._limit = limit
        self._received = 0

    def headers_received(
        self, start_line: RequestStartLine | ResponseStartLine, headers: HTTPHeaders
    ) -> Awaitable[None] | None:
        """Refuse a body that is announced as too large, before the client is told to go on."""
        fields = headers._as_list
        if "Content-Length" not in fields and "Transfer-Encoding" not in fields:
            return super().headers_received(start_line, headers)
        connection = self.connection
        if not isinstance(connection, HTTP1Connection):
            return super().headers_received(start_line, headers)
        connection.set_max_body_size(self._limit)
        if self.stream_request_body:
            return self._open_stream(connection, start_line, headers)
        connection.set_max_body_size(sys.maxsize)  # from here on it is counted here
        if _announced(headers) > self._limit:
            return self._refuse(connection)
        return super().headers_received(start_line, headers)

    async def _open_stream(
        self,
        connection: HTTP1Connection,
        start_line: RequestStartLine | ResponseStartLine,
        headers: HTTPHeaders,
    ) -> None:
        ready = super().headers_received(start_line, headers)
        if ready is not None:
            await ready
        # As in Tornado, prepare() may have asked the connection for another limit.
        self._limit = connection._max_body_size
        connection.set_max_body_size(sys.maxsize)
        if _announced(headers) > self._limit:
            await self._refuse(connection)

    def data_received(self, chunk: bytes) -> Awaitable[None] | None:
        """Pass a part of the body on, or refuse it where the whole has become too large."""
        self._received += len(chunk)
        connection = self.connection
        if self._received > self._limit and isinstance(connection, HTTP1Connection):
            return self._refuse(connection)
        if self.stream_request_body:
            return super().data_received(chunk)
        self._collect(chunk)
        return None

    def finish(self) -> None:
        """Run the handler on a request that is complete."""
        if self.stream_request_body:
            super().finish()
        else:
            self._complete(self)

    def on_connection_close(self) -> None:
        """Forget the body, for nothing more will come."""
        self._pieces = None
        super().on_connection_close()

    async def _refuse(self, connection: HTTP1Connection) -> None:
        """Let the handler answer 413, then end the connection without losing that answer."""
        if connection._write_finished:
            return  # it has answered already; Tornado closes the connection
        # Otherwise Tornado would close as soon as the answer is written, which can destroy it.
        connection._read_finished = True
        connection._disconnect_on_finish = False
        refusal = HTTPError(
            413,
            "the body is larger than %s",
            _size(self._limit),
            reason=f"The request is too large. At most {_size(self._limit)} are accepted.",
        )
        request: Any = self.request
        request._refusal = refusal
        if self.stream_request_body:
            if not request._body_future.done():
                request._body_future.set_exception(refusal)
                request._body_future.exception()  # also where nobody waits for it
        else:
            execute(self)
        await asyncio.wait([connection._finish_future], timeout=_ANSWER_PATIENCE)
        hang_up(connection.stream)
        # Ends Tornado's reading: what its buffer still holds must not become a request.
        raise HTTPInputError(f"the body is larger than {_size(self._limit)}")


def _announced(headers: HTTPHeaders) -> int:
    """Return what Content-Length says; what is no number is left for Tornado to refuse."""
    text = headers.get("Content-Length", "")
    if not (text.isascii() and text.isdecimal()):
        return 0
    return int(text) if len(text) < 20 else sys.maxsize


def _size(number: int) -> str:
    for unit, size in _UNITS:
        if number and number % size == 0:
            return f"{number // size} {unit}"
    return f"{number} bytes"
