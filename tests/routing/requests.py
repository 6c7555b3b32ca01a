"""Requests without a connection, and what a router makes of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tornado.httputil import HTTPHeaders, HTTPServerRequest, RequestStartLine
from tornado.web import RequestHandler

if TYPE_CHECKING:
    import tornado.web


class Typed(RequestHandler):
    """A handler as tornkit's own: its arguments arrive converted, and HEAD follows GET."""

    accepts_typed_arguments = True

    def get(self, **values: object) -> None:
        pass

    def head(self, **values: object) -> None:
        self.get(**values)


def request(path: str, host: str = "localhost", **headers: str) -> HTTPServerRequest:
    line = RequestStartLine("GET", "/", "HTTP/1.1")
    made = HTTPServerRequest(start_line=line, headers=HTTPHeaders({"Host": host, **headers}))
    made.path = path  # past the URL parsing: any text may come
    return made


def answer(application: tornado.web.Application, asked: HTTPServerRequest) -> tuple[Any, ...]:
    """Say which handler answers, with which arguments."""
    delegate: Any = application.find_handler(asked)
    return (
        delegate.handler_class,
        delegate.handler_kwargs,
        delegate.path_args,
        delegate.path_kwargs,
    )
