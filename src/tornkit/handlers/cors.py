"""Cross-origin resource sharing in answers: preflights, readable errors, trusted origins."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tornkit.handlers.answers import AnswersHandler
from tornkit.routing import route_of
from tornkit.security.cors import Cors

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["CorsHandler", "cors_of"]

_FROM_MODULE = object()


def cors_of(handler: type, of_module: Cors | None) -> Cors | None:
    """Return the ``cors`` of a handler's class, else that of its module."""
    own = getattr(handler, "cors", _FROM_MODULE)
    # A plain Tornado handler may use the name for a thing of its own.
    return own if own is None or isinstance(own, Cors) else of_module


class CorsHandler(AnswersHandler):
    """Answer other origins as the handler's ``cors``, else that of its module, says."""

    cors: Cors | None

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Refuse a ``cors`` that is neither a `Cors` nor None.

        Raises:
            TypeError: with the class.
        """
        super().__init_subclass__(**kwargs)
        if not isinstance(vars(cls).get("cors"), Cors | None):
            raise TypeError(f"class {cls.__name__}: cors: expected tornkit.Cors(...) or None")

    @property
    def _cors(self) -> Cors | None:
        route = route_of(self.request)
        return cors_of(type(self), self._cors_by_path() if route is None else route.cors)

    def _cors_by_path(self) -> Cors | None:
        path = self.request.path
        for prefix, cors in self.site.cors:
            if path.startswith(prefix):
                return cors
        return None

    def _answer_preflight(self) -> bool:
        """Answer the question of a browser whether it may send a request, if OPTIONS is one."""
        headers = self.request.headers
        if "Access-Control-Request-Method" not in headers:
            return False
        cors, origin = self._cors, headers.get("Origin")
        if cors is None or origin is None:
            return False
        self.set_status(204)
        for name, value in cors.preflight(origin, self._methods_to_allow()).items():
            self.set_header(name, value)
        self.finish()
        return True

    def _methods_to_allow(self) -> Sequence[str]:
        return self.SUPPORTED_METHODS

    def check_trusted_origin(self, origin: str) -> bool:
        """Trust what the settings trust, and what ``cors`` lets change something."""
        cors, request = self._cors, self.request
        if cors is not None and cors.trusts(
            origin, request.method or "", cookies="Cookie" in request.headers
        ):
            return True
        return super().check_trusted_origin(origin)

    def _before_headers(self) -> None:
        cors = self._cors
        if cors is not None:
            if not cors.for_everybody:
                self._add_vary("Origin")
            if "Access-Control-Allow-Origin" not in self._headers:
                for name, value in cors.answer(self.request.headers.get("Origin")).items():
                    self.set_header(name, value)
        super()._before_headers()
