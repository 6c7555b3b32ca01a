"""``/health/live`` and ``/health/ready``: for supervisors, outside hosts and sessions."""

from __future__ import annotations

from typing import Any

from tornkit.handlers.base import BaseHandler

__all__ = ["Live", "Ready"]


class _Health(BaseHandler):
    uses_session = False

    def _check_host(self) -> None:
        # A supervisor asks by address; no page of the site is shown to it.
        pass

    def _answer(self, *, ok: bool) -> None:
        self.set_header("Cache-Control", "no-store")
        body = '{"status": "ok"}' if ok else '{"status": "unavailable"}'
        self.response(body, "application/json; charset=utf-8", 200 if ok else 503)


class Live(_Health):
    """Answer 200 as long as the process answers at all."""

    async def get(self) -> None:
        """Answer ok."""
        self._answer(ok=True)


class Ready(_Health):
    """Answer 200 while the application takes requests, else 503."""

    async def get(self) -> None:
        """Answer ok or unavailable."""
        application: Any = self.application
        self._answer(ok=await application.is_ready())
