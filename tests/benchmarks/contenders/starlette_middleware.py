# mypy: disable-error-code="import-not-found, misc, no-any-return"
"""For Starlette, what tornkit does by default: request ids, security headers, an access log.

One pure ASGI middleware, which wraps ``send`` once and makes its headers beforehand, beside
Starlette's own `TrustedHostMiddleware`. Logging skips what it collects for nobody, as its
documentation advises under "Optimization".
"""

from __future__ import annotations

import logging
import os
import sys
import time
from contextvars import ContextVar
from typing import TYPE_CHECKING

from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware

from tests.benchmarks.contenders import common

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

request_id: ContextVar[str] = ContextVar("request_id", default="-")
log = logging.getLogger("site.access")

HEADERS = [
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"x-frame-options", b"DENY"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"strict-transport-security", b"max-age=31536000"),
]


class SiteMiddleware:
    """Give the request an id, its answer the id and the headers, and the log a line."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        began = time.perf_counter()
        identity = os.urandom(8).hex()
        request_id.set(identity)  # the server runs each request in a context of its own
        status = 500

        def send_with_headers(message: Message) -> Awaitable[None]:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                own = (b"x-request-id", identity.encode())
                message["headers"] = [*message["headers"], own, *HEADERS]
            return send(message)

        try:
            await self.app(scope, receive, send_with_headers)
        finally:
            query = scope["query_string"]
            target = scope["raw_path"] + b"?" + query if query else scope["raw_path"]
            log.log(
                logging.ERROR if status >= 500 else logging.INFO,
                "%s %s %d %.1f ms %s",
                scope["method"],
                target.decode("latin-1"),
                status,
                (time.perf_counter() - began) * 1000,
                scope["client"][0],
            )


class RequestIdFilter(logging.Filter):
    """Put the request's id into every record that is made while it is handled."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.request_id = request_id.get()
        return True


def configure_logging() -> None:
    """Write records as tornkit does, to a file, each when it is made."""
    logging._srcfile = None
    logging.logThreads = False
    logging.logProcesses = False
    logging.logMultiprocessing = False
    if sys.version_info >= (3, 12):
        logging.logAsyncioTasks = False  # type: ignore[attr-defined]
    file = common.FOLDER / "log" / "site.log"
    file.parent.mkdir(exist_ok=True)
    handler = logging.FileHandler(file, encoding="utf-8")
    handler.addFilter(RequestIdFilter())
    head = f"%(asctime)s.%(msecs)03d{time.strftime('%z')} {os.getpid()} %(levelname)-7s %(name)s"
    handler.setFormatter(
        logging.Formatter(f"{head} [%(request_id)s] %(message)s", datefmt="%Y-%m-%dT%H:%M:%S")
    )
    logging.basicConfig(level=logging.INFO, handlers=[handler])


def middleware() -> list[Middleware]:
    return [
        Middleware(SiteMiddleware),
        Middleware(TrustedHostMiddleware, allowed_hosts=[common.HOST]),
    ]
