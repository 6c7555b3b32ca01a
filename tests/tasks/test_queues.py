"""Which queue a URL names, and the SQLite file behind one."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.tasks.support import eventually, open_tasks
from tornkit.errors import QueueUnavailable, TaskError
from tornkit.tasks import Tasks, beside, task
from tornkit.tasks.queues import open_queue

if TYPE_CHECKING:
    from pathlib import Path


@task
async def note(word: str) -> str:
    return word


@task(priority=5)
async def urgent() -> None: ...


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("memory://", "memory://"),
        ("sqlite:///data/tasks.db", "sqlite:///data/tasks.db"),
        ("sqlite:////srv/100%25/tasks.db", "sqlite:////srv/100%/tasks.db"),
        ("postgresql://me:secret@host:5433/site?connect_timeout=3", "postgresql://host:5433/site"),
        ("postgres://host/site", "postgresql://host/site"),
        ("redis://:secret@host/1", "redis://host:6379/1"),
        ("unix:///run/redis.sock?db=3", "unix:///run/redis.sock"),
    ],
)
async def test_a_url_names_a_queue(url: str, place: str) -> None:
    assert open_queue(url).place == place


@pytest.mark.parametrize(
    "url",
    [
        *("", "secret", "mysql://me:secret@host/site", "sqlite://", "sqlite:///", "memory://x"),
        *("sqlite:///:memory:", "sqlite:///a.db?secret=1", "redis://:secret@host/x/y"),
        *("redis://:secret@host?socket_timeout=9", "postgresql://me:secret@host/site?secret=1"),
    ],
)
def test_what_names_none_is_refused_without_its_password(url: str) -> None:
    with pytest.raises(TaskError) as refused:
        open_queue(url)
    assert refused.value.check_id == "tasks.queue"
    assert refused.value.hint
    if "@" in url:
        assert "secret" not in str(refused.value)


@pytest.mark.parametrize("name", ["", "a b", "x" * 101, "a:b", "ü"])
def test_a_name_that_could_be_mistaken_is_refused(name: str) -> None:
    with pytest.raises(TaskError, match="cannot name a task queue"):
        open_queue("memory://", name=name)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("sqlite:///data/school.db", "sqlite:///data/school-tasks.db"),
        ("sqlite:////srv/100%25/school.sqlite3", "sqlite:////srv/100%25/school-tasks.sqlite3"),
        ("sqlite:////srv/a.b/school", "sqlite:////srv/a.b/school-tasks"),
        ("sqlite+aiosqlite:///x.db?timeout=5", "sqlite:///x-tasks.db"),
        ("sqlite:///:memory:", "memory://"),
        ("sqlite://", "memory://"),
        ("postgresql://me:secret@host/site", "postgresql://me:secret@host/site"),
        ("postgresql+psycopg://host/site", "postgresql://host/site"),
    ],
)
def test_a_database_has_its_queue_beside_it(url: str, expected: str) -> None:
    assert beside(url) == expected


@pytest.mark.parametrize(
    "url", ["mysql://host/site", "mongodb://host", "sqlite:///file:x?uri=true"]
)
def test_a_database_that_keeps_no_queue_says_so(url: str) -> None:
    with pytest.raises(TaskError, match="keeps no task queue") as refused:
        beside(url)
    assert refused.value.check_id == "tasks.queue"


def test_a_priority_that_a_queue_does_not_know_is_refused_at_the_start() -> None:
    with pytest.raises(
        TaskError, match=r"urgent .* has a priority, and redis://h:6379 knows none"
    ):
        Tasks("redis://h", [urgent])
    Tasks("memory://", [urgent])


# --- the file --------------------------------------------------------------------------------


async def test_the_file_and_its_folder_are_made(tmp_path: Path) -> None:
    path = tmp_path / "some" / "where" / "tasks.db"
    async with Tasks(f"sqlite:///{path}", [note]) as tasks:
        await note.enqueue("x")
        await tasks.ping()
    async with Tasks(f"sqlite:///{path}", [note]) as tasks:
        (job,) = await tasks.run_all()
        assert await job.result() == "x"
    connection = sqlite3.connect(path)
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    connection.close()


@pytest.mark.parametrize(
    ("statements", "complaint"),
    [
        (["CREATE TABLE courses (id)"], "is another program's; name a file of its own"),
        (
            ["PRAGMA application_id = 1953199217", "PRAGMA user_version = 99"],
            "has tables of version 99, this tornkit knows 1",
        ),
    ],
    ids=["another program's", "a later version's"],
)
async def test_a_file_that_is_not_ours_is_left_alone(
    tmp_path: Path, statements: list[str], complaint: str
) -> None:
    path = tmp_path / "other.db"
    connection = sqlite3.connect(path)
    for statement in statements:
        connection.execute(statement)
    connection.close()
    with pytest.raises(TaskError) as refused:
        await Tasks(f"sqlite:///{path}").connect()
    assert complaint in str(refused.value)


async def test_a_queue_that_is_not_open_is_told() -> None:
    with pytest.raises(QueueUnavailable, match="the file is not open"):
        await Tasks("memory://").counts()


@pytest.mark.slow
async def test_a_file_that_stays_locked_fails_the_request_within_two_seconds(
    tmp_path: Path,
) -> None:
    path = tmp_path / "tasks.db"
    async with Tasks(f"sqlite:///{path}", [note]) as tasks:
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        began = time.monotonic()
        with pytest.raises(QueueUnavailable, match="OperationalError: database is locked"):
            await note.enqueue("never")
        assert time.monotonic() - began < 2
        assert (await tasks.counts())["queued"] == 0, "who only reads does not wait"
        other.execute("ROLLBACK")
        other.close()
        await note.enqueue("later")
        assert [job.arguments["word"] for job in await tasks.list()] == ["later"]


async def test_a_piece_of_work_that_fails_undoes_only_itself() -> None:
    async with open_tasks(note) as tasks:
        writer: Any = tasks.queue._writer  # type: ignore[attr-defined]

        def half(connection: sqlite3.Connection) -> None:
            connection.execute("INSERT INTO schedules VALUES ('half', 1)")
            raise ZeroDivisionError

        outcomes = await asyncio.gather(
            note.enqueue("a"), writer.write(half), note.enqueue("b"), return_exceptions=True
        )
        assert isinstance(outcomes[1], ZeroDivisionError)
        assert await tasks.queue.tick_of("half") is None
        assert (await tasks.counts())["queued"] == 2


async def test_a_caller_who_is_cancelled_leaves_a_whole_job_or_none() -> None:
    async with open_tasks(note) as tasks:
        asked = asyncio.create_task(note.enqueue("x"))
        await asyncio.sleep(0)
        asked.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asked
        left = await tasks.counts()
        await asyncio.sleep(0.01)
        assert await tasks.counts() == left


async def test_one_who_waits_for_a_job_and_leaves_loses_none() -> None:
    async with open_tasks(note) as tasks:
        for _ in range(20):
            waiting = asyncio.create_task(tasks.queue.dequeue())
            await note.enqueue("x")
            waiting.cancel()
            await asyncio.wait([waiting])
            if not waiting.cancelled():
                await tasks.queue.hand_back(waiting.result())  # type: ignore[arg-type]
        assert len(await tasks.run_all()) == 20


async def test_a_bell_tells_idle_workers_of_other_processes(tmp_path: Path) -> None:
    """Another connection to the file stands for another process: they share nothing else."""
    path = tmp_path / "tasks.db"
    async with (
        Tasks(f"sqlite:///{path}", [note]) as one,
        Tasks(f"sqlite:///{path}", [note]) as two,
        one.worker(concurrency=2),
    ):
        await asyncio.sleep(0.02)  # it begins to be idle
        latencies = []
        for _ in range(5):
            began = time.monotonic()
            await (await two.enqueue(note, "x")).wait(10)
            latencies.append(time.monotonic() - began)
    assert min(latencies) < 0.2, "it would look by itself after half a second"
    assert (tmp_path / "tasks.db-bell").is_fifo()


async def test_without_a_bell_idle_workers_look_themselves(tmp_path: Path) -> None:
    (tmp_path / "tasks.db-bell").mkdir()  # so that there can be no pipe
    url = f"sqlite:///{tmp_path / 'tasks.db'}"
    async with Tasks(url, [note]) as one, Tasks(url, [note]) as two, one.worker(concurrency=2):
        await asyncio.sleep(0.02)
        assert await (await two.enqueue(note, "x")).result(10) == "x"


# --- servers -----------------------------------------------------------------------------------


async def test_a_server_that_is_not_there_is_told_and_closed_quietly() -> None:
    async with Tasks("redis://127.0.0.1:1/0", [note]) as tasks:
        with pytest.raises(QueueUnavailable, match=r"redis://127.0.0.1:1/0 does not answer"):
            await tasks.counts()
        with pytest.raises(QueueUnavailable):
            await note.enqueue("x")


@pytest.mark.slow
async def test_a_postgresql_server_that_is_not_there_is_told_and_closed_quietly() -> None:
    began = time.monotonic()
    tasks = Tasks("postgresql://127.0.0.1:1/site", [note])
    await tasks.connect()
    assert time.monotonic() - began < 2
    with pytest.raises(QueueUnavailable, match=r"postgresql://127.0.0.1:1/site does not answer"):
        await tasks.counts()
    await tasks.close()
    assert time.monotonic() - began < 6


@pytest.mark.slow
async def test_several_processes_make_the_tables_of_an_empty_database(postgresql_url: str) -> None:
    several = [Tasks(postgresql_url, [note], name="together") for _ in range(6)]
    await asyncio.gather(*(each.connect() for each in several))
    jobs = await asyncio.gather(*(each.enqueue(note, "x") for each in several))
    assert (await several[0].counts())["queued"] == len(jobs)
    await asyncio.gather(*(each.close() for each in several))


@pytest.mark.slow
async def test_tables_of_another_version_are_left_alone(postgresql_url: str) -> None:
    import psycopg

    async with Tasks(postgresql_url, [note]):
        pass
    async with await psycopg.AsyncConnection.connect(postgresql_url, autocommit=True) as other:
        await other.execute("UPDATE tornkit_task_versions SET version = 9")
    with pytest.raises(TaskError, match="have version 9, this tornkit knows 1"):
        await Tasks(postgresql_url, [note]).connect()


@pytest.mark.slow
async def test_two_sites_share_a_server_and_keep_their_jobs_apart(postgresql_url: str) -> None:
    one, two = (Tasks(postgresql_url, [note], name=name) for name in ("one", "two"))
    async with one, two:
        first = await one.enqueue(note.using(key="k"), "one")
        second = await two.enqueue(note.using(key="k"), "two")
        assert (first.id, first.is_new, second.is_new) == (second.id, True, True)
        assert [await job.result() for job in await one.run_all()] == ["one"]
        assert await second.status() == "queued"
        assert [await job.result() for job in await two.run_all()] == ["two"]


HAMMER = """
import asyncio, sys, time
from tornkit.tasks import Tasks, task

