"""Show results: as a table on the terminal, and as one in the documentation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.benchmarks.harness.errors import CannotRunError
from tests.benchmarks.harness.results import CaseResult
from tests.benchmarks.harness.site import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tests.benchmarks.harness.results import Result

__all__ = ["PAGE", "as_markdown", "as_text", "write_page"]

PAGE = ROOT / "docs" / "explanation" / "performance.md"
_BEGIN, _END = "<!-- figures -->", "<!-- end of figures -->"
_LATE = 1.0  # milliseconds by which our generator may be late before it is said


def _whole(value: float | None) -> str:
    return "" if value is None else f"{value:,.0f}"


def _tenths(value: float | None) -> str:
    return "" if value is None else f"{value:,.1f}"


def _hundredths(value: float | None) -> str:
    return "" if value is None else f"{value:,.2f}"


def _columns(case: CaseResult) -> dict[str, Callable[[Result], str]]:
    """Return the columns of a case, by their heads; the last three digits say nothing."""
    columns: dict[str, Callable[[Result], str]] = {
        "contender": lambda one: one.label,
        f"{case.unit}s/s": lambda one: _whole(one.per_second),
        f"CPU µs/{case.unit}": lambda one: _tenths(one.cpu_us),
        "times Tornado": lambda one: _hundredths(one.ratio),
        "p50 ms": lambda one: _hundredths(one.p50_ms),
        "p99 ms": lambda one: _hundredths(one.p99_ms),
    }
    if any(one.rate is not None for one in case.results):
        columns["longest ms"] = lambda one: _hundredths(one.longest_ms)
    if any(one.kb_per_connection is not None for one in case.results):
        columns["kB/idle connection"] = lambda one: _tenths(one.kb_per_connection)
    return columns


def _cells(case: CaseResult) -> list[list[str]]:
    columns = _columns(case)
    return [list(columns), *([cell(one) for cell in columns.values()] for one in case.results)]


def _remarks(case: CaseResult) -> list[str]:
    found = [f"{label} is left out: {reason}" for label, reason in case.left_out.items()]
    for one in case.results:
        if one.unfinished:
            found.append(f"{one.label}: {one.unfinished} {case.unit}s were not answered in time")
        if (one.late_ms or 0) > _LATE:
            late = f"{one.late_ms:.1f} ms late itself, which is in the latencies"
            found.append(f"{one.label}: the load was up to {late}")
    return found


def _heading(case: CaseResult) -> str:
    return f"{case.about}, {case.connections} connections"


def as_text(case: CaseResult) -> str:
    """Return the table of a case for a terminal."""
    rows = _cells(case)
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [f"{case.name}: {_heading(case)}"]
    for first, *others in rows:
        numbers = (cell.rjust(width) for cell, width in zip(others, widths[1:], strict=True))
        lines.append("  " + "  ".join([first.ljust(widths[0]), *numbers]))
    lines += [f"  {remark}" for remark in _remarks(case)]
    return "\n".join(lines)


def as_markdown(data: dict[str, Any]) -> str:
    """Return all tables of a run, as `tests.benchmarks` has written it to JSON."""
    parts = [_provenance(data)]
    for name, read in data["cases"].items():
        case = CaseResult.from_dict(read)
        head, *rows = _cells(case)
        lines = [f"### {name}", "", f"{_sentence(_heading(case))}", "", _line(head)]
        lines.append("|---|" + "---:|" * (len(head) - 1))
        lines += [_line(row) for row in rows]
        lines += [f"\n{_sentence(remark)}" for remark in _remarks(case)]
        parts.append("\n".join(lines))
    return "\n\n".join(parts)


def _provenance(data: dict[str, Any]) -> str:
    machine, known = data["machine"], data["versions"]
    packages = {**known["peers"], **known["ours"]}
    shown = ", ".join(f"{name} {found}" for name, found in sorted(packages.items()))
    return (
        f"Measured on {data['date'][:10]}: {machine['cpu']}, {machine['cores']} cores,"
        f" {machine['system']}; {data['cores']}. {data['rounds']} rounds of"
        f" {data['seconds']:g} s for each contender.\n\n"
        f"Python {known['python']}, {known['wrk']}; {shown}."
    )


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."


def write_page(data: dict[str, Any]) -> None:
    """Put the tables of a run between the markers of the page.

    Raises:
        CannotRunError: the page has no markers.
    """
    text = PAGE.read_text("utf-8")
    if text.count(_BEGIN) != 1 or text.count(_END) != 1:
        raise CannotRunError(f"{PAGE} has no lines {_BEGIN} and {_END} to write between")
    before, rest = text.split(_BEGIN)
    _, after = rest.split(_END)
    PAGE.write_text(f"{before}{_BEGIN}\n\n{as_markdown(data)}\n\n{_END}{after}", "utf-8")
