"""The peers' environment, and what a reader of figures wants to know of the machine."""

from __future__ import annotations

import datetime
import hashlib
import json
import os
import platform
import re
import shutil
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.benchmarks.harness.errors import LeftOutError
from tests.benchmarks.harness.loads import wrk_version
from tests.benchmarks.harness.site import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["FOLDER", "Peers", "machine", "now", "versions"]

FOLDER = ROOT / ".venv-bench"
_REQUIREMENTS = Path(__file__).parents[1] / "requirements.txt"
_SHARED = ("jinja2", "markupsafe", "msgspec", "pydantic", "uvloop", "httptools")
_OURS = ("tornkit", "tornado", *_SHARED)
_LIST = """
import json
from importlib.metadata import distributions
print(json.dumps({each.name.lower(): each.version for each in distributions()}))
"""


class Peers:
    """The environment in which the others run; made when it is first asked for.

    What they share with tornkit is of the very versions that tornkit runs on here.
    """

    def __init__(self, say: Callable[[str], None], folder: Path = FOLDER) -> None:
        self._say = say
        self._folder = folder
        self._failure = ""
        self._ready = False

    def python(self) -> Path:
        """Return the Python of the environment.

        Raises:
            LeftOutError: it cannot be made.
        """
        if not self._ready and not self._failure:
            self._make()
        if self._failure:
            raise LeftOutError(self._failure)
        return self._python

    def versions(self) -> dict[str, str]:
        """Return what is installed in it; nothing where it has not been asked for."""
        if not self._ready:
            return {}
        found = subprocess.run(
            [self._python, "-c", _LIST], capture_output=True, check=True, timeout=60
        )
        installed: dict[str, str] = json.loads(found.stdout)
        return {name: installed[name] for name in _names() if name in installed}

    @property
    def _python(self) -> Path:
        return self._folder / "bin" / "python"

    def _make(self) -> None:
        constraints = "".join(f"{name}=={found}\n" for name, found in _installed(_SHARED).items())
        text = f"{sys.version}\n{_REQUIREMENTS.read_text('utf-8')}\n{constraints}"
        stamp, wanted = self._folder / "stamp", hashlib.sha256(text.encode()).hexdigest()
        if stamp.is_file() and stamp.read_text("ascii") == wanted:
            self._ready = True
            return
        shown = self._folder.name
        self._say(f"Installing the peers into {shown}, once; this is not part of the time.")
        shutil.rmtree(self._folder, ignore_errors=True)
        held = self._folder / "constraints.txt"
        pip: list[str | Path] = [
            self._python,
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
        ]
        try:
            _run([sys.executable, "-m", "venv", self._folder])
            held.write_text(constraints, "ascii")
            _run([*pip, "-r", _REQUIREMENTS, "-c", held])
        except subprocess.SubprocessError as error:
            printed = getattr(error, "stdout", None) or str(error)
            lines = [line for line in str(printed).splitlines() if line.strip()]
            why = next((line for line in reversed(lines) if "ERROR" in line), lines[-1])
            self._failure = (
                f"{shown} could not be made from tests/benchmarks/requirements.txt: {why.strip()}"
            )
            return
        stamp.write_text(wanted, "ascii")
        self._ready = True


def _run(words: list[str | Path]) -> None:
    subprocess.run(
        words,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=True,
        timeout=900,
    )


def _names() -> list[str]:
    lines = _REQUIREMENTS.read_text("utf-8").splitlines()
    return [re.split("[=<>]", line)[0] for line in lines if line and not line.startswith("#")]


def _installed(names: tuple[str, ...]) -> dict[str, str]:
    found = {}
    for name in names:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def versions(peers: Peers) -> dict[str, Any]:
    """Return the versions of all that takes part."""
    return {
        "python": platform.python_version(),
        "ours": _installed(_OURS),
        "peers": peers.versions(),
        "wrk": wrk_version(),
        "commit": _commit(),
    }


def _commit() -> str:
    """Return which state of tornkit this is; + stands for changes that nobody committed."""
    git = ["git", "-c", "safe.directory=*", "-C", str(ROOT)]
    words = [*git, "describe", "--always", "--dirty=+", "--abbrev=12"]
    try:
        done = subprocess.run(words, capture_output=True, text=True, check=True, timeout=30)
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip()


def machine() -> dict[str, Any]:
    """Return what it was measured on."""
    return {
        "cpu": _field("/proc/cpuinfo", "model name") or platform.processor(),
        "cores": os.cpu_count(),
        "memory_gb": round(int(_field("/proc/meminfo", "MemTotal").split()[0]) / 1e6, 1),
        "system": f"{platform.system()} {platform.release()}",
    }


def _field(file: str, name: str) -> str:
    found = re.search(rf"^{name}\s*:\s*(.+)$", Path(file).read_text("utf-8"), re.MULTILINE)
    return found[1].strip() if found else ""


def now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
