"""``tornkit shell``: a prompt inside the application, with top-level ``await``."""

from __future__ import annotations

import ast
import asyncio
import code
import concurrent.futures
import contextlib
import inspect
import sys
import traceback
from types import CodeType, FunctionType
from typing import TYPE_CHECKING, Any

import click

from tornkit._text import printable
from tornkit.cli._site import Site, opened, run_async, site_options
from tornkit.errors import TaskError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tornkit.application import Application
    from tornkit.tasks import Tasks

__all__ = ["shell"]


@click.command(
    short_help="Open a Python prompt inside the application.",
    epilog='Example: tornkit shell -c "print([user.email for user in await app.accounts.list()])"',
)
@click.option("-c", "--command", metavar="CODE", help="Run this code instead of a prompt.")
@site_options
def shell(site: Site, *, command: str | None) -> None:
    """Open a Python prompt inside the application.

    `await` works at the prompt. There are `app`, `config` and `db`: as in a handler,
    `async with db() as session:` opens a block on the default database. Tasks of the
    application can be enqueued.
    """
    raise SystemExit(run_async(_shell(site.load(), command)))


async def _shell(application: Application, command: str | None) -> int:
    async with opened(application), _connected(application.tasks):
        names = _names(application)
        if command is None:
            await asyncio.to_thread(_Console(names, asyncio.get_running_loop()).run)
            return 0
        flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
        result = FunctionType(compile(command, "<command>", "exec", flags=flags), names)()
        if inspect.iscoroutine(result):
            await result
    return 0


@contextlib.asynccontextmanager
async def _connected(tasks: Tasks | None) -> AsyncIterator[None]:
    """Have tasks be enqueued; a queue that cannot be reached is no reason to open no prompt."""
    async with contextlib.AsyncExitStack() as stack:
        if tasks is not None:
            try:
                await stack.enter_async_context(tasks)
                await tasks.ping()
            except TaskError as failure:
                click.echo(f"Warning: {printable(failure, limit=1000)}", err=True)
        yield


def _names(application: Application) -> dict[str, Any]:
    def db(name: str = "default", *, read_only: bool = False) -> Any:
        return application.databases.sql[name].session(read_only=read_only)

    return {
        "__name__": "__console__",
        "app": application,
        "config": application.config,
        "db": db,
        "asyncio": asyncio,
    }


class _Console(code.InteractiveConsole):
    """Reads in a thread, runs on the loop, so that background work goes on meanwhile."""

    def __init__(self, names: dict[str, Any], loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(names)
        self.compile.compiler.flags |= ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
        self._loop = loop

    def run(self) -> None:
        _with_history()
        banner = f"tornkit shell, Python {sys.version.split()[0]}: app, config, db(); await works."
        self.interact(banner=banner, exitmsg="")

    def runcode(self, code: CodeType) -> None:
        done: concurrent.futures.Future[None] = concurrent.futures.Future()
        self._loop.call_soon_threadsafe(self._start, code, done)
        error = done.exception()
        if isinstance(error, SystemExit):
            raise error
        if error is not None:
            summary = traceback.TracebackException.from_exception(error)
            summary.stack[:] = [frame for frame in summary.stack if frame.filename != __file__]
            self.write("".join(summary.format()))

    def _start(self, code: CodeType, done: concurrent.futures.Future[None]) -> None:
        async def work() -> None:
            result = FunctionType(code, self.locals)()
            if inspect.iscoroutine(result):
                await result

        async def report() -> None:
            try:
                await work()
            except BaseException as error:  # noqa: BLE001  handed to the waiting thread
                done.set_exception(error)
            else:
                done.set_result(None)

        self._task = self._loop.create_task(report())


def _with_history() -> None:
    """Give the prompt line editing, where Python has it."""
    if sys.stdin.isatty():
        with contextlib.suppress(ImportError):
            import readline  # noqa: F401, PLC0415  importing it is what switches it on
