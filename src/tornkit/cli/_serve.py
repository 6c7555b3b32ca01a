"""The process that serves: load, check, start, open the port, and stop without loss."""

from __future__ import annotations

import asyncio
import gc
import signal
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from tornkit import server
from tornkit.cli._plain import PlainConfig, configure_logging, explain, read_config, warnings_of
from tornkit.cli._reloader import keep_out
from tornkit.cli._site import is_site
from tornkit.cli._starting import declines, refuse_errors, start
from tornkit.errors import UserCodeError
from tornkit.server.serving import own_coroutine

if TYPE_CHECKING:
    import socket

    from tornkit.cli._channel import Inherited
    from tornkit.cli._site import Site

__all__ = ["Plan", "serve"]

# A page that never ends, such as a stream of events, may not hold up a developer.
_SHORT_STOP = 1.0


@dataclass(frozen=True, slots=True)
class Plan:
    """What the command line asks for; None leaves it to the settings."""

    site: Site
    host: str | None
    port: int | None
    reload: bool | None
    inherited: Inherited | None


def serve(plan: Plan) -> int:
    """Serve until a signal and return the exit code.

    Raises:
        TornkitError: the application or its port cannot be had.
    """
    if plan.inherited:
        plan.inherited.channel.end_with_parent()
    try:
        with asyncio.Runner(loop_factory=server.new_event_loop) as runner:
            return runner.run(_serve(plan))
    except Exception as error:
        if plan.inherited:
            from tornkit.cli._failure import describe  # noqa: PLC0415  a site that starts needs none

            plan.inherited.channel.send("failed", text=describe(error))
        raise


async def _serve(plan: Plan) -> int:
    keep_out()
    application = _load(plan)
    if not is_site(application):
        return await _serve_plain(plan, application)
    config = application.config
    if declines(plan.inherited, plan.reload, config):
        return 0
    await _prepare(plan, application)
    try:
        return await _listen(plan, application, config)
    finally:
        await application.shutdown()


async def _serve_plain(plan: Plan, application: Any) -> int:
    """Serve a program that knows nothing of tornkit, and need not import more of it."""
    config = read_config(plan.site.environment)
    if declines(plan.inherited, plan.reload, config):
        return 0
    for line in warnings_of(application, config):
        click.echo(f"Warning: {line}", err=True)
    # A line for each request is for whoever watches; it is a fifth of what a request costs.
    configure_logging(requests=plan.inherited is not None)
    startup, shutdown = (own_coroutine(application, name) for name in ("startup", "shutdown"))
    if startup is not None:
        await startup()
    try:
        return await _listen(plan, application, config)
    finally:
        if shutdown is not None:
            await shutdown()


def _load(plan: Plan) -> Any:
    # What follows `tornkit` is not for the program, which may read its own options.
    ours, sys.argv[1:] = sys.argv[1:], []
    try:
        return plan.site.load_any({"host": plan.host, "port": plan.port})
    except UserCodeError as error:
        raise explain(error) from error.__cause__
    finally:
        sys.argv[1:] = ours


async def _prepare(plan: Plan, application: Any) -> None:
    """Refuse what would fail later, before a port is opened or a database is changed."""
    await refuse_errors(application)
    if not (plan.inherited and plan.inherited.sockets):
        server.check_port(*_address(plan, application.config))
    await start(application)


def _address(plan: Plan, config: Any) -> tuple[str, int]:
    return plan.host or config.host, config.port if plan.port is None else plan.port


async def _listen(plan: Plan, application: Any, config: Any) -> int:
    host, port = _address(plan, config)
    sockets = plan.inherited.sockets if plan.inherited else []
    fresh = not sockets
    if fresh:
        sockets = server.bind(host, port)
    options = _options(config)
    # What has been made so far stays: looking through it again and again for what could be
    # thrown away would stop the site for tens of milliseconds at a time. It is not looked through
    # now either: that takes as long, and finds a few hundred objects that nobody uses.
    gc.freeze()
    running, ended = server.start(application, sockets, options), _signals()
    _announce(plan, sockets, host, config, fresh=fresh)
    number = await ended
    if is_site(application):
        application.begin_draining()
    quick = number == signal.SIGINT and (plan.inherited or plan.reload is not False)
    development = config.environment == "development"
    timeout = options.shutdown_timeout
    await server.stop([running], min(timeout, _SHORT_STOP) if quick and development else timeout)
    return 130 if number == signal.SIGINT else 0


def _options(config: Any) -> server.Options:
    if isinstance(config, PlainConfig):
        return config.options
    return server.Options.of(config.server)


def _signals() -> asyncio.Future[signal.Signals]:
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[signal.Signals] = loop.create_future()

    def end(number: signal.Signals) -> None:
        if not ended.done():
            ended.set_result(number)
        elif number == signal.SIGINT:
            raise KeyboardInterrupt  # asked twice: at once
        else:
            raise SystemExit(128 + number)

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, end, number)
    return ended


def _announce(
    plan: Plan, sockets: list[socket.socket], host: str, config: Any, *, fresh: bool
) -> None:
    if plan.inherited:
        ignored = [str(path) for path in _written(config)]
        plan.inherited.channel.send("ready", sockets if fresh else None, ignore=ignored)
        plan.inherited.channel.send("serving")
    if fresh:
        if not server.is_uvloop(asyncio.get_running_loop()):
            click.echo("uvloop is not installed; asyncio's own loop takes more CPU time", err=True)
        kind = "plain Tornado" if isinstance(config, PlainConfig) else config.environment
        click.echo(f"Serving on {server.address(sockets, host)} ({kind}); Ctrl-C stops.")


def _written(config: Any) -> list[Any]:
    if isinstance(config, PlainConfig):
        return []
    return [value for value in dict(config.paths).values() if value is not None]
