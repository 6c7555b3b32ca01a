"""The load script: it sends what users would, counts, and ends in time."""

import pytest
from tornkit import Application
from tornkit.testing import Client

import load
from tests.helpers import tasks_of


async def test_it_counts_what_was_finished(
    client: Client, app: Application, capsys: pytest.CaptureFixture[str]
) -> None:
    url = str(client.base_url).rstrip("/")
    async with tasks_of(app).worker():
        assert await load.run(url, count=12, users=3, seconds=30, seed=2)
    printed = capsys.readouterr().out
    for line in (r"sent            12 in", "finished        12", "failures         0", "p99"):
        assert line in printed


async def test_it_ends_in_time(client: Client, capsys: pytest.CaptureFixture[str]) -> None:
    url = str(client.base_url).rstrip("/")
    assert not await load.run(url, count=12, users=3, seconds=0.5, seed=2)
    assert "unfinished       3" in capsys.readouterr().out


async def test_it_tells_what_went_wrong(capsys: pytest.CaptureFixture[str]) -> None:
    assert not await load.run("http://127.0.0.1:1", count=2, users=1, seconds=5, seed=2)
    assert "failures         2" in capsys.readouterr().out


def test_every_run_sends_the_same_numbers() -> None:
    assert list(load.numbers(50, 1)) == list(load.numbers(50, 1)) != list(load.numbers(50, 2))
