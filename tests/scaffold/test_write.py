"""Files on disk: whole or not at all, and nothing overwritten."""

from __future__ import annotations

import errno
import os
import signal
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tornkit.errors import ScaffoldError
from tornkit.scaffold.write import write_into, write_project

if TYPE_CHECKING:
    from collections.abc import Callable

FILES = {
    "a.txt": b"a",
    "package/b.txt": b"b",
    "package/deep/c.txt": b"c",
    ".tornkit/project.json": b"{}",
}
MODULE = {
    "package/modules/m/x.py": b"x",
    "package/modules/m/static/x.css": b"x",
    "tests/test_m.py": b"t",
    ".tornkit/modules/m.json": b"{}",
}
SEAL = ".tornkit/modules/m.json"


def tree(folder: Path) -> dict[str, bytes | None]:
    """Return everything below a folder; None stands for a folder."""
    return {
        path.relative_to(folder).as_posix(): None if path.is_dir() else path.read_bytes()
        for path in sorted(folder.rglob("*"))
    }


def files(folder: Path) -> dict[str, bytes]:
    return {path: content for path, content in tree(folder).items() if content is not None}


def fail_at(
    monkeypatch: pytest.MonkeyPatch, owner: Any, name: str, number: int, error: BaseException
) -> None:
    """Make the given call of a function raise instead of working."""
    real: Callable[..., Any] = getattr(owner, name)
    calls = iter(range(1, 1000))

    def failing(*arguments: Any, **options: Any) -> Any:
        if next(calls) == number:
            raise error
        return real(*arguments, **options)

    monkeypatch.setattr(owner, name, failing)


@pytest.mark.parametrize("exists", [False, True])
def test_a_project_is_written_whole(tmp_path: Path, exists: bool) -> None:
    target = tmp_path / "site"
    if exists:
        target.mkdir()
    write_project(FILES, target)
    assert files(target) == FILES
    assert [entry.name for entry in tmp_path.iterdir()] == ["site"]


def test_missing_parents_are_made(tmp_path: Path) -> None:
    write_project(FILES, tmp_path / "a" / "b" / "site")
    assert files(tmp_path / "a" / "b" / "site") == FILES


def test_the_folder_has_the_permissions_of_any_other(tmp_path: Path) -> None:
    write_project({**FILES, ".env": b"secret"}, tmp_path / "site")
    (tmp_path / "other").mkdir()
    assert (tmp_path / "site").stat().st_mode == (tmp_path / "other").stat().st_mode
    assert (tmp_path / "site" / ".env").stat().st_mode & 0o077 == 0


def test_a_folder_with_something_in_it_is_refused(tmp_path: Path) -> None:
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "mine").write_text("mine")
    before = tree(tmp_path)
    with pytest.raises(ScaffoldError, match="not empty"):
        write_project(FILES, tmp_path / "site")
    assert tree(tmp_path) == before


def test_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "site").write_text("mine")
    for target in (tmp_path / "site", tmp_path / "site" / "below"):
        with pytest.raises(ScaffoldError, match="there"):
            write_project(FILES, target)
    assert files(tmp_path) == {"site": b"mine"}


def test_a_link_to_nowhere_is_refused(tmp_path: Path) -> None:
    (tmp_path / "site").symlink_to(tmp_path / "nowhere")
    with pytest.raises(ScaffoldError, match="not a folder"):
        write_project(FILES, tmp_path / "site")
    assert not (tmp_path / "nowhere").exists()


# Every place where a write can stop, for a project beside nothing and in an empty folder.
STOPS: list[tuple[Any, str, int]] = [(os, "open", number) for number in (1, 2, 4)]
STOPS += [(Path, "mkdir", number) for number in (1, 2, 3, 4)]
STOPS += [(Path, "rename", 1)]
ERRORS = [OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt()]


@pytest.mark.parametrize("error", ERRORS, ids=["full-disk", "ctrl-c"])
@pytest.mark.parametrize(("owner", "name", "number"), STOPS)
@pytest.mark.parametrize("exists", [False, True])
def test_nothing_is_left_of_a_project_that_could_not_be_finished(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    owner: Any,
    name: str,
    number: int,
    error: BaseException,
    exists: bool,
) -> None:
    target = tmp_path / "site"
    if exists:
        target.mkdir()
    else:
        target = tmp_path / "new" / "site"
    before = tree(tmp_path)
    with monkeypatch.context() as patch:
        fail_at(patch, owner, name, number, error)
        with pytest.raises((ScaffoldError, KeyboardInterrupt)) as raised:
            write_project(FILES, target)
    assert tree(tmp_path) == before
    if isinstance(error, OSError):
        assert "No space left on device" in str(raised.value)


