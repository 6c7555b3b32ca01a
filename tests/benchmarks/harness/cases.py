"""What is asked, and of whom."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from tests.benchmarks.contenders import common
from tests.benchmarks.harness import answers
from tests.benchmarks.harness.asking import Request
from tests.benchmarks.harness.errors import CannotRunError
from tests.benchmarks.harness.site import Entry, Site

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["CASES", "Case", "Load", "choose"]

Load = Literal["wrk", "upload", "echo", "rate"]


@dataclass(frozen=True)
class Case:
    """A case of the benchmark.

    Args:
        name: what it is called on the command line.
        about: what it is, in a line.
        entries: who takes part, in the order of each round.
        check: looks at an answer, and returns the request that is measured.
        load: ``wrk`` asks in a closed loop, and so does our generator for ``upload``;
            ``echo`` is a WebSocket's; ``rate`` asks at a fixed rate.
        connections: how many ask at once.
        serves: what the contenders are told to serve, where that is not the name.
    """

    name: str
    about: str
    entries: tuple[Entry, ...]
    check: Callable[[Site], Request]
    load: Load = "wrk"
    connections: int = 64
    serves: str = ""

    @property
    def unit(self) -> str:
        return "message" if self.load == "echo" else "request"


def _of(*contenders: str) -> tuple[Entry, ...]:
    return tuple(map(Entry, contenders))


def _websocket(site: Site) -> Request:
    # No look at an answer here: the generator looks at each echo.
    headers = {
        "Origin": f"http://{common.HOST}:{site.port}",
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    }
    return Request(headers=headers)


_TORNADO = ("tornado", "tornado-run", "tornkit")
_EVERYBODY = (
    *("tornado", "tornado-run", "tornkit-tornado", "tornkit", "aiohttp", "starlette"),
    *("fastapi", "litestar", "sanic", "flask", "django"),
)
_BODIES = _of(*_TORNADO, "aiohttp", "starlette", "sanic")
_ROUTES = (
    *_of(*_TORNADO),
    Entry("tornkit", routes=10),
    Entry("tornkit", routes=5000),
    *_of("aiohttp", "starlette", "litestar", "sanic"),
)

CASES = {
    case.name: case
    for case in (
        Case("hello", "a JSON answer, access logs off", _of(*_EVERYBODY), answers.check_hello),
        Case(
            "hello-full",
            "hello with request ids, security headers and an access log to a file;"
            " tornado without these",
            _of("tornado", "tornkit-tornado", "tornkit", "starlette"),
            answers.check_full,
        ),
        Case(
            "hello-bare",
            "hello by a BaseHandler alone, without security headers and access log",
            _of("tornado", "tornkit-tornado", "tornkit", "aiohttp", "starlette"),
            answers.check_hello,
        ),
        Case(
            "page",
            "a Jinja2 page with a ten-row table, for a visitor with a signed session cookie",
            _of(*_EVERYBODY[:6], "flask", "django"),
            answers.check_page,
        ),
        Case("list", "a JSON list of 50 objects", _of(*_EVERYBODY), answers.check_list),
        Case("form", "a form of five fields, validated", _of(*_EVERYBODY), answers.check_form),
        Case(
            "body-1k-down",
            "an answer of 1 KiB",
            _BODIES,
            answers.download("/small", common.SMALL),
            serves="body",
        ),
        Case(
            "body-1k-up", "a body of 1 KiB", _BODIES, answers.upload(common.SMALL), serves="body"
        ),
        Case(
            "body-10m-down",
            "an answer of 10 MB",
            _BODIES,
            answers.download("/large", common.LARGE),
            connections=4,
            serves="body",
        ),
        Case(
            "body-10m-up",
            "a body of 10 MB",
            _BODIES,
            answers.upload(common.LARGE),
            load="upload",
            connections=4,
            serves="body",
        ),
        Case("routes", "the last of 1,000 routes", _ROUTES, answers.check_item),
        Case(
            "static",
            "a file of 4 kB",
            _of(*_TORNADO, "aiohttp", "starlette", "sanic"),
            answers.check_file,
        ),
        Case(
            "websocket",
            "an echo of 32 bytes",
            _of(*_TORNADO, "aiohttp", "starlette"),
            _websocket,
            load="echo",
        ),
        Case(
            "latency-hello",
            "hello at a fixed rate, 80 % of what each can serve",
            _of(*_TORNADO, "aiohttp", "starlette"),
            answers.check_hello,
            load="rate",
            serves="hello",
        ),
        Case(
            "latency-page",
            "page at a fixed rate, 80 % of what each can serve",
            _of(*_TORNADO, "starlette"),
            answers.check_page,
            load="rate",
            serves="page",
        ),
    )
}


def choose(names: Sequence[str]) -> list[Case]:
    """Return the cases of these names; ``latency`` stands for all that begin with ``latency-``.

    Raises:
        CannotRunError: there is none of a name.
    """
    chosen: dict[str, Case] = {}
    for name in names:
        below = {each: case for each, case in CASES.items() if each.startswith(f"{name}-")}
        found = {name: CASES[name]} if name in CASES else below
        if not found:
            raise CannotRunError(f"no case is called {name!r}; there are {', '.join(CASES)}")
        chosen.update(found)
    return list(chosen.values()) if names else list(CASES.values())
