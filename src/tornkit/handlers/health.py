"""``/health/live`` and ``/health/ready``: for supervisors, outside hosts and sessions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tornkit import encoding
from tornkit.handlers.base import BaseHandler

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Live", "Ready"]


class _Health(BaseHandler):
    uses_session = False

    def _check_host(self) -> None:
        # A supervisor asks by address; no page of the site is shown to it.
        pass

    def _answer(self, *, ok: bool, details: Mapping[str, object] = {}) -> None:
        self.set_header("Cache-Control", "no-store")
        body = encoding.encode({**_status(ok=ok), **details}, pretty=bool(details))
        self.response(body, "application/json; charset=utf-8", 200 if ok else 503)


class Live(_Health):
    """Answer 200 as long as the process answers at all."""

    async def get(self) -> None:
        """Answer ok."""
        self._answer(ok=True)


class Ready(_Health):
    """Answer 200 while the application takes requests, else 503.

    Whom ``server.health_details`` admits is told what each part has answered.
    """

    async def get(self) -> None:
        """Answer ok or unavailable."""
        application: Any = self.application
        health = await application.health()
        if not self.site.sees_health(self.request.remote_ip or ""):
            self._answer(ok=health.is_ready)
            return
        parts = {reading.name: _shown(reading) for reading in health.readings}
        self._answer(ok=health.is_ready, details={"draining": health.draining, "parts": parts})


def _shown(reading: Any) -> dict[str, object]:
    shown = {**_status(ok=reading.error is None), "seconds": round(reading.seconds, 4)}
    if reading.error is not None:
        shown["error"] = reading.error
    if not reading.required:
        shown["required"] = False
    return shown


def _status(*, ok: bool) -> dict[str, object]:
    return {"status": "ok" if ok else "unavailable"}
