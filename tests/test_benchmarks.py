"""The benchmarks measure what they say: right answers only, all of the time, nothing left over."""

from __future__ import annotations

import json
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.benchmarks.harness import tables
from tests.benchmarks.harness.cases import CASES, Case, choose
from tests.benchmarks.harness.contenders import CONTENDERS
from tests.benchmarks.harness.errors import CannotRunError, LeftOutError
from tests.benchmarks.harness.loads import parse_wrk
from tests.benchmarks.harness.results import CaseResult, Round, results_of
from tests.benchmarks.load.loops import closed_loop, open_loop
from tests.benchmarks.load.wire import Connection, LoadError, is_answer, request_of

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[1]
COMMAND = [sys.executable, "-m", "tests.benchmarks"]
WRK = """Running 1m test @ http://127.0.0.1:8888/
  1 threads and 64 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     2.72ms    1.10ms  17.73ms   91.20%
    Req/Sec    22.10k     1.31k   23.52k    80.00%
  Latency Distribution
     50%  950.00us
     75%    2.91ms
     90%    3.11ms
     99%    7.78ms
  11050 requests in 500.12ms, 3.01MB read
Requests/sec:  22094.70
Transfer/sec:      6.02MB
"""


def taken(*cpu_us: float) -> list[Round]:
    return [Round(per_second=1e6 / each, cpu_us=each, p50_ms=1, p99_ms=2) for each in cpu_us]


def data(**rounds: list[Round]) -> dict[str, Any]:
    results = results_of({(name, name): each for name, each in rounds.items()}, {})
    case = CaseResult("hello", "a JSON answer", "request", 64, results, {"flask": "is ill"})
    return {
        "date": "2026-11-21T12:00:00+00:00",
        "machine": {"cpu": "A Processor", "cores": 2, "memory_gb": 8, "system": "Linux 6"},
        "versions": {"python": "3.13", "ours": {"tornado": "6.6"}, "peers": {}, "wrk": "wrk 4"},
        "cores": "server on core 0, load on core 1",
        "rounds": 3,
        "seconds": 0.5,
        "cases": {"hello": json.loads(json.dumps(case.as_dict()))},
    }


# --- what is compared ----------------------------------------------------------------------


def test_the_page_names_every_case_and_every_contender() -> None:
    page = tables.PAGE.read_text("utf-8")
    assert [name for name in (*CASES, *CONTENDERS) if f"`{name}`" not in page] == []


def test_everybody_who_takes_part_is_known_and_is_compared_with_tornado() -> None:
    for case in CASES.values():
        names = [each.contender for each in case.entries]
        assert set(names) <= set(CONTENDERS), case.name
        assert names[0] == "tornado", case.name
        assert len({each.label for each in case.entries}) == len(case.entries), case.name


def test_a_name_stands_for_a_case_or_for_all_that_begin_with_it() -> None:
    assert [case.name for case in choose(["hello"])] == ["hello"]
    assert [case.name for case in choose(["latency"])] == ["latency-hello", "latency-page"]
    assert len(choose([])) == len(CASES)
    with pytest.raises(CannotRunError, match="no case is called 'helo'; there are hello,"):
        choose(["helo"])


# --- what is read, and made of it ------------------------------------------------------------


def test_what_wrk_prints_is_read_with_its_units() -> None:
    seen = parse_wrk(WRK)
    assert seen.served == 11050
    assert [seen.seconds, seen.p50, seen.p99] == pytest.approx([0.50012, 950e-6, 7.78e-3])


@pytest.mark.parametrize(
    "line",
    [
        "  Non-2xx or 3xx responses: 3",
        "  Socket errors: connect 0, read 2, write 0, timeout 0",
    ],
)
def test_errors_that_wrk_met_leave_a_contender_out(line: str) -> None:
    with pytest.raises(LeftOutError, match=line.strip()):
        parse_wrk(f"{WRK}{line}\n")


def test_wrk_that_got_nothing_leaves_a_contender_out() -> None:
    with pytest.raises(LeftOutError, match="unable to connect"):
        parse_wrk("unable to connect to 127.0.0.1:1 Connection refused\n")


def test_ratios_are_those_of_each_round_so_a_busy_machine_changes_none() -> None:
    rounds = {
        ("tornado", "tornado"): taken(100, 300, 100),
        ("tornkit", "tornkit"): taken(25, 75, 20),
    }
    base, ours = results_of(rounds, {"tornkit": {"rate": 800.0}})
    assert (base.ratio, ours.ratio) == (1, 4)
    assert (base.cpu_us, ours.cpu_us, ours.rate) == (100, 25, 800)


