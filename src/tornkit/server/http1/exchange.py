"""One request and its answer, as applications see them: `request.connection`.

The interface is that of `tornado.http1connection.HTTP1Connection` on a server.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Protocol

from tornado.http1connection import HTTP1Connection, is_transfer_encoding_chunked, parse_int
from tornado.httputil import HTTPOutputError
from tornado.iostream import StreamClosedError

from tornkit.server.http1.answers import answer_head

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
_BARE = (204, 304)  # answers without a body
_COPIED = 65536  # bytes of a body that are sent together with its head


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

    # As every exchange begins.
    is_client = False
    _disconnect_on_finish = False
    _read_finished = False
    _write_finished = False
    _close_callback: Callable[[], None] | None = None
    _chunking_output = False
    _expected_content_remaining: int | None = None
    _answered: asyncio.Future[None] | None = None

    def __init__(self, owner: Owner, start_line: RequestStartLine, headers: HTTPHeaders) -> None:
        """Begin to exchange messages on ``owner``."""
        self._owner = owner
        self._request_start_line: RequestStartLine = start_line
        self._request_headers: HTTPHeaders = headers
        self.context = owner.context
        self.params = params = owner.params
        self.stream = owner.stream
        self.no_keep_alive = params.no_keep_alive
        self._max_body_size = (
            params.max_body_size
            if params.max_body_size is not None
            else owner.stream.max_buffer_size
        )
        self._body_timeout = params.body_timeout

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
        if self.params.no_keep_alive:
            return False
        headers = self._request_headers
        given = headers._as_list.get("Connection")
        wish = ",".join(given).lower() if given else None
        if self._request_start_line[2] == "HTTP/1.1":
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
        code: int
        _, code, reason = start_line  # type: ignore[assignment]  # it is an answer's
        fields = headers._as_list
        if "Content-Length" in fields:
            lengths = fields["Content-Length"]
            length = lengths[0]
            self._expected_content_remaining = (
                int(length)
                if length.isdecimal() and length.isascii() and len(lengths) == 1
                else parse_int(headers["Content-Length"])
            )
        else:
            self._chunking_output = (
                version == "HTTP/1.1" and method != "HEAD" and code >= 200 and code not in _BARE
            )
        if version != "HTTP/1.1" or self._disconnect_on_finish:
            self._tell_what_follows(headers, code)
        if self._chunking_output:
            headers["Transfer-Encoding"] = "chunked"
        if method == "HEAD" or code in _BARE:
            self._expected_content_remaining = 0
        head = answer_head(code, reason, headers)
        stream = self._open()
        if stream is None:
            return _failed()
        if not chunk:
            return stream.send(head)
        remaining = self._expected_content_remaining
        if remaining is not None and remaining == len(chunk):
            self._expected_content_remaining = 0
        else:
            chunk = self._framed(stream, chunk)
        if len(chunk) <= _COPIED:
            return stream.send(head + chunk)
        stream.send(head)
        return stream.send(chunk)

    def _tell_what_follows(self, headers: HTTPHeaders, code: int) -> None:
        """Say whether the connection ends after the answer, where that is not as usual."""
        method, _, version = self._request_start_line
        if version == "HTTP/1.1":
            headers["Connection"] = "close"
        elif (
            version == "HTTP/1.0"
            and self._request_headers.get("Connection", "").lower() == "keep-alive"
        ):
            if "Content-Length" in headers or method == "HEAD" or code in _BARE:
                headers["Connection"] = "Keep-Alive"
            else:  # what has no length ends with its connection
                self._disconnect_on_finish = True

    def write(self, chunk: bytes) -> asyncio.Future[None]:
        """Write a part of the answer's body."""
        stream = self._open()
        if stream is None:
            return _failed()
        sent = stream.send(self._framed(stream, chunk))
        # Who writes without end to a client that reads as fast must not keep others waiting.
        return stream.turn() if sent.done() else sent

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
        stream: Stream | None = self.stream
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
