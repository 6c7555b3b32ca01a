"""The process that serves: load, check, start, open the port, and stop without loss."""

from __future__ import annotations

import asyncio
import logging
import signal
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click
import tornado.autoreload

from tornkit import logs, server
from tornkit.checks import errors_only, look_at
from tornkit.checks.migrations import bring_up_to_date
from tornkit.cli._failure import describe
from tornkit.errors import StartError

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
            plan.inherited.channel.send("failed", text=describe(error))
        raise


async def _serve(plan: Plan) -> int:
    tornado.autoreload.start = lambda check_time=500: None  # one reloader is enough: ours
    application = plan.site.load_any({"host": plan.host, "port": plan.port})
    config = getattr(application, "config", None)
    if _unwanted(plan, config):
        return 0
    await _prepare(plan, application)
    try:
        return await _listen(plan, application, config)
    finally:
        await _call(application, "shutdown")


def _unwanted(plan: Plan, config: Any) -> bool:
    """Tell the parent that this environment does not reload; it starts over without."""
    if plan.inherited is None or plan.reload or config is None:
        return False
    if config.environment == "development":
        return False
    plan.inherited.channel.send("no-reload")
    return True


async def _prepare(plan: Plan, application: Any) -> None:
    """Refuse what would fail later, before a port is opened or a database is changed."""
    if not hasattr(application, "config"):
        if not logging.getLogger().handlers:
            logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
        return
    found = errors_only(await look_at(application, databases=False))
    if found:
        for each in found[:-1]:
            click.echo(f"Error: {each}", err=True)
        raise StartError(str(found[-1]), check_id=found[-1].id)
    config = application.config
    if not (plan.inherited and plan.inherited.sockets):
        server.check_port(*_address(plan, config))
    config.create_paths()
    await application.databases.open()
    try:
        for line in await bring_up_to_date(application):
            click.echo(line, err=True)
        # Not earlier: what is refused is one line, without a log of its undoing.
        logs.configure(
            config.logging, debug=config.debug, log_dir=config.paths.log, level=config.log_level
        )
        await _call(application, "startup")
    except BaseException:
        await application.databases.close()
        raise


def _address(plan: Plan, config: Any) -> tuple[str, int]:
    host = plan.host or getattr(config, "host", None) or "127.0.0.1"
    return host, plan.port if plan.port is not None else getattr(config, "port", 8888)


async def _listen(plan: Plan, application: Any, config: Any) -> int:
    host, port = _address(plan, config)
    sockets = plan.inherited.sockets if plan.inherited else []
    fresh = not sockets
    if fresh:
        sockets = server.bind(host, port)
    options = _options(config)
    running, ended = server.start(application, sockets, options), _signals()
    _announce(plan, sockets, host, config, fresh=fresh)
    number = await ended
    if hasattr(application, "begin_draining"):
        application.begin_draining()
    quick = number == signal.SIGINT and (plan.inherited or plan.reload is not False)
    development = config is None or config.environment == "development"
    timeout = options.shutdown_timeout
    await server.stop([running], min(timeout, _SHORT_STOP) if quick and development else timeout)
    return 130 if number == signal.SIGINT else 0


def _options(config: Any) -> server.Options:
    given = getattr(config, "server", None)
    names = server.Options.__dataclass_fields__
    return server.Options(**{name: getattr(given, name) for name in names if hasattr(given, name)})


def _signals() -> asyncio.Future[signal.Signals]:
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[signal.Signals] = loop.create_future()

    def end(number: signal.Signals) -> None:
        if not ended.done():
            ended.set_result(number)
        elif number == signal.SIGINT:
            raise KeyboardInterrupt  # asked twice: at once

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, end, number)
    return ended


def _announce(
    plan: Plan, sockets: list[socket.socket], host: str, config: Any, *, fresh: bool
) -> None:
    if plan.inherited:
        ignored = [] if config is None else [str(path) for path in _written(config)]
        plan.inherited.channel.send("ready", sockets if fresh else None, ignore=ignored)
        plan.inherited.channel.send("serving")
    if fresh:
        environment = getattr(config, "environment", "plain Tornado")
        click.echo(f"Serving on {server.address(sockets, host)} ({environment}); Ctrl-C stops.")


def _written(config: Any) -> list[Any]:
    return [value for value in dict(config.paths).values() if value is not None]


async def _call(application: Any, name: str) -> None:
    method = getattr(application, name, None)
    if method is not None:
        await method()
