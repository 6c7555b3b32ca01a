"""The computing process: it comes when it is needed and goes with the site."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from factorial.calculator import Calculator

PROJECT = Path(__file__).parents[1]
KILLED = """
import asyncio, os, signal
from factorial.calculator import Calculator
print(asyncio.run(Calculator().factorial(5)), flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


async def test_closing_ends_the_process() -> None:
    calculator = Calculator()
    assert await calculator.factorial(5) == "120"
    process = calculator.pool.submit(os.getpid).result()
    await calculator.close()
    with pytest.raises(ProcessLookupError):
        os.kill(process, 0)


async def test_closing_before_any_computation() -> None:
    await Calculator().close()


def test_the_process_ends_when_the_site_is_killed() -> None:
    command = [sys.executable, "-c", KILLED]
    # This returns when the last process that could write to the pipe has ended.
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, timeout=20)
    assert done.stdout == "120\n", done.stderr
