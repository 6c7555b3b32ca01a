"""Rounds: each contender of a case in turn, again and again."""

from __future__ import annotations

import time
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.benchmarks.harness import loads
from tests.benchmarks.harness.errors import LeftOutError
from tests.benchmarks.harness.results import CaseResult, Round, results_of
from tests.benchmarks.harness.site import start

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from tests.benchmarks.harness.asking import Request
    from tests.benchmarks.harness.cases import Case
    from tests.benchmarks.harness.processes import Cores
    from tests.benchmarks.harness.site import Entry, Site

__all__ = ["Plan", "measure"]

_WARM_UP = 0.25  # seconds
_SETTLE = 0.02  # seconds in which a server does the last of what was asked of it
_IDLE = 2000  # connections whose memory is looked at
_IDLE_SETTLE = 0.3
_SHARE = 0.8  # of a contender's capacity, for a fixed rate
_CAPACITY_ROUNDS = 2
# A fixed rate has to be kept for longer, for rare things to happen, but less often.
_RATE_SECONDS, _RATE_ROUNDS = 4, 3


@dataclass(frozen=True)
class Plan:
    """How to measure.

    Args:
        rounds: how many.
        seconds: how long each contender's turn is; at a fixed rate 4 times as long.
        cores: where server and load run.
        folder: where the servers may write.
        peers: gives the Python of the peers.
        say: takes a line for whoever waits.
    """

    rounds: int
    seconds: float
    cores: Cores
    folder: Path
    peers: Callable[[], Path]
    say: Callable[[str], None]


def measure(case: Case, entries: Sequence[Entry], plan: Plan) -> CaseResult:
    """Start everybody, look at their answers, and measure those that are right."""
    left_out: dict[str, str] = {}
    with ExitStack() as stack:
        run = _Run(case, plan, left_out)
        run.start(stack, entries)
        run.warm_up()
        run.rounds()
        results = results_of(run.taken, run.more)
    return CaseResult(case.name, case.about, case.unit, case.connections, results, left_out)


class _Run:
    """One case at work; whoever fails is left out from there on."""

    def __init__(self, case: Case, plan: Plan, left_out: dict[str, str]) -> None:
        self._case = case
        self._plan = plan
        self._left_out = left_out
        self._sites: dict[str, tuple[Site, Request]] = {}
        self.taken: dict[tuple[str, str], list[Round]] = {}
        self.more: dict[str, dict[str, Any]] = {}

    def start(self, stack: ExitStack, entries: Sequence[Entry]) -> None:
        started: list[Site] = []
        for number, entry in enumerate(entries):
            try:
                site = start(
                    stack,
                    entry,
                    self._case.serves or self._case.name,
                    folder=self._plan.folder / f"{self._case.name}-{number}",
                    core=self._plan.cores.server,
                    peers=self._plan.peers,
                )
            except LeftOutError as reason:
                self._leave_out(entry.label, reason)
            else:
                started.append(site)
        for site in started:
            try:
                site.wait()
                request = self._case.check(site)
            except LeftOutError as reason:
                self._leave_out(site.entry.label, reason)
            else:
                self._sites[site.entry.label] = (site, request)
                self.taken[site.entry.contender, site.entry.label] = []

    def _leave_out(self, label: str, reason: LeftOutError) -> None:
        self._left_out[label] = str(reason)
        self._plan.say(f"  {label} is left out: {reason}")
        known = self._sites.pop(label, None)
        if known is not None:
            del self.taken[known[0].entry.contender, label]

    def _each(self, work: Callable[[Site, Request], None]) -> None:
        for label, (site, request) in list(self._sites.items()):
            try:
                work(site, request)
            except LeftOutError as reason:
                self._leave_out(label, reason)

    def warm_up(self) -> None:
        """Let caches fill; for a fixed rate find out what each can do."""

        def work(site: Site, request: Request) -> None:
            self._load(site, request, _WARM_UP)

        if self._case.load != "rate":
            self._each(work)
            return
        self._each(self._find_rate)

    def _find_rate(self, site: Site, request: Request) -> None:
        loads.wrk(site, request, self._case.connections, _WARM_UP)
        found = []
        for _ in range(_CAPACITY_ROUNDS):
            seen = loads.wrk(site, request, self._case.connections, self._plan.seconds)
            found.append(seen.served / seen.seconds)
        self.more[site.entry.label] = {"rate": round(_SHARE * sum(found) / len(found), 1)}

    def rounds(self) -> None:
        """Measure, one after the other; then memory, where connections stay open."""
        rate = self._case.load == "rate"
        seconds = self._plan.seconds * (_RATE_SECONDS if rate else 1)

        def work(site: Site, request: Request) -> None:
            taken = self.taken[site.entry.contender, site.entry.label]
            taken.append(self._load(site, request, seconds))

        for _ in range(min(self._plan.rounds, _RATE_ROUNDS) if rate else self._plan.rounds):
            self._each(work)
        if self._case.load == "echo":
            self._each(self._weigh)

    def _weigh(self, site: Site, request: Request) -> None:
        before = site.process.resident_bytes()
        with loads.Generator("idle", site, request, _IDLE):
            time.sleep(_IDLE_SETTLE)
            more = (site.process.resident_bytes() - before) / _IDLE / 1000
        self.more[site.entry.label] = {"kb_per_connection": round(more, 2)}

    def _load(self, site: Site, request: Request, seconds: float) -> Round:
        if self._case.load == "wrk":
            before = site.process.cpu_seconds()
            seen = loads.wrk(site, request, self._case.connections, seconds)
        else:
            more: dict[str, Any] = {"seconds": seconds}
            if self._case.load == "rate":
                more["rate"] = self.more[site.entry.label]["rate"]
                more["alone"] = self._plan.cores.load is not None
            with loads.Generator(
                self._case.load, site, request, self._case.connections, **more
            ) as generator:
                before = site.process.cpu_seconds()
                seen = generator.run()
        time.sleep(_SETTLE)
        used = site.process.cpu_seconds() - before
        if not site.process.alive:
            raise LeftOutError(f"has ended: {site.process.last_line()}")
        return _round(seen, used)


def _round(seen: loads.Seen, used: float) -> Round:
    return Round(
        per_second=round(seen.served / seen.seconds, 1),
        cpu_us=round(used / seen.served * 1e6, 3),
        p50_ms=round(seen.p50 * 1e3, 4),
        p99_ms=round(seen.p99 * 1e3, 4),
        longest_ms=None if seen.longest is None else round(seen.longest * 1e3, 4),
        late_ms=None if seen.late is None else round(seen.late * 1e3, 4),
        unfinished=seen.unfinished,
    )