@pytest.mark.parametrize("error", ERRORS, ids=["full-disk", "ctrl-c"])
@pytest.mark.parametrize(
    ("owner", "name", "number"), [*STOPS, (os, "link", 1), (os, "link", 2), (Path, "replace", 1)]
)
def test_nothing_is_left_of_a_module_that_could_not_be_finished(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    owner: Any,
    name: str,
    number: int,
    error: BaseException,
) -> None:
    if name == "link" and isinstance(error, OSError):
        pytest.skip("where a link fails, a rename does it")
    (tmp_path / "package" / "modules").mkdir(parents=True)
    (tmp_path / "tests").mkdir()
    files_of_module = {**MODULE, "tests/more.py": b"more"}
    before = tree(tmp_path)
    with monkeypatch.context() as patch:
        fail_at(patch, owner, name, number, error)
        with pytest.raises((ScaffoldError, KeyboardInterrupt)):
            write_into(files_of_module, tmp_path, replace=SEAL)
    assert tree(tmp_path) == before
    write_into(files_of_module, tmp_path, replace=SEAL)
    assert files(tmp_path) == files_of_module


def test_ctrl_c_just_after_a_move_is_undone_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "tests").mkdir()
    real = os.link

    def interrupted(source: Path, goal: Path) -> None:
        real(source, goal)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(os, "link", interrupted)
        with pytest.raises(KeyboardInterrupt):
            write_into(MODULE, tmp_path, replace=SEAL)
    assert tree(tmp_path) == {"tests": None}


def test_a_second_ctrl_c_does_not_stop_the_cleaning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        signal.raise_signal(signal.SIGINT)

    real = os.rmdir

    def again(*arguments: Any, **options: Any) -> None:
        signal.raise_signal(signal.SIGINT)
        real(*arguments, **options)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", interrupted)
        patch.setattr(os, "rmdir", again)
        with pytest.raises(KeyboardInterrupt):
            write_project(FILES, tmp_path / "site")
    assert tree(tmp_path) == {}
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_files_that_are_there_stay_as_they_are(tmp_path: Path) -> None:
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test_m.py").write_text("mine")
    before = tree(tmp_path)
    with pytest.raises(ScaffoldError, match=r"test_m\.py' is there already"):
        write_into(MODULE, tmp_path, replace=SEAL)
    assert tree(tmp_path) == before


def test_a_record_left_behind_is_replaced(tmp_path: Path) -> None:
    (tmp_path / SEAL).parent.mkdir(parents=True)
    (tmp_path / SEAL).write_text("old")
    write_into(MODULE, tmp_path, replace=SEAL)
    assert files(tmp_path) == MODULE


def test_a_file_system_without_hard_links_will_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    (tmp_path / "tests").mkdir()
    monkeypatch.setattr(os, "link", refused)
    write_into(MODULE, tmp_path, replace=SEAL)
    assert files(tmp_path) == MODULE
    with pytest.raises(ScaffoldError, match="is there already"):
        write_into({"tests/test_m.py": b"other"}, tmp_path)


def test_of_many_who_write_the_same_module_one_wins(tmp_path: Path) -> None:
    (tmp_path / "tests").mkdir()
    (tmp_path / "package" / "modules").mkdir(parents=True)
    start = threading.Barrier(8)
    done: list[int] = []

    def write(number: int) -> None:
        content = str(number).encode()
        start.wait()
        try:
            write_into(dict.fromkeys(MODULE, content), tmp_path, replace=SEAL)
        except ScaffoldError:
            return
        done.append(number)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(done) == 1
    assert files(tmp_path) == dict.fromkeys(MODULE, str(done[0]).encode())


def test_different_modules_at_once_do_not_disturb_each_other(tmp_path: Path) -> None:
    start = threading.Barrier(6)
    wanted = [
        {
            f"package/modules/m{number}/x.py": b"x",
            f"tests/test_m{number}.py": b"t",
            f".tornkit/modules/m{number}.json": b"{}",
        }
        for number in range(6)
    ]
    failed: list[ScaffoldError] = []

    def write(number: int) -> None:
        start.wait()
        try:
            write_into(wanted[number], tmp_path)
        except ScaffoldError as error:
            failed.append(error)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed
    expected = {path: content for each in wanted for path, content in each.items()}
    assert files(tmp_path) == expected
