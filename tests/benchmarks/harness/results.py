"""What came out: rounds, the medians of them, and all of it as JSON."""

from __future__ import annotations

import statistics
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from tests.benchmarks.harness.contenders import BASE

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["CaseResult", "Result", "Round", "results_of"]


@dataclass(frozen=True)
class Round:
    """One round of one contender.

    Attributes:
        per_second: requests served in a second.
        cpu_us: what each took of the server's CPU, in microseconds.
        p50_ms, p99_ms: how long half of them, and 99 of 100, took at most.
        longest_ms: how long the longest took, where that is known.
        late_ms: by how much the load itself was late, where it had to keep a rate.
        unfinished: how many were due, but not answered.
    """

    per_second: float
    cpu_us: float
    p50_ms: float
    p99_ms: float
    longest_ms: float | None = None
    late_ms: float | None = None
    unfinished: int = 0


@dataclass(frozen=True)
class Result:
    """A contender in a case: medians of its rounds.

    Attributes:
        ratio: how many times the CPU of each request plain Tornado took; the median of the
            rounds' own ratios, for the machine may be busier in one round than in another.
        rate: the rate that was asked for, in requests a second.
        kb_per_connection: the server's memory for each idle connection, in kilobytes.
    """

    contender: str
    label: str
    per_second: float
    cpu_us: float
    p50_ms: float
    p99_ms: float
    ratio: float | None
    rounds: Sequence[Round]
    longest_ms: float | None = None
    late_ms: float | None = None
    unfinished: int = 0
    rate: float | None = None
    kb_per_connection: float | None = None


@dataclass(frozen=True)
class CaseResult:
    """A case: who was measured, and who was not, with the reason."""

    name: str
    about: str
    unit: str
    connections: int
    results: Sequence[Result]
    left_out: dict[str, str] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> CaseResult:
        results = [
            Result(**{**each, "rounds": [Round(**one) for one in each["rounds"]]})
            for each in data["results"]
        ]
        return cls(**{**data, "results": results})


def results_of(
    rounds: dict[tuple[str, str], list[Round]], more: dict[str, dict[str, Any]]
) -> list[Result]:
    """Return the medians.

    Args:
        rounds: by contender and label, in the order of the table.
        more: further fields, by label.
    """
    base = next((taken for (name, _), taken in rounds.items() if name == BASE), None)
    return [
        Result(
            contender=contender,
            label=label,
            rounds=taken,
            ratio=_ratio(base, taken),
            unfinished=sum(one.unfinished for one in taken),
            **{name: _median(taken, name) for name in _MEDIANS},
            **more.get(label, {}),
        )
        for (contender, label), taken in rounds.items()
    ]


_MEDIANS = ("per_second", "cpu_us", "p50_ms", "p99_ms", "longest_ms", "late_ms")


def _median(rounds: Sequence[Round], name: str) -> Any:
    values = [getattr(one, name) for one in rounds]
    return None if None in values else round(statistics.median(values), 4)


def _ratio(base: Sequence[Round] | None, rounds: Sequence[Round]) -> float | None:
    if base is None:
        return None
    pairs = zip(base, rounds, strict=True)
    return round(statistics.median(ours.cpu_us / own.cpu_us for ours, own in pairs), 4)
