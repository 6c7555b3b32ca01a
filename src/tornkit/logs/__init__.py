"""Logging: good defaults, a request id in every line, one line for each request.

`configure` is called once, by the application as it starts. Nothing here knows settings
or Tornado: what is needed is handed in.
"""

from __future__ import annotations

import logging

from tornkit.logs._context import NO_REQUEST, RequestIdFilter, request_id
from tornkit.logs._masking import MalformedFilter, mask, mask_query
from tornkit.logs.access import log_access, log_arguments, log_request, shown_target
from tornkit.logs.config import configure

__all__ = [
    "NO_REQUEST",
    "RequestIdFilter",
    "configure",
    "log_access",
    "log_arguments",
    "log_request",
    "mask",
    "mask_query",
    "request_id",
    "shown_target",
]

# Here and not in `configure`: whoever configures logging by themselves is spared it as well.
logging.getLogger("tornado.general").addFilter(MalformedFilter())
