"""HTML or JSON: what a request's Accept header and body ask for (RFC 9110, section 12)."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tornado.httputil import HTTPServerRequest

__all__ = ["is_json", "quality", "wants_json"]

_LONGEST_TYPE = 300  # characters of a Content-Type that are looked at
_MAX_ACCEPT = 2_000  # characters; a longer header is cut, so that parsing stays cheap


def wants_json(request: HTTPServerRequest) -> bool:
    """Tell whether the answer should be JSON rather than HTML.

    It should when ``application/json`` has the higher quality, or when the request's own
    body is JSON.
    """
    if is_json(request.headers.get("Content-Type", "")):
        return True
    accept = request.headers.get("Accept", "")
    return quality(accept, "application", "json") > quality(accept, "text", "html")


def is_json(content_type: str) -> bool:
    """Tell whether a Content-Type is JSON, ``application/problem+json`` and kin included."""
    return _is_json(content_type[:_LONGEST_TYPE])


@lru_cache(256)
def _is_json(content_type: str) -> bool:
    essence = content_type.partition(";")[0].strip().lower()
    return essence == "application/json" or (
        essence.startswith("application/") and essence.endswith("+json")
    )


def quality(accept: str, kind: str, subtype: str) -> float:
    """Return the q value that an Accept header gives to ``kind/subtype``, 0.0 to 1.0.

    The most specific range wins; an unreadable q counts as 0; no header accepts nothing
    in particular and gives 0.
    """
    best_rank, best_q = -1, 0.0
    for part in accept[:_MAX_ACCEPT].split(","):
        media_range, *parameters = (piece.strip().lower() for piece in part.split(";"))
        rank = {f"{kind}/{subtype}": 2, f"{kind}/*": 1, "*/*": 0}.get(media_range, -1)
        if rank > best_rank:
            best_rank, best_q = rank, _q(parameters)
    return best_q


def _q(parameters: list[str]) -> float:
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            try:
                q = float(value)
            except ValueError:
                return 0.0
            return q if 0.0 <= q <= 1.0 else 0.0
    return 1.0
