"""From an exception to what the client sees: code, message, fields, and the page around them.

In debug the client sees an error's own message and, for a bug, its traceback; otherwise
only what its code says to everybody.
"""

from __future__ import annotations

import http
import logging
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import jinja2
from tornado.web import HTTPError

from tornkit.errors import AppError, ErrorCode, FieldError, FormError, TooManyRequests
from tornkit.handlers import nonces

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tornado.httputil import HTTPServerRequest

    from tornkit.handlers.site import Site

__all__ = ["SUCCESS", "ErrorAnswer", "answer_of", "own_pages", "render"]

_log = logging.getLogger("tornkit.handlers")


@dataclass(frozen=True, slots=True)
class ErrorAnswer:
    """What an answer says about its success: status, code, message, bad fields.

    ``retry_after`` is for the header of that name, in seconds.
    """

    status_code: int = 200
    code: int = 0
    message: str = ""
    errors: Sequence[FieldError] = ()
    retry_after: int | None = None

    def merged(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """Return code, message and, where there are any, field errors, before ``data``.

        Raises:
            TypeError: ``data`` holds ``code`` or ``message``.
        """
        if "code" in data or "message" in data:
            name = "code" if "code" in data else "message"
            raise TypeError(f"{name!r} is set by the answer itself; give your value another name")
        answer: dict[str, Any] = {"code": self.code, "message": self.message}
        if self.errors:
            answer["errors"] = [
                {"field": error.field, "message": error.message, "type": error.type}
                for error in self.errors
            ]
        answer.update(data)
        return answer


SUCCESS = ErrorAnswer()


def answer_of(
    error: BaseException | ErrorCode | None,
    *,
    debug: bool,
    status_code: int | None = None,
    reason: str | None = None,
) -> ErrorAnswer:
    """Return what the client is told about ``error``; None with no status is success."""
    if isinstance(error, ErrorCode):
        return ErrorAnswer(error.status_code, error.number, error.message)
    if isinstance(error, AppError):
        return _answer_of_app(error, debug=debug)
    if isinstance(error, HTTPError):
        own = error.get_message() if debug else None
        message = own or error.reason or _phrase(error.status_code)
        return ErrorAnswer(error.status_code, error.status_code, message)
    if status_code is None:
        return SUCCESS
    message = f"{type(error).__name__}: {error}" if debug and error else reason
    return ErrorAnswer(status_code, status_code, message or _phrase(status_code))


def _answer_of_app(error: AppError, *, debug: bool) -> ErrorAnswer:
    return ErrorAnswer(
        error.status_code,
        error.number,
        _app_message(error, debug=debug),
        errors=error.errors if isinstance(error, FormError) else (),
        retry_after=error.retry_after,
    )


def _app_message(error: AppError, *, debug: bool) -> str:
    if debug or isinstance(error, FormError | TooManyRequests):
        return error.message
    return error.code.message if isinstance(error.code, ErrorCode) else _phrase(error.code)


def _phrase(status_code: int) -> str:
    try:
        return http.HTTPStatus(status_code).phrase
    except ValueError:
        return "Unknown"


class Renderer(Protocol):
    """What a page needs of the handler that it is for."""

    request: HTTPServerRequest

    @property
    def site(self) -> Site:
        """The parts of the application."""

    @property
    def request_id(self) -> str:
        """The id of the request."""

    @property
    def csp_nonce(self) -> str:
        """The nonce of the page."""

    def render_template(self, template: str, **data: Any) -> str:
        """Return a template of the site, rendered."""


# --- pages -------------------------------------------------------------------------------

# All of tornkit's own, not only those of errors.
own_pages = jinja2.Environment(
    loader=jinja2.FileSystemLoader(Path(__file__).with_name("pages")),
    autoescape=True,
    trim_blocks=True,
    lstrip_blocks=True,
    undefined=jinja2.StrictUndefined,
    extensions=[nonces.Nonces],
)


def render(handler: Renderer, answer: ErrorAnswer, error: BaseException | None) -> str:
    """Return the HTML page of an error.

    A bug in debug shows its traceback. Otherwise the site's own ``errors/<status>.html`` or
    ``errors/error.html`` is used, and a plain page of tornkit's where the site has neither
    or its page fails in turn.
    """
    variables = {
        "code": answer.code,
        "message": answer.message,
        "errors": list(answer.errors),
        "status_code": answer.status_code,
        "request_id": handler.request_id,
    }
    expected = error is None or isinstance(error, HTTPError | AppError)
    if handler.site.debug and answer.status_code == 500 and not expected:
        variables |= {"frames": _frames(error), "request": handler.request}
        return nonces.render(own_pages.get_template("debug.html"), handler, variables)
    templates = handler.site.templates
    for name in (f"errors/{answer.status_code}.html", "errors/error.html"):
        if templates is None:
            break
        try:
            return handler.render_template(name, **variables)
        except jinja2.TemplateNotFound as missing:
            if missing.name != name:
                _log.exception("the error page %s cannot be rendered", name)
        except Exception:  # noqa: BLE001 - whatever the site's page raises, a page is shown
            _log.exception("the error page %s cannot be rendered", name)
    return nonces.render(own_pages.get_template("error.html"), handler, variables)


def _frames(error: BaseException | None) -> list[dict[str, Any]]:
    """Return the frames of a traceback, innermost last, each with the lines around its own."""
    frames: list[dict[str, Any]] = []
    for frame in traceback.extract_tb(error.__traceback__ if error else None):
        lines = _lines_around(frame.filename, frame.lineno or 0)
        frames.append(
            {
                "file": frame.filename,
                "line": frame.lineno,
                "function": frame.name,
                "lines": lines,
                "own": "site-packages" not in frame.filename
                and Path(__file__).parents[1] not in Path(frame.filename).parents,
            }
        )
    return frames


def _lines_around(filename: str, number: int, margin: int = 4) -> list[tuple[int, str, bool]]:
    try:
        source = Path(filename).read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []
    first = max(number - margin, 1)
    return [
        (first + offset, text, first + offset == number)
        for offset, text in enumerate(source[first - 1 : number + margin])
    ]
