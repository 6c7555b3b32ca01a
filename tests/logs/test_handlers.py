"""Lines of the access log look like the records that they no longer are."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import threading
from typing import TYPE_CHECKING

import pytest

from tornkit.logs import configure, log_access, request_id
from tornkit.logs.handlers import LineFile, Lines

if TYPE_CHECKING:
    from pathlib import Path

ASKED = "/a?page=2&token=secret"


def access(target: str = ASKED, *, status: int = 200, method: str = "GET") -> None:
    log_access(
        method=method, target=target, status=status, seconds=0.0123, remote_ip="10.0.0.9", note="n"
    )


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> list[logging.LogRecord]:
    """Let the test see which records are made."""
    records: list[logging.LogRecord] = []
    monkeypatch.setattr(logging.getLogger("tornkit.access"), "handle", records.append)
    return records


def lines_of(folder: Path) -> list[str]:
    return (folder / "site.log").read_text("utf-8").splitlines()


@pytest.mark.parametrize("debug", [False, True])
@pytest.mark.parametrize("status", [200, 503])
@pytest.mark.parametrize(
    "target", ["/", ASKED, "/\x1b[2J\n", "/\u2028", "/" + "x" * 3000, "/é%00"]
)
@pytest.mark.parametrize("method", ["GET", "X" * 30, "G\nT"])
def test_a_line_is_what_its_record_would_be(
    debug: bool,
    status: int,
    target: str,
    method: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("time.time", lambda: 1_800_000_000.25)
    monkeypatch.setattr("time.time_ns", lambda: 1_800_000_000_250_000_000)
    configure({}, debug=debug)
    token = request_id.set("abc")
    access(target, status=status, method=method)
    (line,) = capsys.readouterr().err.splitlines()
    monkeypatch.setattr("tornkit.logs.access._line_handlers", lambda: None)
    access(target, status=status, method=method)
    request_id.reset(token)
    assert capsys.readouterr().err.splitlines() == [line]


async def test_lines_wait_but_not_for_long_and_keep_their_order(
    tmp_path: Path, seen: list[logging.LogRecord]
) -> None:
    configure({"root": {"handlers": ["file"]}}, debug=False, log_dir=tmp_path)
    access("/1")
    access("/2")
    assert not (tmp_path / "site.log").exists()
    logging.getLogger("school").warning("between")
    access("/3")
    assert [line.split("] ")[1][:6] for line in lines_of(tmp_path)] == [
        "GET /1",
        "GET /2",
        "betwee",
    ]
    await asyncio.sleep(0.2)
    assert lines_of(tmp_path)[3].split("] ")[1].startswith("GET /3 200 12.3 ms 10.0.0.9")
    assert not seen


async def test_an_error_and_many_lines_are_written_at_once(tmp_path: Path) -> None:
    configure({"root": {"handlers": ["file"]}}, debug=False, log_dir=tmp_path)
    access("/1")
    access("/2", status=500)
    assert len(lines_of(tmp_path)) == 2
    for _ in range(502):
        access()
    assert len(lines_of(tmp_path)) > 500


async def test_nothing_is_lost_at_the_end(tmp_path: Path) -> None:
    configure({"root": {"handlers": ["file"]}}, debug=False, log_dir=tmp_path)
    access()
    (handler,) = logging.getLogger().handlers
    handler.close()
    assert len(lines_of(tmp_path)) == 1


async def test_large_files_are_still_put_aside(tmp_path: Path) -> None:
    configure(
        {"root": {"handlers": ["file"]}, "handlers": {"file": {"maxBytes": 2000}}},
        debug=False,
        log_dir=tmp_path,
    )
    for _ in range(10):
        for _ in range(10):
            access()
        logging.getLogger().handlers[0].flush()
    files = [tmp_path / name for name in ("site.log", "site.log.1", "site.log.4")]
    assert all(file.stat().st_size < 2000 for file in files)


async def test_whoever_else_listens_gets_records(
    tmp_path: Path, seen: list[logging.LogRecord]
) -> None:
    configure({"root": {"handlers": ["file"]}}, debug=False, log_dir=tmp_path)
    (handler,) = logging.getLogger().handlers
    assert isinstance(handler, LineFile)
    logger, other = logging.getLogger("tornkit.access"), logging.NullHandler()
    logger.addHandler(other)
    access()
    logger.removeHandler(other)
    wish = logging.Filter("school")
    handler.addFilter(wish)
    access()
    handler.removeFilter(wish)
    logger.addFilter(wish)
    access()
    logger.removeFilter(wish)
    handler.setLevel("ERROR")
    access()
    handler.setLevel("INFO")
    formatter = handler.formatter
    handler.setFormatter(logging.Formatter("%(message)s"))
    access()
    handler.setFormatter(formatter)
    assert len(seen) == 5
    assert seen[0].getMessage() == "GET /a?page=2&token=*** 200 12.3 ms 10.0.0.9 n"
    access()
    assert len(seen) == 5


async def test_a_full_disk_is_told_and_requests_go_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    configure({"root": {"handlers": ["file"]}}, debug=False, log_dir=tmp_path)
    (tmp_path / "site.log").symlink_to("/dev/full")
    access("/lost")
    await asyncio.sleep(0.2)
    assert "No space left" in capsys.readouterr().err
    access("/more")
    (tmp_path / "site.log").unlink()
    (handler,) = logging.getLogger().handlers
    assert isinstance(handler, LineFile)
    full, handler.stream = handler.stream, None  # so it opens the file again
    assert full is not None
    with contextlib.suppress(OSError):
        full.close()
    handler.flush()
    assert "/more" in lines_of(tmp_path)[-1]


async def test_threads_that_log_meanwhile_lose_no_line(tmp_path: Path) -> None:
    configure({"root": {"handlers": ["file"]}}, debug=False, log_dir=tmp_path)

    def work() -> None:
        for _ in range(200):
            logging.getLogger("school").info("x")

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for _ in range(400):
        access()
    for thread in threads:
        thread.join()
    (handler,) = logging.getLogger().handlers
    assert isinstance(handler, Lines)
    handler.flush()
    assert len(lines_of(tmp_path)) == 1000


def test_lines_are_written_soon_whichever_loop_they_came_from(tmp_path: Path) -> None:
    configure({"root": {"handlers": ["file"]}}, debug=False, log_dir=tmp_path)

    async def one_line() -> None:
        access("/short")

    async def site() -> None:
        threading.Thread(target=lambda: asyncio.run(one_line())).start()
        await asyncio.sleep(0.05)
        access("/long")
        await asyncio.sleep(0.2)
        assert len(lines_of(tmp_path)) == 2

    asyncio.run(site())
    asyncio.run(one_line())
    access("/no loop")
    assert len(lines_of(tmp_path)) == 4


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork()")
async def test_what_waits_is_written_by_the_process_it_was_said_in(tmp_path: Path) -> None:
    configure({"root": {"handlers": ["file"]}}, debug=False, log_dir=tmp_path)
    access("/parent")
    child = os.fork()
    if not child:
        try:
            logging.getLogger("school").info("child")
        finally:
            os._exit(0)
    os.waitpid(child, 0)  # noqa: ASYNC222  it ends at once
    (handler,) = logging.getLogger().handlers
    handler.flush()
    assert [line.split("] ")[1].split()[-1] for line in lines_of(tmp_path)] == ["child", "n"]


async def test_a_line_that_cannot_be_written_takes_no_others_with_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = {"encoding": "ascii", "errors": None}
    configure(
        {"root": {"handlers": ["file"]}, "handlers": {"file": file}}, debug=False, log_dir=tmp_path
    )
    for target in ("/1", "/caf\xe9", "/3"):
        access(target)
    logging.getLogger("school").info("after")
    assert len(lines_of(tmp_path)) == 3
    assert "UnicodeEncodeError" in capsys.readouterr().err
