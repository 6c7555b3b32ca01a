"""A long result is read part by part, and sent so: the process does not grow with it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests import services

SITE = Path(__file__).with_name("streaming_site.py")
ROWS = 100_000  # of 190 bytes, 160 MB as objects


def run(url: str, way: str, job: str, folder: Path) -> str:
    """Run the site in a process of its own and return what it printed; warnings are errors."""
    done = subprocess.run(
        [sys.executable, "-W", "error", str(SITE), url, way, job],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        cwd=folder,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


# asyncmy reads ahead as fast as the server sends, so that a slow reader's rows wait in memory.
@pytest.mark.slow
@pytest.mark.parametrize(("server", "most"), [("sqlite", 15), ("postgresql", 15), ("mysql", 90)])
def test_a_streamed_answer_takes_little_memory(server: str, most: float, tmp_path: Path) -> None:
    if server == "sqlite":
        grown(f"sqlite:///{tmp_path}/site.db", most, tmp_path)
        return
    with services.fresh_database(server) as url:
        grown(url, most, tmp_path)


def grown(url: str, most: float, folder: Path) -> None:
    run(url, "parts", "fill", folder)
    assert float(run(url, "parts", "read", folder)) < most
    assert float(run(url, "whole", "read", folder)) > 100
