"""The file of a SQLite queue, and the pipe beside it, where something else has their place."""

from __future__ import annotations

import asyncio
import logging
import os
import sqlite3
import stat
from typing import TYPE_CHECKING

import pytest

from tornkit.errors import QueueUnavailable, TaskError
from tornkit.tasks import Tasks, task
from tornkit.tasks.queues._bell import Bell
from tornkit.tasks.queues._file import File

if TYPE_CHECKING:
    from pathlib import Path


@task
async def note(text: str) -> str:
    return text


# --- the file --------------------------------------------------------------------------------


def garbage(path: Path) -> None:
    path.write_text("x" * 5000)


def folder(path: Path) -> None:
    path.mkdir()


def loose_end(path: Path) -> None:
    os.mkfifo(path)


def file_for_a_folder(path: Path) -> None:
    path.write_text("")


@pytest.mark.parametrize(
    ("make", "name", "complaint"),
    [
        (garbage, "tasks.db", "is no SQLite database; move it away, or name another one"),
        (folder, "tasks.db", "is a folder; name a file"),
        (loose_end, "tasks.db", "is no regular file"),
        (file_for_a_folder, "tasks.db/tasks.db", "is in no folder"),
    ],
    ids=["garbage", "folder", "pipe", "file for a folder"],
)
async def test_what_can_be_no_queue_is_named(
    tmp_path: Path, make: object, name: str, complaint: str
) -> None:
    assert callable(make)
    make(tmp_path / "tasks.db")
    with pytest.raises(TaskError) as refused:
        await Tasks(f"sqlite:///{tmp_path / name}").connect()
    assert not isinstance(refused.value, QueueUnavailable)
    assert f"the file of the task queue, {tmp_path / name}, {complaint}" in str(refused.value)


async def test_a_file_that_was_cut_off_is_named(tmp_path: Path) -> None:
    path = tmp_path / "tasks.db"
    async with Tasks(f"sqlite:///{path}"):
        pass
    path.write_bytes(path.read_bytes()[:9000])
    with pytest.raises(TaskError, match=r"tasks\.db, is damaged"):
        await Tasks(f"sqlite:///{path}").connect()


async def test_what_may_not_be_written_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "tasks.db"
    async with Tasks(f"sqlite:///{path}"):
        pass
    # Not by its mode, for tests may be run by who may write everything.
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(TaskError, match=r"tasks\.db, cannot be written; whoever runs this"):
        await Tasks(f"sqlite:///{path}").connect()


@pytest.mark.parametrize(
    ("statements", "complaint"),
    [
        (["PRAGMA query_only = ON", "CREATE TABLE jobs (id)"], "cannot be written; whoever runs"),
        (["PRAGMA max_page_count = 1", "CREATE TABLE a (b)", "CREATE TABLE c (d)"], "has no room"),
    ],
    ids=["read-only", "full"],
)
async def test_an_error_of_sqlite_is_put_into_words(
    tmp_path: Path, statements: list[str], complaint: str
) -> None:
    def prepare(connection: sqlite3.Connection) -> None:
        for statement in statements:
            connection.execute(statement)

    with pytest.raises(TaskError, match=complaint) as refused:
        await File(str(tmp_path / "tasks.db")).open(prepare)
    assert isinstance(refused.value.__cause__, sqlite3.OperationalError)


async def test_a_file_that_may_soon_do_does_not_answer(tmp_path: Path) -> None:
    def prepare(_: sqlite3.Connection) -> None:
        raise sqlite3.OperationalError("database is locked")

    with pytest.raises(sqlite3.OperationalError, match="locked"):
        await File(str(tmp_path / "tasks.db")).open(prepare)


# --- the bell --------------------------------------------------------------------------------


def plain(path: Path) -> None:
    path.write_text("mine")


def link(path: Path) -> None:
    target = path.with_name("target")
    os.mkfifo(target)
    path.symlink_to(target)


@pytest.mark.parametrize(
    ("make", "reason"),
    [(plain, "no named pipe"), (link, "a link"), (folder, "Is a directory")],
    ids=["file", "link", "folder"],
)
async def test_what_is_no_bell_is_left_alone_and_told_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, make: object, reason: str
) -> None:
    bell = tmp_path / "tasks.db-bell"
    assert callable(make)
    make(bell)
    before = bell.lstat()
    with caplog.at_level(logging.WARNING, "tornkit"):
        one, two = (Tasks(f"sqlite:///{tmp_path / 'tasks.db'}", [note]) for _ in range(2))
        async with one, two, one.worker(concurrency=2):
            assert await (await two.enqueue(note, "x")).result(10) == "x"
        async with one:
            pass  # it was said
    assert bell.lstat() == before
    assert len(caplog.messages) == 2  # by each of both
    assert f"{bell} cannot be the bell of the task queue: " in caplog.messages[0]
    assert reason in caplog.messages[0]


def test_somebody_elses_pipe_is_not_written_into(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue = tmp_path / "tasks.db"
    queue.write_text("")
    os.mkfifo(tmp_path / "tasks.db-bell")
    theirs = os.stat_result([stat.S_IFIFO, 0, 0, 1, os.geteuid() + 1, 0, 0, 0, 0, 0])
    monkeypatch.setattr(os, "fstat", lambda _: theirs)
    bell = Bell(str(queue))
    bell.open()
    assert not bell.listen(lambda: None)
    bell.ring()
    assert f"it belongs to user {os.geteuid() + 1}" in caplog.text


def test_a_bell_that_is_open_is_not_opened_again(tmp_path: Path) -> None:
    (tmp_path / "tasks.db").write_text("")
    bell = Bell(str(tmp_path / "tasks.db"))
    bell.open()
    pipe = bell._pipe
    bell.open()
    assert bell._pipe == pipe is not None
    bell.close()


async def test_a_file_that_is_deleted_while_it_is_in_use_is_missed(tmp_path: Path) -> None:
    path = tmp_path / "tasks.db"
    async with Tasks(f"sqlite:///{path}", [note]) as tasks:
        await tasks.ping()
        path.unlink()
        with pytest.raises(QueueUnavailable, match="was deleted or replaced while it was in use"):
            await tasks.ping()
        with pytest.raises(FileNotFoundError):
            await tasks.queue.sweep()


async def test_who_connects_twice_closes_twice(tmp_path: Path) -> None:
    async with Tasks(f"sqlite:///{tmp_path / 'tasks.db'}", [note]) as tasks:
        who = tasks.queue.identity
        async with tasks:
            assert tasks.queue.identity == who
        job = await note.enqueue("still open")
        assert await job.status() == "queued"
    with pytest.raises(TaskError, match="no application has started its tasks"):
        await note.enqueue("closed")


async def test_those_who_connect_and_close_at_one_time_wait_for_each_other(tmp_path: Path) -> None:
    tasks = Tasks(f"sqlite:///{tmp_path / 'tasks.db'}", [note])
    await asyncio.gather(tasks.connect(), tasks.connect())
    await tasks.close()
    await tasks.ping()
    await asyncio.gather(tasks.close(), tasks.connect())
    await tasks.ping()
    await tasks.close()
    with pytest.raises(QueueUnavailable):
        await tasks.ping()
