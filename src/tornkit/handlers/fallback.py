"""What answers where no handler of the site does, and how plain handlers join the site."""

from __future__ import annotations

from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from tornado.web import HTTPError, RequestHandler

from tornkit.handlers.base import BaseHandler
from tornkit.handlers.lifecycle import LifecycleHandler
from tornkit.security.csp import SITE_SCRIPTS

if TYPE_CHECKING:
    from collections.abc import Sequence

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

    def _methods_to_allow(self) -> Sequence[str]:
        return self.SUPPORTED_METHODS  # likewise, instead of a refused preflight


def adopt(handler: type[RequestHandler]) -> type[RequestHandler]:
    """Return ``handler`` with `BaseHandler` beneath it in place of Tornado's own base.

    A plain Tornado handler so gets the door of its module, request ids and error pages;
    what it overrides itself stays its own. Its pages know of no nonce, so that they may load
    the site's own scripts without one.
    """
    if issubclass(handler, LifecycleHandler):
        return handler
    adopted = _adopted.get(handler)
    if adopted is None:
        members = {
            "accepts_typed_arguments": False,
            "_default_policy": SITE_SCRIPTS,
            "uses_etag": getattr(handler, "uses_etag", True),
            "__module__": handler.__module__,
        }
        adopted = type(handler.__name__, (handler, BaseHandler), members)
        adopted.__qualname__ = handler.__qualname__
        _adopted[handler] = adopted
    return adopted


_adopted: WeakKeyDictionary[type[RequestHandler], type[RequestHandler]] = WeakKeyDictionary()
