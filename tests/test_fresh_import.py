"""Importing tornkit opens nothing and starts nothing, whichever module comes first."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src" / "tornkit"

# An importer of a module must not find a loop made, a thread running, a socket or database
# open, or a process started. The audit hook sees what C code does, too.
WATCH = """
import asyncio, sys, threading

def refuse(*args, **kwargs):
    raise AssertionError("an event loop was made while importing")

asyncio.BaseEventLoop.__init__ = refuse
asyncio.new_event_loop = asyncio.events.new_event_loop = refuse
try:
    import uvloop
except ImportError:
    pass
else:
    uvloop.new_event_loop = uvloop.Loop.__init_subclass__ = refuse

def audit(event, args):
    if event in {"socket.__new__", "sqlite3.connect", "subprocess.Popen", "os.fork"}:
        raise AssertionError(f"{event} while importing")

sys.addaudithook(audit)
"""

ONE_BY_ONE = """
import importlib
for name in sys.argv[1:]:
    for loaded in [each for each in sys.modules if each.partition(".")[0] == "tornkit"]:
        del sys.modules[loaded]
    try:
        importlib.import_module(name)
    except BaseException as error:
        error.add_note(f"while {name} was imported first")
        raise
assert threading.active_count() == 1, threading.enumerate()
"""


def modules() -> list[str]:
    """Return the dotted name of every module of tornkit, migration scripts left out."""
    names = []
    for path in sorted(SOURCE.rglob("*.py")):
        parts = path.relative_to(SOURCE.parent).with_suffix("").parts
        if all(part.isidentifier() for part in parts):
            names.append(".".join(parts).removesuffix(".__init__"))
    return names


def python(code: str, *args: str) -> str:
    """Run code in a clean interpreter whose warnings are errors; return what it printed."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code, *args],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


@pytest.mark.slow
def test_importing_any_module_first_starts_nothing_and_warns_of_nothing() -> None:
    names = modules()
    assert "tornkit.errors" in names
    python(WATCH + ONE_BY_ONE, *names)


def test_importing_tornkit_loads_no_framework() -> None:
    printed = python("import sys, tornkit; print(*sys.modules)").split()
    loaded = {name.partition(".")[0] for name in printed}
    assert "tornkit" in loaded
    assert loaded.isdisjoint({"tornado", "sqlalchemy", "pydantic", "jinja2", "click", "asyncio"})


def test_the_generator_works_without_tornado() -> None:
    printed = python("import sys, tornkit.scaffold; print(*sys.modules)").split()
    assert "tornkit.scaffold" in printed
    assert "tornado" not in printed


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("asyncio.new_event_loop()", "an event loop was made"),
        ("asyncio.SelectorEventLoop()", "an event loop was made"),
        ("import socket; socket.socket()", "socket.__new__ while importing"),
        ("import sqlite3; sqlite3.connect(':memory:')", "sqlite3.connect while importing"),
    ],
)
def test_the_watch_sees_what_an_import_may_not_do(code: str, message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        python(WATCH + code)
