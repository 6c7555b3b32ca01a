"""Say what failed: one line on standard error, and an exit code."""

from __future__ import annotations

import errno
import os
import sys
import sysconfig
import traceback
from pathlib import Path

import click

from tornkit._text import printable
from tornkit.errors import SettingsError, TornkitError, UserCodeError

__all__ = ["describe", "report"]

_LIMIT = 4000
# What writing to a full or broken standard output fails with; files name themselves.
_OUTPUT = (errno.ENOSPC, errno.EIO, errno.EBADF)
_STDLIB = sysconfig.get_path("stdlib") + os.sep
_OWN = str(Path(__file__).resolve().parent.parent) + os.sep


def report(error: BaseException, *, full: bool = False) -> int:
    """Print an error and return the exit code it ends with."""
    if isinstance(error, (BrokenPipeError, click.exceptions.Exit)):
        return _leave_quietly(error)
    if isinstance(error, (KeyboardInterrupt, click.Abort)):
        click.echo("Stopped.", err=True)
        return 130
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        click.echo(error.format_message(), err=True)  # a page, and no mistake to explain
        return error.exit_code
    if full:
        _write("".join(traceback.format_exception(error)))
    for line in describe(error).splitlines():
        click.echo(printable(line, limit=_LIMIT), err=True)
    if isinstance(error, (TornkitError, click.ClickException)):
        return error.exit_code
    return 1


def describe(error: BaseException) -> str:
    """Return the text for an error: ``Error: …``, then the user's own traceback if it raised."""
    if isinstance(error, UserCodeError):
        head = f"Error: {_one_line(error.message)}"
        return f"{head}\n{_own_traceback(error.__cause__)}" if error.__cause__ else head
    if isinstance(error, SettingsError):
        return "\n".join(f"Error: settings: {_one_line(str(each))}" for each in error.problems)
    if isinstance(error, click.ClickException):
        see = ""
        if isinstance(error, click.UsageError):
            see = f" (see {error.ctx.command_path if error.ctx else 'tornkit'} --help)"
        return f"Error: {_one_line(error.format_message())}{see}"
    if isinstance(error, TornkitError):
        return f"Error: {_one_line(str(error))}"
    if isinstance(error, OSError) and error.errno in _OUTPUT and error.filename is None:
        return f"Error: the output cannot be written: {error.strerror}"
    return _own_traceback(error)


def _one_line(text: str) -> str:
    return printable(" ".join(part.strip() for part in text.splitlines()), limit=_LIMIT)


def _own_traceback(error: BaseException) -> str:
    summary = traceback.TracebackException.from_exception(error)
    if not any(_is_project(frame) for frame in summary.stack) and not isinstance(
        error, SyntaxError
    ):
        return "".join(summary.format()).rstrip()  # the mistake is ours: hide nothing
    _cut(summary, set())
    return "".join(summary.format()).rstrip()


def _cut(summary: traceback.TracebackException, seen: set[int]) -> None:
    if id(summary) in seen:
        return
    seen.add(id(summary))
    summary.stack[:] = [frame for frame in summary.stack if _is_theirs(frame)]
    for inner in (summary.__cause__, summary.__context__, *(summary.exceptions or ())):
        if inner is not None:
            _cut(inner, seen)


def _is_theirs(frame: traceback.FrameSummary) -> bool:
    name = frame.filename
    return not (
        name.startswith((_OWN, "<frozen"))
        or f"{os.sep}importlib{os.sep}" in name
        or f"{os.sep}asyncio{os.sep}" in name
        or f"{os.sep}click{os.sep}" in name
        or name.endswith(("runpy.py", ".pyx", f"bin{os.sep}tornkit"))
    )


def _is_project(frame: traceback.FrameSummary) -> bool:
    """Tell whether a frame is neither ours, nor Python's, nor of an installed package."""
    installed = ("site-packages" + os.sep, "dist-packages" + os.sep)
    return (
        _is_theirs(frame)
        and not frame.filename.startswith(_STDLIB)
        and not any(part in frame.filename for part in installed)
    )


def _write(text: str) -> None:
    for line in text.splitlines():
        click.echo(printable(line, limit=_LIMIT), err=True)


def _leave_quietly(error: BaseException) -> int:
    if isinstance(error, click.exceptions.Exit):
        return error.exit_code
    # Whoever read our output has gone; keep Python from complaining as it flushes at exit.
    sys.stdout = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115
    return 1
