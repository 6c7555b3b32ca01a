"""The id of the request being handled, and how it gets into log records."""

from __future__ import annotations

import logging
from contextvars import ContextVar

__all__ = ["NO_REQUEST", "RequestIdFilter", "request_id"]

NO_REQUEST = "-"

request_id: ContextVar[str] = ContextVar("tornkit_request_id", default=NO_REQUEST)


class RequestIdFilter(logging.Filter):
    """Put ``request_id`` into every record that a handler sees; let all of them pass.

    A filter of handlers and not a record factory: with a factory, anybody's
    ``extra={"request_id": ...}`` would raise.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Add the id unless the record brings its own."""
        if not hasattr(record, "request_id"):
            record.request_id = request_id.get()
        return True
