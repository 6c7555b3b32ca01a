"""`BaseHandler`: Tornado's RequestHandler with answers, forms, errors and the visitor."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from tornado.web import HTTPError, RequestHandler
from tornado.websocket import WebSocketHandler

from tornkit import encoding
from tornkit.errors import AppError, ErrorCode, TornkitError
from tornkit.handlers import error_pages, forms, nonces
from tornkit.handlers.owning import OwningHandler
from tornkit.security.hosts import host_name
from tornkit.security.redirects import local_path

if TYPE_CHECKING:
    from asyncio import Future
    from collections.abc import Awaitable, Callable, Iterable, Sequence

    from pydantic import BaseModel

    from tornkit.handlers.error_pages import ErrorAnswer
    from tornkit.mail import Mailer
    from tornkit.settings import Settings

    Model = TypeVar("Model", bound=BaseModel)

__all__ = ["BaseHandler"]

_JSON = "application/json; charset=utf-8"
_HTML = "text/html; charset=utf-8"
_KNOWN_TYPES = frozenset({_JSON, _HTML})


class BaseHandler(OwningHandler):
    """Answer requests of a site; a subclass adds ``get``, ``post`` and so on.

    Example:
        >>> class Hello(BaseHandler):
        ...     async def get(self) -> None:
        ...         self.response_json(hello="world")
    """

    max_body_size: int | None = None
    """The largest body in bytes that this handler takes; None is the setting of the site."""

    @property
    def config(self) -> Settings:
        """The typed settings; ``self.settings`` stays Tornado's dict.

        Raises:
            TornkitError: the application is not a `tornkit.Application`.
        """
        if self.site.config is None:
            raise TornkitError("self.config needs a tornkit.Application", hint="use one")
        return self.site.config

    @property
    def mailer(self) -> Mailer:
        """What sends mail: ``await self.mailer.send(message)``, ``self.mailer.post(message)``.

        Raises:
            TornkitError: the application is not a `tornkit.Application`.
        """
        if self.site.mailer is None:
            raise TornkitError("self.mailer needs a tornkit.Application", hint="use one")
        return self.site.mailer

    # --- answers -------------------------------------------------------------------------

    def response(
        self, content: str | bytes, content_type: str, status_code: int = 200
    ) -> Future[None]:
        """Answer with ``content``; awaiting the result is possible, not needed."""
        if status_code != 200 or self._status_code != 200 or self._reason != "OK":
            self.set_status(status_code)
        if content_type in _KNOWN_TYPES:
            self._headers.put("Content-Type", content_type)
        else:
            self.set_header("Content-Type", content_type)
        if type(content) is bytes and not self._finished:
            self._write_buffer.append(content)
            return self.finish()
        return self.finish(content)

    def response_json(
        self,
        error: ErrorCode | AppError | HTTPError | None = None,
        status_code: int | None = None,
        **data: Any,
    ) -> Future[None]:
        """Answer ``{"code": 0, "message": "", **data}``, or with the error's code and message.

        Args:
            error: what went wrong, if something did.
            status_code: the HTTP status; by default the error's, else 200.
            data: the answer's own keys.

        Raises:
            TypeError: ``data`` holds ``code`` or ``message``.
            EncodingError: a value that JSON answers do not carry, with its key path.
        """
        answer = self._answer_to(error)
        body = encoding.encode(answer.merged(data), pretty=self.site.debug)
        status = answer.status_code if status_code is None else status_code
        return self.response(body, _JSON, status)

    def response_html(
        self,
        template: str,
        error: ErrorCode | AppError | HTTPError | None = None,
        status_code: int | None = None,
        **data: Any,
    ) -> Future[None]:
        """Answer with a rendered template; it sees code, message, errors and ``data``.

        Args:
            template: the template's name, such as ``teacher/dashboard.html``.
            error: what went wrong, if something did.
            status_code: the HTTP status; by default the error's, else 200.
            data: the template's variables.

        Raises:
            TypeError: ``data`` holds ``code`` or ``message``.
            jinja2.TemplateNotFound: no template of that name.
        """
        answer = self._answer_to(error)
        page = self.render_template(template, **{"errors": [], **answer.merged(data)})
        status = answer.status_code if status_code is None else status_code
        return self.response(page, _HTML, status)

    def render_template(self, template: str, **data: Any) -> str:
        """Return a template of the site, rendered with Jinja2 for this request.

        Raises:
            TornkitError: the application is not a `tornkit.Application`.
        """
        if self.site.templates is None:
            raise TornkitError("templates need a tornkit.Application", hint="use one")
        data.setdefault("handler", self)  # the environment asks it for all the rest
        return nonces.render(self.site.templates.get_template(template), self, data)

    def session_flashes(self) -> list[dict[str, str]]:
        """Take the waiting flash messages out of the session, oldest first.

        A HEAD request only sees them: they wait for the page.
        """
        waiting = self.session.pop_flashes() if self._has_session else []
        if self.request.method == "HEAD":
            for each in waiting:
                self.session.flash(**each)
        return waiting

    # --- input ---------------------------------------------------------------------------

    def parse_form(self, model: type[Model]) -> Model:
        """Return the request's form as a pydantic model.

        An empty field counts as a missing one. A JSON body is accepted as well.

        Raises:
            FormError: with every field that does not validate; uncaught, it is a 422.
        """
        return forms.parse_form(self.request, model)

    def parse_json(self, model: type[Model]) -> Model:
        """Return the request's JSON body as a pydantic model.

        Raises:
            FormError: with every field that does not validate; uncaught, it is a 422.
            tornado.web.HTTPError: 400 for a body that is not JSON, 415 for another type.
        """
        return forms.parse_json(self.request, model)

    def parse_query(self, model: type[Model]) -> Model:
        """Return the query string as a pydantic model.

        Raises:
            FormError: with every field that does not validate; uncaught, it is a 422.
        """
        return forms.parse_query(self.request, model)

    def next_url(self, default: str = "/") -> str:
        """Return the argument ``next`` if it is a path on this site, else ``default``."""
        return local_path(self.get_argument("next", ""), default)

    # --- URLs ----------------------------------------------------------------------------

    def reverse_url(  # type: ignore[override]  # a parameter of a route may be called name
        self, name: str, /, *args: Any, **kwargs: Any
    ) -> str:
        """Return the path of a named route: ``reverse_url("teacher:course", course_id=3)``.

        Raises:
            RouteNotFound: no route has that name.
            RouteError: a parameter is missing, unknown or does not fit.
        """
        reverse: Any = self.application.reverse_url
        path: str = reverse(name, *args, **kwargs)
        return path

    def absolute_url(self, path: str) -> str:
        """Return a path of this site with scheme and host, for a link in a mail.

        The host is the one of the request, which ``allowed_hosts`` admits. In production the
        scheme is ``https``, whatever a proxy in front of the site says, for its cookies work
        with no other; and there is no port, for whoever asks could name one of their own.

        Example:
            ``self.absolute_url(self.reverse_url("account:login"))``
        """
        if self.site.cookie.secure:
            return f"https://{host_name(self.request.host)}{path}"
        return f"{self.request.protocol}://{self.request.host}{path}"

    def static_url(self, path: str, include_host: bool | None = None, **kwargs: Any) -> str:
        """Return the address of a static file, with a hash of its content in it."""
        if self.site.static is None:
            return super().static_url(path, include_host, **kwargs)
        url = self.site.static.url(path)
        return f"{self.request.protocol}://{self.request.host}{url}" if include_host else url

    # --- methods -------------------------------------------------------------------------

    def head(self, *args: Any, **kwargs: Any) -> Any:
        """Answer as ``get`` does; Tornado leaves the body out."""
        if isinstance(self, WebSocketHandler):
            raise HTTPError(405)
        return self.get(*args, **kwargs)

    def options(self, *args: Any, **kwargs: Any) -> Any:
        """List the methods in ``Allow``."""
        self.set_status(204)
        self.set_header("Allow", ", ".join(self.allowed_methods()))
        self.finish()

    def _checks(self) -> Sequence[Callable[[Any], Awaitable[None]]]:
        free = self.request.method == "OPTIONS" and type(self).options is BaseHandler.options
        return () if free else super()._checks()

    @classmethod
    def allowed_methods(cls) -> list[str]:
        """Return the HTTP methods that this handler implements, in Tornado's order."""
        methods: Iterable[str] = cls.SUPPORTED_METHODS
        unimplemented = RequestHandler._unimplemented_method
        implemented = {name for name in methods if getattr(cls, name.lower()) is not unimplemented}
        if "GET" not in implemented or issubclass(cls, WebSocketHandler):
            implemented.discard("HEAD")
        return [name for name in methods if name in implemented]

    def _methods_to_allow(self) -> Sequence[str]:
        return self.allowed_methods()

    # --- errors --------------------------------------------------------------------------

    def _answer_to(self, error: BaseException | ErrorCode | None, **given: Any) -> ErrorAnswer:
        if error is None and not given:
            return error_pages.SUCCESS
        answer = error_pages.answer_of(error, debug=self.site.debug, **given)
        if answer.retry_after is not None:
            self.set_header("Retry-After", str(answer.retry_after))
        return answer

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Answer with an error page, or with JSON for a client that asks for it."""
        if status_code == 405:
            self.set_header("Allow", ", ".join(self.allowed_methods()))
        error = kwargs.get("exc_info", (None, None, None))[1]
        answer = self._answer_to(error, status_code=status_code, reason=self._reason)
        if self._should_not_send_content(status_code):
            self.finish()
            return
        self._add_vary("Accept")
        if self.wants_json():
            body: str | bytes = encoding.encode(answer.merged({}), pretty=self.site.debug)
            self._headers.put("Content-Type", _JSON)
        else:
            body = error_pages.render(self, answer, error)
            self._headers.put("Content-Type", _HTML)
        self.finish(body)
