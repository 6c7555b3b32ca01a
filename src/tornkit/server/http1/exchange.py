"""One request and its answer, as applications see them: `request.connection`.

The interface is that of `tornado.http1connection.HTTP1Connection` on a server.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Protocol, cast

from tornado.http1connection import HTTP1Connection, is_transfer_encoding_chunked, parse_int
from tornado.httputil import HTTPOutputError
from tornado.iostream import StreamClosedError

from tornkit.server.http1.answers import answer_head
from tornkit.server.http1.heads import fields_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tornado.http1connection import HTTP1ConnectionParameters
    from tornado.httpserver import _HTTPRequestContext
    from tornado.httputil import (
        HTTPHeaders,
        HTTPMessageDelegate,
        RequestStartLine,
        ResponseStartLine,
    )

    from tornkit.server.http1.streams import Stream

__all__ = ["Exchange"]


_LAST_CHUNK = b"0\r\n\r\n"


class Owner(Protocol):
    """The connection that an exchange takes place on."""

    stream: Stream
    params: HTTP1ConnectionParameters
    context: _HTTPRequestContext

    def answered(self, exchange: Exchange) -> None:
        """Go on after the answer."""

    def detach(self, exchange: Exchange) -> Stream:
        """Give up the stream."""


class Exchange(HTTP1Connection):
    """A request, and what is written in answer to it.

    It is an `HTTP1Connection`, and its attributes have the names that they have there,
    because applications ask for the one and look at the others.

    Attributes:
        context: where the request comes from: ``remote_ip``, ``protocol``.
        stream: the connection as a stream; None once it is detached.
    """

    stream: Stream  # type: ignore[assignment]

    def __init__(self, owner: Owner, start_line: RequestStartLine, headers: HTTPHeaders) -> None:
        """Begin to exchange messages on ``owner``."""
        self._owner = owner
        self._request_start_line: RequestStartLine = start_line
        self._request_headers: HTTPHeaders = headers
        self.context = owner.context
        self.params = params = owner.params
        self.stream = owner.stream
        self.is_client = False
        self.no_keep_alive = params.no_keep_alive
        self._max_body_size = (
            params.max_body_size
            if params.max_body_size is not None
            else owner.stream.max_buffer_size
        )
        self._body_timeout = params.body_timeout
        self._disconnect_on_finish = False
        self._read_finished = False
        self._write_finished = False
        self._close_callback: Callable[[], None] | None = None
        self._chunking_output = False
        self._expected_content_remaining: int | None = None
        self._answered: asyncio.Future[None] | None = None

    @property
    def _finish_future(self) -> asyncio.Future[None]:  # type: ignore[override]
        """Return what is done when the answer is complete, or the connection has ended."""
        if self._answered is None:
            self._answered = asyncio.get_running_loop().create_future()
            if self._write_finished or self._open() is None:
                self._answered.set_result(None)
        return self._answered

    def read_response(self, delegate: HTTPMessageDelegate) -> Awaitable[bool]:
        """Refuse: the server has read the request."""
        raise RuntimeError("requests are read by the server, not by read_response()")

    def keep_alive(self) -> bool:
        """Tell whether the client wants another request after this one.

        Raises:
            HTTPInputError: the headers contradict themselves.
        """
        headers = self._request_headers
        given = fields_of(headers).get("Connection")
        wish = ",".join(given).lower() if given else None
        if self.params.no_keep_alive:
            return False
        if self._request_start_line.version == "HTTP/1.1":
            return wish != "close"
        has_end = (
            "Content-Length" in headers
            or is_transfer_encoding_chunked(headers)
            or self._request_start_line.method in ("HEAD", "GET")
        )
        return has_end and wish == "keep-alive"

    def write_headers(
        self,
        start_line: RequestStartLine | ResponseStartLine,
        headers: HTTPHeaders,
        chunk: bytes | None = None,
    ) -> asyncio.Future[None]:
        """Write the head of the answer, and with it the first part of its body."""
        method, _, version = self._request_start_line
        code, reason = cast("ResponseStartLine", start_line)[1:]
        has_length = "Content-Length" in headers
        self._chunking_output = (
            not has_length
            and version == "HTTP/1.1"
            and method != "HEAD"
            and code not in (204, 304)
            and not 100 <= code < 200
        )
        if version == "HTTP/1.1":
            if self._disconnect_on_finish:
                headers["Connection"] = "close"
        elif (
            version == "HTTP/1.0"
            and self._request_headers.get("Connection", "").lower() == "keep-alive"
        ):
            headers["Connection"] = "Keep-Alive"
        if self._chunking_output:
            headers["Transfer-Encoding"] = "chunked"
        if method == "HEAD" or code == 304:
            self._expected_content_remaining = 0
        else:
            self._expected_content_remaining = (
                parse_int(headers["Content-Length"]) if has_length else None
            )
        head = answer_head(code, reason, headers)
        stream = self._open()
        if stream is None:
            return _failed()
        return stream.send(head + self._framed(stream, chunk) if chunk else head)

    def write(self, chunk: bytes) -> asyncio.Future[None]:
        """Write a part of the answer's body."""
        stream = self._open()
        if stream is None:
            return _failed()
        return stream.send(self._framed(stream, chunk))

    def finish(self) -> None:
        """Say that the answer is complete.

        Raises:
            HTTPOutputError: its body is shorter than it was announced.
        """
        stream = self._open()
        if stream is not None:
            if missing := self._expected_content_remaining:
                stream.close()
                raise HTTPOutputError(f"Tried to write {missing} bytes less than Content-Length")
            if self._chunking_output:
                stream.send(_LAST_CHUNK)
        self._write_finished = True
        if not self._read_finished:
            # Ending the connection is the only way not to read the rest of the request.
            self._disconnect_on_finish = True
        self._close_callback = None
        self._settle()
        self._owner.answered(self)

    def close(self) -> None:
        """End the connection."""
        self._close_callback = None
        self._settle()
        stream = self._open()
        if stream is not None:
            stream.close()

    def detach(self) -> Stream:  # type: ignore[override]
        """Take the connection over, for another protocol than HTTP.

        Raises:
            RuntimeError: it is not this exchange's any more.
        """
        self._close_callback = None
        self._settle()
        stream = self._owner.detach(self)
        self.stream = None  # type: ignore[assignment]  # as Tornado has it
        return stream

    def lost(self, told: bool) -> None:
        """Tell the application that nobody waits for the answer, unless its delegate is told."""
        self._settle()
        callback, self._close_callback = self._close_callback, None
        if callback is not None and not told:
            callback()

    def _open(self) -> Stream | None:
        stream = cast("Stream | None", self.stream)
        return None if stream is None or stream.closed() else stream

    def _settle(self) -> None:
        if self._answered is not None and not self._answered.done():
            self._answered.set_result(None)

    def _framed(self, stream: Stream, chunk: bytes) -> bytes:
        if self._expected_content_remaining is not None:
            self._expected_content_remaining -= len(chunk)
            if self._expected_content_remaining < 0:
                stream.close()  # before the other end takes it for the next answer
                raise HTTPOutputError("Tried to write more data than Content-Length")
        if self._chunking_output and chunk:
            return b"%x\r\n%b\r\n" % (len(chunk), chunk)
        return chunk


def _failed() -> asyncio.Future[None]:
    future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    future.set_exception(StreamClosedError())
    future.exception()  # nobody has to look at it
    return future
