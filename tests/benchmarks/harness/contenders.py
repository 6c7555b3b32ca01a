"""Who is compared, and how each is started."""

from __future__ import annotations

from dataclasses import dataclass

from tests.benchmarks.contenders.common import HOST

__all__ = ["BASE", "CONTENDERS", "PORT", "Contender"]

BASE = "tornado"
"""The contender that the others are compared with."""
PORT = "{port}"
"""Stands in the words of a command for the port."""

_APPS = "tests.benchmarks.contenders"


@dataclass(frozen=True)
class Contender:
    """One way to serve a site.

    Args:
        name: what it is called on the command line and in tables.
        about: what it is.
        words: what follows ``python``.
        is_peer: whether it runs in the peers' environment instead of ours.
    """

    name: str
    about: str
    words: tuple[str, ...]
    is_peer: bool = True


def _itself(file: str) -> tuple[str, ...]:
    return ("-m", f"{_APPS}.{file}")


def _tornkit_run(file: str) -> tuple[str, ...]:
    app = f"{_APPS}.{file}:create_app"
    where = ("--environment", "production", "--no-reload", "--host", HOST, "--port", PORT)
    return ("-m", "tornkit", "run", "--app", app, *where)


_ALL = (
    Contender(
        "tornado", "plain Tornado, on asyncio's loop", _itself("tornado_app"), is_peer=False
    ),
    Contender(
        "tornado-run",
        "the same file under `tornkit run --app`",
        _tornkit_run("tornado_app"),
        is_peer=False,
    ),
    Contender(
        "tornkit-tornado",
        "tornkit on Tornado's own server and asyncio's loop",
        _itself("tornkit_app"),
        is_peer=False,
    ),
    Contender(
        "tornkit", "tornkit under `tornkit run`", _tornkit_run("tornkit_app"), is_peer=False
    ),
    Contender("aiohttp", "aiohttp on uvloop", _itself("aiohttp_app")),
    Contender("starlette", "Starlette, uvicorn on uvloop and httptools", _itself("starlette_app")),
    Contender("fastapi", "FastAPI, the same uvicorn", _itself("fastapi_app")),
    Contender("litestar", "Litestar, the same uvicorn", _itself("litestar_app")),
    Contender("sanic", "Sanic, in a single process", _itself("sanic_app")),
    Contender("flask", "Flask, gunicorn with one worker of 4 threads", _itself("flask_app")),
    Contender("django", "Django, gunicorn with one worker of 4 threads", _itself("django_app")),
)
CONTENDERS = {contender.name: contender for contender in _ALL}
