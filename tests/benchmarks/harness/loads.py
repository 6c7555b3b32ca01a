"""Put a load on a site: wrk for plain requests, our own generator for the rest."""

from __future__ import annotations

import json
import re
import select
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.benchmarks.contenders.common import HOST
from tests.benchmarks.harness.errors import CannotRunError, LeftOutError
from tests.benchmarks.harness.site import ROOT

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType
    from typing import Self

    from tests.benchmarks.harness.asking import Request
    from tests.benchmarks.harness.site import Site

__all__ = ["Generator", "Seen", "find_wrk", "parse_wrk", "wrk", "wrk_version"]

_LONGEST = 60  # seconds after which wrk ends by itself
_PATIENCE = 30.0  # seconds beyond the load's own within which a line has to come
_UNITS = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0}


@dataclass(frozen=True)
class Seen:
    """What a load has seen; times in seconds, as in `tests.benchmarks.load.loops.Outcome`."""

    served: int
    seconds: float
    p50: float
    p99: float
    unfinished: int = 0
    longest: float | None = None
    late: float | None = None


# --- wrk ---------------------------------------------------------------------------------


def find_wrk() -> str:
    """Return the path of wrk.

    Raises:
        CannotRunError: it is not there.
    """
    found = shutil.which("wrk")
    if found is None:
        raise CannotRunError("wrk is not installed: apt-get install wrk")
    return found


def wrk_version() -> str:
    done = subprocess.run(
        [find_wrk(), "--version"], capture_output=True, text=True, check=False, timeout=10
    )
    return (done.stdout or done.stderr).partition("[")[0].strip()


def wrk(site: Site, request: Request, connections: int, seconds: float) -> Seen:
    """Ask in a closed loop.

    Raises:
        LeftOutError: an answer was an error, or a connection broke.
    """
    words = [find_wrk(), "--latency", "-t1", f"-c{connections}", f"-d{_LONGEST}s"]
    for name, value in request.headers.items():
        words += ["-H", f"{name}: {value}"]
    if request.method != "GET":
        script = site.folder / "request.lua"
        script.write_bytes(_lua(request))
        words += ["-s", str(script)]
    process = subprocess.Popen(
        [*words, f"http://{HOST}:{site.port}{request.path}"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        time.sleep(seconds)
        process.send_signal(signal.SIGINT)  # whole seconds are all that -d can say
        printed, _ = process.communicate(timeout=_PATIENCE)
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
    return parse_wrk(printed)


def parse_wrk(printed: str) -> Seen:
    """Read what wrk prints.

    Raises:
        LeftOutError: it has met errors, or does not say what it has seen.
    """
    bad = re.search(r"(Socket errors|Non-2xx or 3xx responses): .*", printed)
    if bad is not None:
        raise LeftOutError(f"wrk met errors: {bad[0]}")
    total = re.search(r"(\d+) requests in ([\d.]+)(us|ms|s|m)\b", printed)
    shares = dict(re.findall(r"^ +(50|99)% +([\d.]+(?:us|ms|s|m))$", printed, re.MULTILINE))
    if total is None or len(shares) != 2 or int(total[1]) == 0:
        last = printed.strip().rpartition("\n")[2]
        raise LeftOutError(f"wrk got no answer: {last or 'it printed nothing'}")
    return Seen(
        served=int(total[1]),
        seconds=float(total[2]) * _UNITS[total[3]],
        p50=_seconds(shares["50"]),
        p99=_seconds(shares["99"]),
    )


def _seconds(text: str) -> float:
    number = text.rstrip("ums")
    return float(number) * _UNITS[text.removeprefix(number)]


def _lua(request: Request) -> bytes:
    escaped = "".join(f"\\{byte:03d}" for byte in request.body)
    return f'wrk.method = "{request.method}"\nwrk.body = "{escaped}"\n'.encode("ascii")


# --- our own -----------------------------------------------------------------------------


class Generator:
    """A process of `tests.benchmarks.load`, connected when the block begins.

    Raises:
        LeftOutError: the site does not take its connections.
    """

    def __init__(
        self, kind: str, site: Site, request: Request, connections: int, **more: Any
    ) -> None:
        self._seconds: float = more.get("seconds", 0)
        spec = {
            "kind": kind,
            "port": site.port,
            "connections": connections,
            "method": request.method,
            "path": request.path,
            "headers": dict(request.headers),
            "size": len(request.body),
            **more,
        }
        words: Sequence[str] = ("-m", "tests.benchmarks.load", json.dumps(spec))
        self._process = subprocess.Popen(
            [sys.executable, *words],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )

    def __enter__(self) -> Self:
        try:
            self._line()
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop()

    def run(self) -> Seen:
        """Let it work.

        Raises:
            LeftOutError: the site did not answer as it should.
        """
        assert self._process.stdin is not None
        self._process.stdin.write(b"\n")
        self._process.stdin.flush()
        return Seen(**self._line())

    def _line(self) -> dict[str, Any]:
        output = self._process.stdout
        assert output is not None
        if not select.select([output], [], [], self._seconds + _PATIENCE)[0]:
            raise LeftOutError(f"the load has not ended after {self._seconds + _PATIENCE:g} s")
        said: dict[str, Any] = json.loads(output.readline() or '{"error": "the load crashed"}')
        if "error" in said:
            raise LeftOutError(said["error"])
        return said

    def _stop(self) -> None:
        self._process.kill()
        self._process.communicate()