def test_without_plain_tornado_there_is_no_ratio() -> None:
    (only,) = results_of({("tornkit", "tornkit"): taken(25)}, {})
    assert only.ratio is None


def test_a_table_shows_who_was_left_out_and_why() -> None:
    known = data(tornado=taken(110, 100, 120), tornkit=taken(55, 25, 30))
    shown = tables.as_text(CaseResult.from_dict(known["cases"]["hello"]))
    assert "hello: a JSON answer, 64 connections" in shown
    assert shown.splitlines()[-1] == "  flask is left out: is ill"
    assert ["tornkit", "33,333", "30.0", "4.00", "1.00", "2.00"] in [
        line.split() for line in shown.splitlines()
    ]


def test_tables_are_written_between_the_markers_of_the_page_and_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = tmp_path / "performance.md"
    page.write_text("before\n\n<!-- figures -->\n\nold\n\n<!-- end of figures -->\n\nafter\n")
    monkeypatch.setattr(tables, "PAGE", page)
    known = data(tornado=taken(100), tornkit=taken(25))
    tables.write_page(known)
    written = page.read_text("utf-8")
    assert written.startswith("before\n\n<!-- figures -->\n\nMeasured on 2026-11-21: A Processor")
    assert "old" not in written
    assert "| tornkit | 40,000 | 25.0 | 4.00 | 1.00 | 2.00 |\n\nFlask is left out" in written
    assert written.endswith("\n\n<!-- end of figures -->\n\nafter\n")
    tables.write_page(known)
    assert page.read_text("utf-8") == written


def test_a_page_without_markers_is_not_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = tmp_path / "performance.md"
    page.write_text("text\n")
    monkeypatch.setattr(tables, "PAGE", page)
    with pytest.raises(CannotRunError, match="has no lines"):
        tables.write_page(data(tornado=taken(100)))
    assert page.read_text() == "text\n"


# --- the load --------------------------------------------------------------------------------


class SlowOnce(threading.Thread):
    """A server of one connection that keeps its ``number``-th request waiting, no other."""

    def __init__(self, number: int, seconds: float, status: str = "200 OK") -> None:
        super().__init__(daemon=True)
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.address: tuple[str, int] = self._listening.getsockname()
        self._number, self._seconds = number, seconds
        self._answer = f"HTTP/1.1 {status}\r\nContent-Length: 2\r\n\r\nOK".encode()

    def run(self) -> None:
        connection, _ = self._listening.accept()
        served = 0
        with closing(self._listening), closing(connection):
            while received := connection.recv(65536):
                for _ in range(received.count(b"\r\n\r\n")):
                    served += 1
                    if served == self._number:
                        time.sleep(self._seconds)
                    connection.sendall(self._answer)


@contextmanager
def connected(server: SlowOnce) -> Iterator[Connection]:
    server.start()
    connection = Connection(server.address)
    try:
        yield connection
    finally:
        connection.socket.close()
        server.join(5)


GET = request_of("localhost", "GET", "/", {}, b"")


def test_a_fixed_rate_charges_a_pause_to_all_that_were_due_meanwhile() -> None:
    with connected(SlowOnce(5, seconds=0.15)) as connection:
        seen = open_loop([connection], GET, is_answer, 0.2, rate=200, alone=False)
    assert (seen.served, seen.unfinished) == (40, 0)
    assert seen.longest > 0.14
    # 30 of 40 were due while the server paused. A loop that asks only after it has an answer
    # would have seen one slow answer.
    assert seen.p50 > 0.02
    assert seen.p99 > 0.1


def test_a_closed_loop_waits_for_all_that_is_under_way_at_the_end() -> None:
    with (
        connected(SlowOnce(1, seconds=0.1)) as one,
        connected(SlowOnce(1, seconds=0.15)) as other,
    ):
        seen = closed_loop([one, other], GET, is_answer, 0.05)
    assert (seen.served, seen.unfinished) == (2, 0)
    assert seen.longest > 0.14


def test_an_error_is_no_answer() -> None:
    with (
        connected(SlowOnce(0, seconds=0, status="500 No")) as connection,
        pytest.raises(LoadError, match="500 No"),
    ):
        closed_loop([connection], GET, is_answer, 0.05)


@pytest.mark.parametrize(
    ("received", "whole"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Le", False),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nO", False),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nOK", True),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nOK\r\n", False),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nOK\r\n0\r\n\r\n", True),
    ],
    ids=["head", "body", "length", "chunk", "last chunk"],
)
def test_an_answer_is_whole_when_its_last_byte_is_there(received: bytes, whole: bool) -> None:
    assert is_answer(received) is whole


# --- all of it -------------------------------------------------------------------------------


