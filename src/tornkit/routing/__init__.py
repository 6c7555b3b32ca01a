"""Routes, and the router that finds them.

`path` writes a route, `RoutedApplication` serves it beside Tornado's own tuples and
`URLSpec`s, `describe` and `match` tell what is routed where, `access_matrix` who may pass.
What a handler does once it was found does not live here.
"""

from __future__ import annotations

from tornkit.routing.application import RoutedApplication
from tornkit.routing.converters import CONVERTERS, Converter
from tornkit.routing.listing import (
    AccessRow,
    RouteInfo,
    RouteMatch,
    access_matrix,
    describe,
    match,
)
from tornkit.routing.route import MountedSpec, Route, check_duplicates, path, route_of

__all__ = [
    "CONVERTERS",
    "AccessRow",
    "Converter",
    "MountedSpec",
    "Route",
    "RouteInfo",
    "RouteMatch",
    "RoutedApplication",
    "access_matrix",
    "check_duplicates",
    "describe",
    "match",
    "path",
    "route_of",
]
