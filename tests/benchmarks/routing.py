"""Look-ups of the compiled router beside Tornado's: ``python tests/benchmarks/routing.py``.

Rounds alternate between the two; medians of CPU time, in microseconds. Not a test.
"""

from __future__ import annotations

import statistics
import time
from typing import TYPE_CHECKING, Any

from tornado.httputil import HTTPHeaders, HTTPServerRequest, RequestStartLine
from tornado.web import Application, RequestHandler

from tornkit.routing import RoutedApplication, path

if TYPE_CHECKING:
    from collections.abc import Callable

ROUNDS = 7


class Handler(RequestHandler):
    """Never called."""

    accepts_typed_arguments = True


def expressions(count: int) -> list[Any]:
    kinds = (r"/api/name_{}", r"/api/([^/]+)/name_{}", r"/item_{}_(\d+)", r"/(\w+)/x_{}/?")
    return [(kinds[index % 4].format(index), Handler) for index in range(count)]


def patterns(count: int) -> list[Any]:
    kinds = ("/api/name_{}", "/api/{{x}}/name_{}", "/item_{}_{{n:int}}", "/{{a}}/x_{}")
    return [path(kinds[index % 4].format(index), Handler) for index in range(count)]


def asked(count: int) -> dict[str, str]:
    last = count - count % 4
    return {
        "static": f"/api/name_{last - 4}",
        "parameter first": f"/api/7/name_{last - 3}",
        "parameter in a segment": f"/item_{last - 2}_3",
        "prefix shared by all": f"/ann/x_{last - 1}",
        "404": "/api/none/of/these",
    }


def microseconds(application: Application, target: str, times: int) -> float:
    line = RequestStartLine("GET", target, "HTTP/1.1")
    request = HTTPServerRequest(start_line=line, headers=HTTPHeaders({"Host": "localhost"}))
    application.find_handler(request)
    start = time.process_time()
    for _ in range(times):
        application.find_handler(request)
    return (time.process_time() - start) / times * 1e6


def built(make: Callable[[], Any]) -> tuple[Any, float]:
    start = time.process_time()
    made = make()
    return made, (time.process_time() - start) * 1000


def measure(count: int) -> None:
    rules = expressions(count)
    plain, plain_ms = built(lambda: Application(rules))
    routed, routed_ms = built(lambda: RoutedApplication(rules))
    _, compiled_ms = built(routed.wildcard_router.compile)
    routes, written_ms = built(lambda: patterns(count))
    ours, ours_ms = built(lambda: RoutedApplication(routes))
    _, ours_compiled_ms = built(ours.wildcard_router.compile)
    print(f"{count} routes, building, ms: Tornado {plain_ms:.0f}; its tuples here {routed_ms:.0f}")
    print(f"  and compiling them {compiled_ms:.0f}; path() {written_ms:.0f}, from routes ", end="")
    print(f"{ours_ms:.0f} and compiling {ours_compiled_ms:.0f}")
    rivals = {"Tornado": plain, "tornkit, tuples": routed, "tornkit, path()": ours}
    for name, target in asked(count).items():
        times: dict[str, list[float]] = {rival: [] for rival in rivals}
        for _ in range(ROUNDS):
            for rival, application in rivals.items():
                loops = 20000 if rival != "Tornado" else max(200, 200000 // count)
                times[rival].append(microseconds(application, target, loops // 4))
        medians = {rival: statistics.median(values) for rival, values in times.items()}
        print(f"  {name:24}", "  ".join(f"{who} {value:7.2f}" for who, value in medians.items()))


if __name__ == "__main__":
    for size in (12, 1000, 5000):
        measure(size)
