"""The handler of static files; where they lie is `tornkit.handlers.static_files`' knowledge."""

from __future__ import annotations

from typing import Any

from tornado.web import HTTPError, StaticFileHandler

from tornkit.handlers.base import BaseHandler
from tornkit.handlers.static_files import NOWHERE
from tornkit.security.csp import SITE_SCRIPTS

__all__ = ["StaticHandler"]


class StaticHandler(StaticFileHandler, BaseHandler):
    """Serve `StaticFiles`; public, and without a look at the session."""

    uses_session = False
    _default_policy = SITE_SCRIPTS  # a file cannot carry a nonce

    def initialize(self, path: str = "", default_filename: str | None = None) -> None:  # type: ignore[override]
        """Take no folder: the site knows its folders."""
        super().initialize(path or str(NOWHERE), default_filename)

    async def get(self, path: str, include_body: bool = True) -> None:
        """Send the file, or 404."""
        static = self.site.static
        if static is None or "\0" in path:
            raise HTTPError(404)
        root, inside = static.locate(path)
        self.root = str(root)
        await super().get(inside, include_body)

    def head(self, path: str) -> Any:
        """Send the file's headers."""
        return self.get(path, include_body=False)