@task(name="note")
async def note(word: str) -> str:
    return word

async def main():
    enqueued = failed = 0
    async with Tasks(sys.argv[1], [note]) as tasks, tasks.worker(concurrency=10):
        end = time.monotonic() + float(sys.argv[2])
        while time.monotonic() < end:
            try:
                done = await asyncio.gather(*(note.enqueue("x") for _ in range(10)))
                enqueued += len(done)
            except Exception as error:
                failed += 1
                print(error, file=sys.stderr)
    print(enqueued, failed)

asyncio.run(main())
"""


@pytest.mark.slow
async def test_eight_processes_enqueue_and_run_without_a_lock_error(tmp_path: Path) -> None:
    seconds = os.environ.get("TORNKIT_HAMMER", "4")
    url = f"sqlite:///{tmp_path / 'tasks.db'}"
    processes = [
        subprocess.Popen(  # noqa: ASYNC220 - it only starts them
            [sys.executable, "-c", HAMMER, url, seconds],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(8)
    ]
    told = await asyncio.gather(*(asyncio.to_thread(each.communicate) for each in processes))
    assert [errors for _, errors in told if errors] == []
    numbers = [[int(word) for word in output.split()] for output, _ in told]
    assert sum(failed for _, failed in numbers) == 0
    enqueued = sum(number for number, _ in numbers)

    @task(name="note")
    async def rest(word: str) -> str:
        return word

    async with Tasks(url, [rest]) as tasks, tasks.worker(concurrency=50):

        async def done() -> bool:
            counts = await tasks.counts()
            return not counts["queued"] + counts["active"]

        await eventually(done, patience=120)
        assert (await tasks.counts())["complete"] == enqueued
    print(f"{enqueued} enqueued and run in {seconds} s by 8 processes")
