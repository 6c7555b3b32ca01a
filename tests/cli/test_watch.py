"""What the watcher notices, and what it leaves alone."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from tornkit.cli._watch import Change, Watcher

if TYPE_CHECKING:
    from pathlib import Path


def old(path: Path) -> None:
    """Let a folder's last change lie so far back that its listing is trusted."""
    os.utime(path, ns=(0, 0))


def test_nothing_changed_is_none(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text("1")
    watcher = Watcher(tmp_path)
    assert watcher.look() is None
    assert watcher.look() is None


@pytest.mark.parametrize(
    "name", ["app.py", "settings.toml", "settings.production.toml", ".env", "a/b/models.py"]
)
def test_code_and_settings_need_a_restart(tmp_path: Path, name: str) -> None:
    file = tmp_path / name
    file.parent.mkdir(parents=True, exist_ok=True)
    watcher = Watcher(tmp_path)
    file.write_text("1")
    assert watcher.look() == Change((str(file),), needs_restart=True)
    file.write_text("22")
    assert watcher.look() == Change((str(file),), needs_restart=True)
    file.unlink()
    assert watcher.look() == Change((str(file),), needs_restart=True)


def test_an_edit_is_seen_in_a_folder_whose_listing_is_trusted(tmp_path: Path) -> None:
    file = tmp_path / "app.py"
    file.write_text("1")
    old(tmp_path)
    watcher = Watcher(tmp_path)
    assert watcher.look() is None
    file.write_text("22")
    assert watcher.look() == Change((str(file),), needs_restart=True)
    (tmp_path / "more.py").write_text("1")
    change = watcher.look()
    assert change
    assert change.needs_restart


def test_a_file_made_in_the_same_tick_as_the_last_look_is_seen(tmp_path: Path) -> None:
    watcher = Watcher(tmp_path)
    stamp = tmp_path.stat().st_mtime_ns
    (tmp_path / "app.py").write_text("1")
    os.utime(tmp_path, ns=(stamp, stamp))
    assert watcher.look()


def test_templates_and_static_files_are_read_again_without_a_restart(tmp_path: Path) -> None:
    for name in ("page.html", "style.css"):
        (tmp_path / name).write_text("1")
    watcher = Watcher(tmp_path)
    (tmp_path / "page.html").write_text("22")
    assert watcher.look() == Change((str(tmp_path / "page.html"),), needs_restart=False)


def test_code_is_named_before_templates(tmp_path: Path) -> None:
    watcher = Watcher(tmp_path)
    (tmp_path / "a.html").write_text("1")
    (tmp_path / "z.py").write_text("1")
    paths = (str(tmp_path / "z.py"), str(tmp_path / "a.html"))
    assert watcher.look() == Change(paths, needs_restart=True)


def test_a_new_folder_needs_a_restart(tmp_path: Path) -> None:
    watcher = Watcher(tmp_path)
    (tmp_path / "static").mkdir()
    assert watcher.look() == Change((str(tmp_path / "static"),), needs_restart=True)


@pytest.mark.parametrize(
    "name", [".git", "__pycache__", "node_modules", "data", "log", "upload", "tests", "a/.venv"]
)
def test_these_folders_are_left_alone(tmp_path: Path, name: str) -> None:
    (tmp_path / "a").mkdir()
    watcher = Watcher(tmp_path)
    folder = tmp_path / name
    folder.mkdir()
    (folder / "app.py").write_text("1")
    assert watcher.look() is None


def test_only_at_the_top_is_data_left_alone(tmp_path: Path) -> None:
    folder = tmp_path / "modules" / "data"
    folder.mkdir(parents=True)
    watcher = Watcher(tmp_path)
    (folder / "app.py").write_text("1")
    assert watcher.look()


def test_a_virtual_environment_of_any_name_is_left_alone(tmp_path: Path) -> None:
    folder = tmp_path / "env"
    folder.mkdir()
    (folder / "pyvenv.cfg").write_text("")
    watcher = Watcher(tmp_path)
    (folder / "app.py").write_text("1")
    assert watcher.look() is None


def test_folders_are_left_alone_from_when_it_is_told(tmp_path: Path) -> None:
    folder = tmp_path / "var" / "uploads"
    folder.mkdir(parents=True)
    watcher = Watcher(tmp_path)
    watcher.ignore([str(folder)])
    assert watcher.look() is None
    (folder / "app.py").write_text("1")
    assert watcher.look() is None


def test_a_folder_that_goes_away_while_it_is_looked_at_is_no_error(tmp_path: Path) -> None:
    watcher = Watcher(tmp_path / "gone")
    assert watcher.look() is None