@pytest.fixture
def wrk() -> None:
    if shutil.which("wrk") is None:
        problem = "wrk is not installed: apt-get install wrk"
        if os.environ.get("CI") == "true":
            pytest.fail(problem)
        pytest.skip(problem)


def bench(*options: str, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *options], cwd=cwd, capture_output=True, text=True, timeout=120, check=False
    )


@pytest.mark.slow
@pytest.mark.usefixtures("wrk")
def test_a_short_run_prints_a_table_and_writes_json(tmp_path: Path) -> None:
    file = tmp_path / "out.json"
    options = ("--case", "hello,websocket", "--contender", "tornado,tornkit")
    done = bench(*options, "--seconds", "0.2", "--rounds", "1", "--json", str(file))
    assert done.returncode == 0, done.stderr
    assert "left out" not in done.stdout
    known = json.loads(file.read_text("utf-8"))
    assert known["versions"]["ours"]["tornado"]
    assert known["machine"]["cores"]
    for name, unit in (("hello", "request"), ("websocket", "message")):
        case = CaseResult.from_dict(known["cases"][name])
        assert case.unit == unit
        assert [one.label for one in case.results] == ["tornado", "tornkit"]
        for one in case.results:
            assert one.per_second > 100
            assert 1 < one.cpu_us < 10_000
            assert 0 < one.p50_ms <= one.p99_ms
            assert len(one.rounds) == 1
            assert one.ratio
            assert (one.kb_per_connection is not None) == (name == "websocket")
    again = bench("--from", str(file), "--write")
    assert "tornkit" in again.stdout
    assert again.returncode == 1, "half a table must not replace the whole"
    assert again.stderr.startswith("Error: --write needs a run of all cases; hello-full, ")


@pytest.mark.slow
@pytest.mark.usefixtures("wrk")
def test_who_answers_wrongly_is_left_out_in_one_line(tmp_path: Path) -> None:
    from tests.benchmarks.harness import answers
    from tests.benchmarks.harness.measuring import Plan, measure
    from tests.benchmarks.harness.processes import Cores

    said: list[str] = []
    case = Case("hello", "wrong", CASES["hello"].entries[:1], answers.check_list)
    plan = Plan(1, 0.1, Cores(None, None), tmp_path, Path, said.append)
    found = measure(case, case.entries, plan)
    assert found.results == []
    (reason,) = found.left_out.values()
    assert reason.startswith("answers with JSON {'code': 0, 'message': '', 'hello': 'world'}")
    assert said == [f"  tornado is left out: {reason}"]


@pytest.mark.slow
@pytest.mark.usefixtures("wrk")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["ctrl-c", "sigterm"])
def test_whatever_ends_it_ends_what_it_has_started(number: signal.Signals, tmp_path: Path) -> None:
    file = tmp_path / "out.json"
    options = ["--case", "hello", "--contender", "tornado", "--seconds", "30", "--json", str(file)]
    with subprocess.Popen([*COMMAND, *options], cwd=ROOT, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert select.select([process.stdout], [], [], 30)[0], "it says what it does"
        children = wait_for_children(process.pid, {"python", "wrk"})
        process.send_signal(number)
        assert process.wait(20) == (130 if number == signal.SIGINT else 128 + number)
    assert [pid for pid in children if Path(f"/proc/{pid}").exists()] == []
    assert not file.exists()


def wait_for_children(pid: int, names: set[str]) -> list[int]:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text("ascii").split()
        running = {Path(f"/proc/{child}/comm").read_text("ascii").strip() for child in children}
        if all(any(each.startswith(name) for each in running) for name in names):
            return [int(child) for child in children]
        time.sleep(0.02)
    raise AssertionError(f"{names} were never running at once")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--case", "helo"], "no case is called 'helo'"),
        (["--contender", "rails"], "no contender is called 'rails'; there are tornado,"),
        (["--rounds", "0"], "--rounds has to be 1 or more"),
        (["--from", "missing.json"], "missing.json cannot be read"),
        (["--from", "/dev/null"], "/dev/null cannot be read"),
        (["--from", "tests/benchmarks/contenders"], "tests/benchmarks/contenders cannot be read"),
    ],
    ids=["case", "contender", "rounds", "missing", "empty", "folder"],
)
@pytest.mark.slow
def test_what_cannot_be_done_is_one_line(options: list[str], message: str) -> None:
    done = bench(*options)
    assert done.returncode == 1
    assert done.stderr.startswith(f"Error: {message}")
    assert done.stderr.count("\n") == 1


@pytest.mark.slow
def test_without_wrk_one_line_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    done = bench("--case", "hello", "--contender", "tornado")
    assert (done.returncode, done.stderr) == (
        1,
        "Error: wrk is not installed: apt-get install wrk\n",
    )
