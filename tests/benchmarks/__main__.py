"""Compare tornkit with plain Tornado and with others: ``python -m tests.benchmarks``.

``docs/explanation/performance.md`` says what is compared and how. Not a test.
"""

from __future__ import annotations

import argparse
import json
import resource
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.benchmarks.harness import environment, tables
from tests.benchmarks.harness.cases import CASES, choose
from tests.benchmarks.harness.contenders import CONTENDERS
from tests.benchmarks.harness.errors import CannotRunError, LeftOutError
from tests.benchmarks.harness.loads import find_wrk
from tests.benchmarks.harness.measuring import Plan, measure
from tests.benchmarks.harness.processes import Cores, stop_strays
from tests.benchmarks.harness.results import CaseResult

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.benchmarks.harness.cases import Case
    from tests.benchmarks.harness.site import Entry

_FILES = 16_384


def _names(text: str) -> list[str]:
    return [name for name in text.replace(",", " ").split() if name]


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog="python -m tests.benchmarks",
        description="Compare tornkit with plain Tornado and with others.",
        epilog=f"cases: {', '.join(CASES)}; contenders: {', '.join(CONTENDERS)}",
    )
    made.add_argument("--case", type=_names, default=[], metavar="A,B", help="default: all")
    made.add_argument("--contender", type=_names, default=[], metavar="A,B", help="default: all")
    made.add_argument("--rounds", type=int, default=5)
    made.add_argument("--seconds", type=float, default=0.5, help="of each contender in a round")
    made.add_argument("--json", type=Path, metavar="FILE", help="default: bench.json")
    made.add_argument("--from", type=Path, dest="read", metavar="FILE", help="measure nothing")
    made.add_argument("--write", action="store_true", help="put the tables into the documentation")
    return made


def _entries(case: Case, contenders: Sequence[str]) -> list[Entry]:
    return [each for each in case.entries if not contenders or each.contender in contenders]


def _is_peer(entry: Entry) -> bool:
    return CONTENDERS[entry.contender].is_peer


def _check(given: argparse.Namespace) -> None:
    if not sys.platform.startswith("linux"):
        raise CannotRunError("the CPU time of a server is asked of Linux; run this there")
    unknown = [name for name in given.contender if name not in CONTENDERS]
    if unknown:
        known = ", ".join(CONTENDERS)
        raise CannotRunError(f"no contender is called {unknown[0]!r}; there are {known}")
    if given.rounds < 1 or not 0 < given.seconds <= 30:
        raise CannotRunError("--rounds has to be 1 or more, --seconds over 0 and up to 30")
    find_wrk()


def _say(line: str) -> None:
    print(line, flush=True)


def _allow_many_connections() -> None:
    """Let the servers and the load open as many as they may; shells often allow 1,024."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _FILES if hard == resource.RLIM_INFINITY else min(_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def run(given: argparse.Namespace) -> dict[str, Any]:
    """Measure what is asked for, and return all that is known of it.

    Raises:
        CannotRunError: something is missing, or was asked for wrongly.
    """
    _check(given)
    chosen = [(case, _entries(case, given.contender)) for case in choose(given.case)]
    _allow_many_connections()
    peers = environment.Peers(_say)
    if any(_is_peer(each) for _, entries in chosen for each in entries):
        try:
            peers.python()
        except LeftOutError as reason:
            _say(f"All peers are left out: {reason}")
            chosen = [(case, [e for e in entries if not _is_peer(e)]) for case, entries in chosen]
    cores = Cores.choose()
    _say(f"{cores.describe()}; {given.rounds} rounds of {given.seconds:g} s")
    began = time.monotonic()
    found: dict[str, CaseResult] = {}
    with tempfile.TemporaryDirectory(prefix="tornkit-bench-") as made:
        plan = Plan(given.rounds, given.seconds, cores, Path(made), peers.python, _say)
        for case, entries in chosen:
            if entries:
                found[case.name] = measure(case, entries, plan)
                _say(f"\n{tables.as_text(found[case.name])}")
    _say(f"\n{time.monotonic() - began:.0f} s")
    return {
        "date": environment.now(),
        "machine": environment.machine(),
        "versions": environment.versions(peers),
        "cores": cores.describe(),
        "rounds": given.rounds,
        "seconds": given.seconds,
        "took_seconds": round(time.monotonic() - began, 1),
        "cases": {name: case.as_dict() for name, case in found.items()},
    }


def _read(file: Path) -> dict[str, Any]:
    try:
        data: dict[str, Any] = json.loads(file.read_text("utf-8"))
        cases = [CaseResult.from_dict(case) for case in data["cases"].values()]
    except (OSError, ValueError) as error:
        raise CannotRunError(f"{file} cannot be read: {error}") from None
    except (AttributeError, KeyError, TypeError):
        raise CannotRunError(f"{file} is no JSON that --json has written") from None
    for case in cases:
        _say(f"\n{tables.as_text(case)}")
    return data


def _expect_all(data: dict[str, Any]) -> None:
    missing = [name for name in CASES if name not in data["cases"]]
    if missing:
        raise CannotRunError(f"--write needs a run of all cases; {', '.join(missing)} is missing")


def _file(given: argparse.Namespace) -> Path:
    if given.json is not None:
        return Path(given.json)
    return Path("-".join(["bench", *given.case]) + ".json")


def main() -> int:
    given = parser().parse_args()
    signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(128 + number))
    try:
        if given.read is not None:
            data = _read(given.read)
        else:
            data = run(given)
            file = _file(given)
            file.write_text(json.dumps(data, indent=1) + "\n", "utf-8")
            _say(f"written to {file}")
        if given.write:
            _expect_all(data)
            tables.write_page(data)
            _say(f"written to {tables.PAGE}")
    except CannotRunError as reason:
        print(f"Error: {reason}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nstopped; nothing is written", file=sys.stderr)
        return 130
    finally:
        stop_strays()  # whatever ends this ends what it has started
    return 0


if __name__ == "__main__":
    sys.exit(main())
