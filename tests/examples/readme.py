"""Run the curl lines of an example's README, each with the status that stands behind it."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from typing import TYPE_CHECKING

from tests import services

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["statuses"]

SHOWN = "http://127.0.0.1:8888"
_LINE = re.compile(r"^(curl .*\S)\s+# (\d{3})$", re.MULTILINE)


def statuses(readme: Path, url: str) -> list[tuple[str, int, int]]:
    """Send each line in order to the site at ``url``; return it, its status, the one that came."""
    if shutil.which("curl") is None:
        services.unavailable("curl is not installed")
    text = readme.read_text("utf-8")
    lines = [(line, int(status)) for line, status in _LINE.findall(text)]
    assert len(lines) == len(re.findall(r"^curl ", text, re.MULTILINE)) > 0
    return [(line, expected, _status(line.replace(SHOWN, url))) for line, expected in lines]


def _status(line: str) -> int:
    command = [*shlex.split(line), "-sS", "--noproxy", "*", "-o", "/dev/null"]
    done = subprocess.run(
        [*command, "-w", "%{http_code}"], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, f"{line}\n{done.stderr}"
    return int(done.stdout)
