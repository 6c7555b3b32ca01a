"""What answers where no handler of the site does, and how plain handlers join the site."""

from __future__ import annotations

from weakref import WeakKeyDictionary

from tornado.web import HTTPError, RequestHandler

from tornkit.handlers.base import BaseHandler
from tornkit.handlers.lifecycle import LifecycleHandler

__all__ = ["NotFound", "adopt"]


class NotFound(BaseHandler):
    """Answer 404 to every method."""

    def prepare(self) -> None:
        """Refuse the path."""
        raise HTTPError(404)

    def check_xsrf_cookie(self) -> None:
        """Let the 404 be seen instead of a missing token."""

    def check_trusted_origin(self, origin: str) -> bool:
        """Let the 404 be seen instead of a refused origin."""
        return True


def adopt(handler: type[RequestHandler]) -> type[RequestHandler]:
    """Return ``handler`` with `BaseHandler` beneath it in place of Tornado's own base.

    A plain Tornado handler so gets the door of its module, request ids and error pages;
    what it overrides itself stays its own.
    """
    if issubclass(handler, LifecycleHandler):
        return handler
    adopted = _adopted.get(handler)
    if adopted is None:
        members = {"accepts_typed_arguments": False, "__module__": handler.__module__}
        adopted = type(handler.__name__, (handler, BaseHandler), members)
        adopted.__qualname__ = handler.__qualname__
        _adopted[handler] = adopted
    return adopted


_adopted: WeakKeyDictionary[type[RequestHandler], type[RequestHandler]] = WeakKeyDictionary()
