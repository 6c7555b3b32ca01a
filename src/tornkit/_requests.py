"""From the head of a request to its handler: Tornado's way, with fewer steps.

What a request means is Tornado's to the letter; one that is unusual in any respect is left
to its own code. `tornkit.server` sends the requests of any application this way,
`tornkit.routing` those of its own on any server.
"""

from __future__ import annotations

import asyncio
import time
from functools import lru_cache
from typing import TYPE_CHECKING, Any, cast

from tornado import gen
from tornado.httputil import (
    _ABNF,
    HTTPInputError,
    HTTPMessageDelegate,
    HTTPServerRequest,
    split_host_and_port,
)
from tornado.routing import _DefaultMessageDelegate
from tornado.web import _HandlerDelegate

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from tornado.httputil import (
        HTTPConnection,
        HTTPHeaders,
        RequestStartLine,
        ResponseStartLine,
    )
    from tornado.routing import Router

__all__ = ["Collector", "Dispatch", "Request", "execute"]

_LONGEST_HOST = 261  # characters: a name and a port
_MANY, _SMALL = 64, 1024  # pieces of a body, and bytes of one


class Request(HTTPServerRequest):
    """A request, made of a head that a server has read.

    Raises:
        HTTPInputError: the host or the query is malformed.
    """

    # What the rooms above note of a request.
    tornkit_route: Any = None
    _refusal: Any = None

    def __init__(
        self,
        connection: Any,
        server_connection: object,
        start_line: RequestStartLine,
        headers: HTTPHeaders,
    ) -> None:
        """Take the head, and where it came from."""
        method, uri, version = start_line
        hosts = headers._as_list.get("Host")
        if hosts is None or len(hosts) != 1 or "?" in uri:
            super().__init__(
                connection=connection,
                server_connection=server_connection,
                start_line=start_line,
                headers=headers,
            )
            return
        self.method, self.uri, self.version = method, uri, version
        self.headers = headers
        self.body = b""
        context = connection.context
        self.remote_ip, self.protocol = context.remote_ip, context.protocol
        self.host = hosts[0]
        # What is remembered has to be small; no real name is longer (RFC 1035).
        name_of = _name_of if len(hosts[0]) <= _LONGEST_HOST else _name_of.__wrapped__
        self.host_name = name_of(hosts[0])
        self.files = {}
        self.connection = connection
        self.server_connection = server_connection
        self._start_time = time.time()
        self._finish_time = None
        self.path, self.query = uri, ""
        self.arguments, self.query_arguments, self.body_arguments = {}, {}, {}


@lru_cache(1024)  # visitors of a site ask for one host
def _name_of(host: str) -> str:
    if not _ABNF.host.fullmatch(host):
        raise HTTPInputError(f"Invalid Host header: {host!r}")
    if "," in host:
        raise HTTPInputError(f"Multiple host headers not allowed: {host!r}")
    return split_host_and_port(host.lower())[0]


class Collector:
    """Collect the body of a request, for its handler to get it in one piece."""

    # Joined once at the end: what grows is moved again and again where several grow side by side.
    _pieces: list[bytes] | None = None
    _looked_at = 0  # how many of them are large, or were joined

    def _collect(self, chunk: bytes) -> None:
        pieces = self._pieces
        if pieces is None:
            self._pieces = [chunk]
            return
        pieces.append(chunk)
        if len(pieces) - self._looked_at >= _MANY:
            latest = pieces[self._looked_at :]
            if sum(map(len, latest)) < _MANY * _SMALL:  # each takes more than it holds
                pieces[self._looked_at :] = [b"".join(latest)]
            self._looked_at = len(pieces)

    def _complete(self, delegate: _HandlerDelegate) -> None:
        """Run the handler of a delegate on what has been collected."""
        if self._pieces is not None:
            delegate.request.body = b"".join(self._pieces)
            self._pieces = None
        execute(delegate)


class Dispatch(Collector, HTTPMessageDelegate):
    """Find who answers a request, and pass the request on to them."""

    __slots__ = ("_connection", "_delegate", "_router", "_server_conn")

    def __init__(self, router: Router, server_conn: object, connection: HTTPConnection) -> None:
        """Ask ``router`` for who answers."""
        self._router = router
        self._server_conn = server_conn
        self._connection = connection
        self._delegate: HTTPMessageDelegate = cast("HTTPMessageDelegate", None)

    def headers_received(
        self, start_line: RequestStartLine | ResponseStartLine, headers: HTTPHeaders
    ) -> Awaitable[None] | None:
        """Find who answers."""
        request = Request(
            self._connection,
            self._server_conn,
            start_line,  # type: ignore[arg-type]  # it is a request's
            headers,
        )
        delegate = self._router.find_handler(request)
        if delegate is None:
            delegate = _DefaultMessageDelegate(self._connection)
        self._delegate = delegate
        return delegate.headers_received(start_line, headers)

    def data_received(self, chunk: bytes) -> Awaitable[None] | None:
        """Pass on a part of the body."""
        delegate = self._delegate
        if type(delegate) is not _HandlerDelegate or delegate.stream_request_body:
            return delegate.data_received(chunk)
        self._collect(chunk)
        return None

    def finish(self) -> None:
        """Say that the request is complete."""
        delegate = self._delegate
        if type(delegate) is not _HandlerDelegate or delegate.stream_request_body:
            delegate.finish()
        else:
            self._complete(delegate)

    def on_connection_close(self) -> None:
        """Say that nothing more will come."""
        self._pieces = None
        if self._delegate is not None:
            self._delegate.on_connection_close()


def execute(delegate: _HandlerDelegate) -> None:
    """Run the handler of a delegate, whose request is there as a whole."""
    application, request = delegate.application, delegate.request
    settings = application.settings
    if "compiled_template_cache" in settings or "static_hash_cache" in settings:
        delegate.execute()  # Tornado looks at its templates and static files anew
        return
    handler = delegate.handler_class(application, request, **delegate.handler_kwargs)
    delegate.handler = handler
    transforms = [transform(request) for transform in application.transforms]
    steps = handler._execute(transforms, *delegate.path_args, **delegate.path_kwargs)
    # Every exception ends in the handler, which therefore nobody has to watch.
    if asyncio.iscoroutine(steps):
        asyncio.get_running_loop().create_task(steps)
    else:  # of a handler that takes them in its own way
        gen.convert_yielded(steps).add_done_callback(
            lambda done: done.cancelled() or done.result()
        )
