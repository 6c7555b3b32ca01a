"""How a handler begins and how its answer leaves: Tornado's own steps, with less work in each.

Nothing is prepared that a request may not need, and nothing is looked at twice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tornado.httputil import ResponseStartLine
from tornado.util import ObjectDict
from tornado.web import RequestHandler, _UIModuleNamespace

from tornkit.handlers.headers import HeadersHandler
from tornkit.handlers.site import Site

if TYPE_CHECKING:
    import asyncio

    from tornado.httputil import HTTPServerRequest
    from tornado.web import Application

__all__ = ["AnswersHandler"]

_BARE_SITE = Site()


class AnswersHandler(HeadersHandler):
    """Make and send answers."""

    uses_etag: bool | None = None
    """Whether answers get an ``ETag``; None gives one to all but JSON, and to JSON too where
    the class computes its own."""

    _headers_written = False
    _finished = False
    _auto_finish = True
    _prepared_future = None
    _ui: ObjectDict | None = None
    _flushes_itself = False
    _tags_itself = False
    _begins_with_others = False  # such as WebSocketHandler, or a mixin

    def __init__(
        self, application: Application, request: HTTPServerRequest, **kwargs: Any
    ) -> None:
        """Begin to answer a request."""
        self.site = getattr(application, "site", _BARE_SITE)
        if self._begins_with_others:
            super().__init__(application, request, **kwargs)
            return
        # In place of Tornado's own, which prepares what only its templates look at.
        self.application = application
        self.request = request
        self.clear()
        request.connection.set_close_callback(  # type: ignore[union-attr]
            self.on_connection_close
        )
        self.initialize(**kwargs)

    @property
    def ui(self) -> ObjectDict:
        """The UI methods and modules of the application, for Tornado's templates."""
        if self._ui is None:
            methods, modules = self.application.ui_methods, self.application.ui_modules
            ui = ObjectDict((name, self._ui_method(each)) for name, each in methods.items())
            ui["_tt_modules"] = ui["modules"] = _UIModuleNamespace(self, modules)
            self._ui = ui
        return self._ui

    @ui.setter
    def ui(self, value: ObjectDict) -> None:
        self._ui = value

    def _break_cycles(self) -> None:
        self._ui = None

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Note what the class does in its own way."""
        super().__init_subclass__(**kwargs)
        cls._flushes_itself = not getattr(cls.flush, "_is_ours", False)
        cls._tags_itself = not getattr(cls.compute_etag, "_is_ours", False)
        above = cls.__mro__[cls.__mro__.index(AnswersHandler) + 1 :]
        begins = [each for each in above if "__init__" in vars(each)]
        cls._begins_with_others = begins != [RequestHandler, object]

    def _finish(self) -> asyncio.Future[None]:
        """Send the answer, or what is left of it."""
        if not self._headers_written:
            self._complete_headers()
        connection: Any = self.request.connection
        connection.set_close_callback(None)  # it would keep the handler
        future = self.flush(include_footers=True) if self._flushes_itself else self._send(True)
        connection.finish()
        self._log()
        self._finished = True
        self.on_finish()
        self._break_cycles()
        return future

    def _complete_headers(self) -> None:
        """Add what is known when the whole body is: its tag and its length."""
        fields, request = self._headers._as_list, self.request
        if (
            self._status_code == 200
            and request.method in ("GET", "HEAD")
            and "Etag" not in fields
            and (
                self._tags_itself or "json" not in fields.get("Content-Type", ("",))[0]
                if self.uses_etag is None
                else self.uses_etag
            )
        ):
            self.set_etag_header()
            if self.check_etag_header():
                self._write_buffer = []
                self.set_status(304)
        status = self._status_code
        if status != 200 and self._should_not_send_content(status):
            if self._write_buffer:
                raise RuntimeError(f"Cannot send body with status code HTTP{status}")
            self._clear_representation_headers()
        elif "Content-Length" not in fields:
            # A handler with a clear() of its own may have Tornado's headers.
            fields["Content-Length"] = [str(sum(map(len, self._write_buffer)))]

    def check_etag_header(self) -> bool:
        """Tell whether the client has this very answer already."""
        known = "If-None-Match" in self.request.headers._as_list
        return known and super().check_etag_header()

    def _send(self, include_footers: bool = False) -> asyncio.Future[None]:
        """Hand what was written so far to the connection."""
        if self._headers_written:
            return super().flush(include_footers)
        self._before_headers()
        if self._transforms:
            return super().flush(include_footers)
        buffer, request = self._write_buffer, self.request
        if request.method == "HEAD":
            chunk = b""
        else:
            chunk = buffer[0] if len(buffer) == 1 else b"".join(buffer)
        self._write_buffer = []
        self._headers_written = True
        if hasattr(self, "_new_cookie"):
            for cookie in self._new_cookie.values():
                self.add_header("Set-Cookie", cookie.OutputString(None))
        line = ResponseStartLine("", self._status_code, self._reason)
        return request.connection.write_headers(line, self._headers, chunk)  # type: ignore[union-attr]
