"""The redirect from ``/teacher`` to ``/teacher/``."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tornado.web import RequestHandler

from tornkit.access import PUBLIC
from tornkit.routing.route import Route, RouteRule

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["SlashRedirect", "redirect_rules"]


class SlashRedirect(RequestHandler):
    """Redirect to one path of this site, for good, with the same method and query."""

    def initialize(self, location: str) -> None:
        """Take the path; it is a module's prefix, never part of the request."""
        self.location = location

    def get(self) -> None:
        """Answer 308."""
        query = f"?{self.request.query}" if self.request.query else ""
        self.redirect(self.location + query, status=308)

    head = post = put = patch = delete = get

    def check_xsrf_cookie(self) -> None:
        """Ask for no token: whoever answers in the end will."""

    def check_trusted_origin(self, origin: str) -> bool:
        """Trust every origin: whoever answers in the end will ask."""
        return True


def redirect_rules(prefixes: Mapping[str, Any]) -> list[RouteRule]:
    """Return a public rule from each prefix, beside its ``cors``, to itself with a slash.

    They belong after all other rules, so that a route of the path itself wins, which for
    once is no mistake: they never count as duplicates.
    """
    rules = []
    for prefix, cors in prefixes.items():
        kwargs = {"location": f"{prefix}/"}
        route = Route(prefix, SlashRedirect, kwargs=kwargs, access=PUBLIC, file=__file__)
        rule = replace(route, cors=cors).rule()
        rule.shape = None
        rules.append(rule)
    return rules
