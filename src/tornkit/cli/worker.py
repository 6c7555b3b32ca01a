"""``tornkit worker``: a process that runs the tasks of the application, and opens no port."""

from __future__ import annotations

import asyncio
import signal
import sys
from dataclasses import dataclass
from itertools import chain, repeat
from typing import TYPE_CHECKING, Any

import click

from tornkit.cli._site import Site, site_options
from tornkit.cli._starting import declines, refuse_errors, start
from tornkit.cli.tasks import tasks_of
from tornkit.errors import QueueUnavailable

if TYPE_CHECKING:
    from tornkit.application import Application
    from tornkit.cli._channel import Inherited
    from tornkit.tasks import Tasks

__all__ = ["worker"]

# Whoever has changed a file, or pressed Ctrl-C in development, waits no longer than this for
# jobs to end; they go back to the queue.
_SHORT_STOP = 1.0
_PAUSES = (0.5, 1.0, 2.0, 5.0)


@dataclass(frozen=True, slots=True)
class _Plan:
    """What the command line asks for; None leaves it to the settings."""

    site: Site
    concurrency: int | None
    reload: bool | None
    inherited: Inherited | None


@click.command(
    short_help="Run the tasks of the application.",
    epilog="Example: tornkit worker --concurrency 20",
)
@click.option(
    "--concurrency",
    type=click.IntRange(1, 1000),
    help="How many jobs run at a time; otherwise the setting tasks.concurrency.",
)
@click.option(
    "--reload/--no-reload",
    default=None,
    help="Restart when a file changes; the default in development.",
)
@site_options
def worker(site: Site, *, concurrency: int | None, reload: bool | None) -> None:
    """Run the tasks of the application.

    Start as many workers as you like, on every machine that reaches the queue. Where the queue
    does not answer, a worker asks again until it does.

    SIGTERM and Ctrl-C let running jobs end, as long as the setting tasks.shutdown_timeout
    says; those that take longer go back to the queue. A second signal sends all of them back
    at once.
    """
    from tornkit.cli._channel import inherited  # noqa: PLC0415
    from tornkit.cli.run import reloads, supervise  # noqa: PLC0415

    given = inherited()
    if given is None and reloads(site, site.find(), reload):
        supervise(site)
    code = _work(_Plan(site, concurrency, reload, given))
    sys.stdout.flush()
    raise SystemExit(code)


def _work(plan: _Plan) -> int:
    from tornkit.server import new_event_loop  # noqa: PLC0415  imports tornado

    if plan.inherited:
        plan.inherited.channel.end_with_parent()
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        return runner.run(_run(plan))


async def _run(plan: _Plan) -> int:
    application = plan.site.load({"tasks.concurrency": plan.concurrency})
    if declines(plan.inherited, plan.reload, application.config):
        return 0
    tasks = tasks_of(application)
    first, further = _signals()
    starting = asyncio.ensure_future(_start(application, tasks))
    waited: list[asyncio.Future[Any]] = [first, starting]
    await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
    if not starting.done():
        starting.cancel()
        await asyncio.wait([starting])
        return _code(first.result())
    starting.result()
    settings = application.config.tasks
    worker = tasks.worker(
        concurrency=settings.concurrency, shutdown_timeout=settings.shutdown_timeout
    )
    further.add_done_callback(lambda _: worker.give_up())
    try:
        await worker.begin()
        _announce(plan, application, tasks)
        number = await first
        quick = plan.inherited and number == signal.SIGINT
        await worker.stop(_SHORT_STOP if quick else None)
    finally:
        await application.shutdown()
    return _code(number)


def _signals() -> tuple[asyncio.Future[signal.Signals], asyncio.Future[signal.Signals]]:
    """Return what the first signal sets, and what the second one does."""
    loop = asyncio.get_running_loop()
    first, further = loop.create_future(), loop.create_future()

    def note(number: signal.Signals) -> None:
        for each in (first, further):
            if not each.done():
                each.set_result(number)
                return

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, note, number)
    return first, further


async def _start(application: Application, tasks: Tasks) -> None:
    """Refuse what would fail later, wait for the queue, and open what tasks use."""
    await refuse_errors(application)
    application.config.create_paths()
    await _wait_for(tasks)
    await start(application, run_tasks=False)


async def _wait_for(tasks: Tasks) -> None:
    """Wait until the queue answers, and say so once where it does not."""
    for number, pause in enumerate(chain(_PAUSES, repeat(_PAUSES[-1]))):
        try:
            async with tasks:
                await tasks.ping()
                return
        except QueueUnavailable as failure:
            if number == 0:
                click.echo(f"{failure}; asking again until it does", err=True)
        await asyncio.sleep(pause)


def _announce(plan: _Plan, application: Application, tasks: Tasks) -> None:
    config = application.config
    if plan.inherited:
        paths = [str(path) for path in dict(config.paths).values() if path is not None]
        plan.inherited.channel.send("ready", ignore=paths)
        plan.inherited.channel.send("serving")
    click.echo(
        f"Working on {len(tasks.registry)} tasks of {tasks.queue.place},"
        f" {config.tasks.concurrency} at a time ({config.environment}); Ctrl-C stops."
    )
    sys.stdout.flush()


def _code(number: signal.Signals) -> int:
    return 130 if number == signal.SIGINT else 0
