"""Run tornkit and pytest as the reader of a page would: in processes of their own."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import httpx

from tests.docs.pages import ROOT
from tests.plugin import PLUGIN

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path
    from types import TracebackType
    from typing import Self

PATIENCE = 60.0
FOREIGN = ("PYTHON", "PYTEST", "TORNKIT", "MYSCHOOL", "SCHOOL", "VIRTUAL_ENV")


def environment(*path: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN)}
    folders = os.pathsep.join(map(str, [*path, ROOT / "src"]))
    return {**kept, "PYTHONPATH": folders, "PYTHONDONTWRITEBYTECODE": "1"}


def python(
    *arguments: str,
    cwd: Path,
    path: tuple[Path, ...] = (),
    variables: Mapping[str, str] | None = None,
) -> str:
    """Run ``python …`` to its end; return what it printed, or fail with that."""
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=cwd,
        env={**environment(*path), **(variables or {})},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=10 * PATIENCE,
    )
    assert done.returncode == 0, f"{arguments} ended with {done.returncode}:\n{done.stdout}"
    return done.stdout


def tornkit(
    *arguments: str,
    cwd: Path,
    path: tuple[Path, ...] = (),
    variables: Mapping[str, str] | None = None,
) -> str:
    return python("-P", "-m", "tornkit", *arguments, cwd=cwd, path=path, variables=variables)


def pytest(*arguments: str, cwd: Path, path: Path | None = None) -> str:
    options = ["-q", "-p", "no:cacheprovider", *PLUGIN]
    return python("-m", "pytest", *options, *arguments, cwd=cwd, path=(path,) if path else ())


def get(url: str, **headers: str) -> httpx.Response:
    return httpx.get(url, headers=headers, trust_env=False, timeout=PATIENCE)


class Running:
    """``tornkit run`` while the block is open; it must end well when it is asked to."""

    def __init__(
        self,
        *options: str,
        cwd: Path,
        command: Sequence[str] = (sys.executable, "-P", "-m", "tornkit"),
        variables: Mapping[str, str] | None = None,
    ) -> None:
        self._process = subprocess.Popen(
            [
                *command,
                "run",
                "--port",
                "0",
                *options,
            ],
            cwd=cwd,
            env={**environment(), "PYTHONUNBUFFERED": "1", **(variables or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._printed: list[str] = []
        self._ready = threading.Event()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self.url = ""

    def _read(self) -> None:
        assert self._process.stdout
        for line in self._process.stdout:
            self._printed.append(line)
            if "http://127.0.0.1:" in line:
                self._ready.set()
        self._ready.set()

    def __enter__(self) -> Self:
        self._ready.wait(PATIENCE)
        found = re.search(r"http://127\.0\.0\.1:[1-9]\d*", "".join(self._printed))
        if found is None:
            self._process.kill()
            raise AssertionError("it does not serve:\n" + "".join(self._printed))
        self.url = found[0]
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.send_signal(signal.SIGTERM)
        try:
            code = self._process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            code = self._process.wait()
        self._reader.join(PATIENCE)
        if self._process.stdout:
            self._process.stdout.close()
        if error is None:
            assert code == 0, "".join(self._printed)
        else:
            error.add_note("".join(self._printed))
