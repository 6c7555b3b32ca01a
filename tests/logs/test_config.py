from __future__ import annotations

import asyncio
import logging
import logging.handlers
import traceback
from typing import TYPE_CHECKING, Any

import pytest

from tornkit.errors import SettingsError
from tornkit.logs import RequestIdFilter, configure, request_id
from tornkit.logs.formatter import LineFormatter

if TYPE_CHECKING:
    from pathlib import Path


def test_one_line_a_record_with_the_request_id(capsys: pytest.CaptureFixture[str]) -> None:
    configure({}, debug=True)
    token = request_id.set("abc123")
    logging.getLogger("third.party").warning("hello %s", "world")
    request_id.reset(token)
    logging.getLogger("third.party").info("later")
    logging.getLogger("third.party").debug("hidden")
    first, second = capsys.readouterr().err.splitlines()
    assert first.endswith("WARNING third.party [abc123] hello world")
    assert second.endswith("INFO    third.party [-] later")


def test_at_debug_no_driver_writes_the_values_of_statements(
    capsys: pytest.CaptureFixture[str],
) -> None:
    configure({}, debug=True, level="DEBUG")
    logging.getLogger("aiosqlite").debug("executing INSERT %s", "hash")
    assert not capsys.readouterr().err
    configure({"loggers": {"aiosqlite": {"level": "DEBUG"}}}, debug=True)
    logging.getLogger("aiosqlite").debug("executing")
    assert "executing" in capsys.readouterr().err
    logging.getLogger("aiosqlite").setLevel(logging.NOTSET)


def test_production_lines_have_date_zone_and_process(capsys: pytest.CaptureFixture[str]) -> None:
    configure({}, debug=False, level="ERROR")
    logging.getLogger("school").warning("no")
    logging.getLogger("school").error("yes")
    (line,) = capsys.readouterr().err.splitlines()
    moment, process, *_ = line.split()
    assert moment[10] == "T"
    assert moment[-5] in "+-"
    assert process.isdigit()


async def test_tasks_at_once_keep_their_own_id(capsys: pytest.CaptureFixture[str]) -> None:
    configure({}, debug=True)
    both = asyncio.Barrier(2)

    async def handle(name: str) -> None:
        request_id.set(name)
        await both.wait()
        logging.getLogger("school").info("for %s", name)

    await asyncio.gather(handle("one"), handle("two"))
    lines = capsys.readouterr().err.splitlines()
    assert {line.split("[")[1] for line in lines} == {"one] for one", "two] for two"}


def test_a_record_may_bring_its_own_request_id(capsys: pytest.CaptureFixture[str]) -> None:
    configure({}, debug=True)
    logging.getLogger("school").info("x", extra={"request_id": "mine"})
    assert "[mine] x" in capsys.readouterr().err


def test_a_record_without_an_id_is_written_all_the_same() -> None:
    record = logging.makeLogRecord({"msg": "x", "levelname": "INFO", "name": "n"})
    assert LineFormatter(brief=True).format(record).endswith("INFO    n [-] x")


def test_a_projects_own_handler_gets_the_id_too(capsys: pytest.CaptureFixture[str]) -> None:
    configure(
        {
            "formatters": {"mine": {"format": "%(request_id)s|%(message)s"}},
            "handlers": {"mine": {"class": "logging.StreamHandler", "formatter": "mine"}},
            "loggers": {"school": {"handlers": ["mine"], "propagate": False}},
        },
        debug=True,
    )
    logging.getLogger("school").info("x")
    assert capsys.readouterr().err == "-|x\n"


def test_nobody_forges_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    configure({}, debug=True)
    evil = "x\n12:00:00 ERROR   root [-] forged\x1b[2J\r\u2028\x85"
    logging.getLogger("school").info("name %s", evil)
    try:
        raise ValueError(evil)
    except ValueError:
        logging.getLogger("school").exception("failed")
    lines = capsys.readouterr().err.split("\n")
    assert all(line.isprintable() for line in lines)
    records = [line for line in lines if line and not line.startswith("    | ")]
    assert len(records) == 2
    assert any("Traceback" in line for line in lines)


def test_a_file_is_written_only_where_it_is_asked_for(tmp_path: Path) -> None:
    configure({}, debug=False, log_dir=tmp_path / "log")
    logging.getLogger("school").error("x")
    assert not (tmp_path / "log").exists()
    configure({"root": {"handlers": ["file"]}}, debug=False, log_dir=tmp_path / "log")
    logging.getLogger("school").error("written")
    assert "[-] written" in (tmp_path / "log" / "site.log").read_text()
    (handler,) = logging.getLogger().handlers
    assert isinstance(handler, logging.handlers.RotatingFileHandler)


def test_a_handler_with_its_own_class_replaces_the_default(tmp_path: Path) -> None:
    config = {
        "handlers": {"file": {"class": "logging.FileHandler", "filename": str(tmp_path / "a")}},
        "root": {"handlers": ["file"]},
    }
    configure(config, debug=False, log_dir=tmp_path)
    assert type(logging.getLogger().handlers[0]) is logging.FileHandler
    assert config["handlers"] == {
        "file": {"class": "logging.FileHandler", "filename": str(tmp_path / "a")}
    }, "what was handed in is left as it was"


@pytest.mark.parametrize(
    "config",
    [
        {"version": 2},
        {"root": {"level": "LOUD"}},
        {"root": {"handlers": ["nowhere"]}},
        {"handlers": {"x": {"class": "no.such.Handler"}}},
        {"handlers": "x"},
        {"handlers": {"x": 3}},
        {"formatters": {"line": {"()": "tornkit.nothing"}}},
        {"root": "x"},
        {"mail": {"password": "hunter2"}, "root": {"level": "hunter2"}},
    ],
)
def test_an_invalid_configuration_is_one_clear_error_and_defaults_stay(
    config: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SettingsError, match=r"logging .*is not valid: ") as caught:
        configure(config, debug=True)
    assert len(str(caught.value).splitlines()) == 1
    shown = "".join(traceback.format_exception(caught.value))
    assert "hunter2" not in shown
    logging.getLogger("school").info("still here")
    assert "still here" in capsys.readouterr().err


def test_a_log_folder_that_cannot_be_made_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "log").touch()
    with pytest.raises(SettingsError, match="is not valid"):
        configure({"root": {"handlers": ["file"]}}, debug=True, log_dir=tmp_path / "log")


def test_configuring_twice_writes_each_line_once(capsys: pytest.CaptureFixture[str]) -> None:
    configure({}, debug=True)
    configure({}, debug=True)
    logging.getLogger("school").info("once")
    assert capsys.readouterr().err.count("once") == 1
    (handler,) = logging.getLogger().handlers
    assert [type(each) for each in handler.filters] == [RequestIdFilter]
