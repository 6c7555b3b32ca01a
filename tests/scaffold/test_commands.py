"""``tornkit new``, ``add-module``, ``remove-module``, from the outside."""

from __future__ import annotations

import itertools
import json
import os
import re
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.scaffold.test_names import NOWHERE
from tests.scaffold.test_write import files, tree
from tornkit.cli._main import cli

if TYPE_CHECKING:
    from collections.abc import Callable

    Run = Callable[..., "Result"]

ROOT = Path(__file__).parents[2]


class Result:
    """What a command ended with and printed."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err


@pytest.fixture
def run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Run:
    """Run a command in an empty folder, in this process."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TORNKIT_APP", raising=False)

    def call(*arguments: str) -> Result:
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            cli.main([*arguments], prog_name="tornkit")
        out, err = capsys.readouterr()
        assert isinstance(ended.value.code, int)
        return Result(ended.value.code, out, err)

    return call


@pytest.fixture
def site(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a fresh project, which is the working folder."""
    assert run("new", "myschool", "--modules", "student").code == 0
    monkeypatch.chdir(tmp_path / "myschool")
    return tmp_path / "myschool"


# --- new ---------------------------------------------------------------------------------


def test_new_says_what_it_made_and_what_comes_next(run: Run, tmp_path: Path) -> None:
    done = run("new", "my-app", "--modules", "student,teacher")
    assert done.code == 0
    assert "Made the project my-app in my-app" in done.out
    assert "Its package is my_app." in done.out
    assert done.out.splitlines()[-2:] == ["  cd my-app", "  tornkit run"]
    assert (tmp_path / "my-app" / "my_app" / "modules" / "teacher" / "__init__.py").is_file()


def test_a_database_on_a_server_needs_its_driver_and_its_tables_first(
    run: Run, tmp_path: Path
) -> None:
    done = run("new", "tall", "--database", "postgresql://ada@localhost/tall")
    assert done.out.splitlines()[-3:] == [
        "  pip install -e .",
        "  tornkit db upgrade",
        "  tornkit run",
    ]
    readme = (tmp_path / "tall" / "README.md").read_text()
    steps = ["pip install", "tornkit db upgrade", "tornkit run", "pytest"]
    assert sorted(steps, key=readme.index) == steps


@pytest.mark.parametrize("name", NOWHERE)
def test_a_bad_name_ends_with_2_one_line_and_nothing_made(
    run: Run, tmp_path: Path, name: str
) -> None:
    done = run("new", name)
    assert done.code == 2
    assert done.err.endswith("\n")
    assert done.err[:-1].isprintable()
    assert tree(tmp_path) == {}


def test_the_directory_is_the_project_folder_itself(run: Run, tmp_path: Path) -> None:
    done = run("new", "myschool", "--directory", "here/it is")
    assert (tmp_path / "here" / "it is" / "pyproject.toml").is_file()
    assert "  cd 'here/it is'" in done.out.splitlines()


def test_an_empty_folder_may_be_the_target(run: Run, tmp_path: Path) -> None:
    assert run("new", "myschool", "--directory", ".").code == 0
    assert (tmp_path / "pyproject.toml").is_file()


@pytest.mark.parametrize("directory", ["", " ", "a\0b", "a\nb"])
def test_a_directory_that_cannot_be_typed_is_refused(
    run: Run, tmp_path: Path, directory: str
) -> None:
    assert run("new", "myschool", "--directory", directory).code == 2
    assert tree(tmp_path) == {}


def test_a_folder_with_something_in_it_is_refused(run: Run, tmp_path: Path) -> None:
    (tmp_path / "myschool").mkdir()
    (tmp_path / "myschool" / "mine").write_text("mine")
    for options in ([], ["--dry-run"]):
        done = run("new", "myschool", *options)
        assert done.code == 1
        assert len(done.err.splitlines()) == 1
    assert files(tmp_path) == {"myschool/mine": b"mine"}


def test_a_dry_run_lists_everything_and_writes_nothing(run: Run, tmp_path: Path) -> None:
    planned = run("new", "myschool", "--modules", "a,b/c", "--dry-run")
    assert planned.code == 0
    assert tree(tmp_path) == {}
    run("new", "myschool", "--modules", "a,b/c")
    listed = [line.strip() for line in planned.out.splitlines()[1:]]
    assert listed == sorted(files(tmp_path / "myschool"))


def test_a_minimal_project_has_only_a_start_page(run: Run, tmp_path: Path) -> None:
    run("new", "tiny", "--minimal")
    made = files(tmp_path / "tiny")
    assert "tiny/modules/home/handlers.py" in made
    assert not any("account" in path or "migrations" in path for path in made)


@pytest.mark.parametrize(
    "options",
    [
        ["--minimal", "--database", "sqlite:///x.db"],
        ["--dry-run", "--run"],
        ["--modules", "home"],
        ["--modules", "a,,b"],
        ["--database", "postgres://localhost/x"],
        ["--databse", "x"],
    ],
)
def test_options_that_make_no_sense_end_with_2(
    run: Run, tmp_path: Path, options: list[str]
) -> None:
    done = run("new", "myschool", *options)
    assert done.code == 2
    assert len(done.err.splitlines()) == 1
    assert tree(tmp_path) == {}


def test_a_password_is_never_printed(run: Run, tmp_path: Path) -> None:
    done = run("new", "myschool", "--database", "postgresql://ada:s3cret@localhost/school")
    assert done.code == 0
    assert "s3cret" not in done.out + done.err
    environment = tmp_path / "myschool" / ".env"
    assert "s3cret" in environment.read_text()
    assert stat.S_IMODE(environment.stat().st_mode) == 0o600
    assert "tornkit[postgresql]" in (tmp_path / "myschool" / "pyproject.toml").read_text()


def test_run_becomes_the_server_in_the_project(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Became(Exception):
        pass

    def become(program: str, arguments: list[str]) -> None:
        assert program == sys.executable
        assert arguments[1:] == ["-m", "tornkit", "run"]
        assert Path.cwd() == tmp_path / "myschool"
        raise Became

    monkeypatch.setattr(os, "execv", become)
    assert "Became" in run("new", "myschool", "--run").err


def command(folder: Path, *arguments: str, **options: object) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    return subprocess.Popen(  # type: ignore[call-overload,no-any-return]
        [sys.executable, "-m", "tornkit", *arguments],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )


def test_a_disk_that_takes_no_more_leaves_nothing(tmp_path: Path) -> None:
    resource = pytest.importorskip("resource")

    def limit() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (3000, 3000))

    process = command(tmp_path, "new", "myschool", preexec_fn=limit)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert len(err.splitlines()) == 1
    assert tree(tmp_path) == {}


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="drops root's rights")
def test_a_read_only_folder_is_refused_in_one_line(tmp_path: Path) -> None:
    # What root may, nobody may not; the way to the folder has to be open, though.
    closed = Path("/tmp") / f"tornkit-closed-{os.getpid()}"
    closed.mkdir(mode=0o755)
    script = (
        "import locale, os, tornkit.cli._failure\n"
        "from tornkit.cli._main import cli\n"
        # Whatever is needed is imported once, for Python's own folder may be closed too.
        "try: cli.main(['new', 'myschool', '--dry-run'], prog_name='tornkit')\n"
        "except SystemExit: pass\n"
        "import tornkit.scaffold.write\n"
        "os.setuid(65534)\n"
        "cli.main(['new', 'myschool'], prog_name='tornkit')\n"
    )
    try:
        done = subprocess.run(
            [sys.executable, "-c", script],
            cwd=closed,
            env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 1
        assert "Permission denied" in done.stderr
        assert len(done.stderr.splitlines()) == 1
        assert tree(closed) == {}
    finally:
        closed.rmdir()


def test_ctrl_c_half_way_ends_with_130(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "rename", interrupted)
    assert run("new", "myschool").code == 130
    assert tree(tmp_path) == {}


def test_ctrl_c_leaves_all_or_nothing(tmp_path: Path) -> None:
    for number, delay in enumerate((0.05, 0.1, 0.15, 0.2)):
        folder = tmp_path / str(number)
        folder.mkdir()
        process = command(folder, "new", "myschool", "--modules", "a,b,c,d,e")
        time.sleep(delay)  # the point is to hit it anywhere, not to wait for something
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
        names = [entry.name for entry in folder.iterdir()]
        assert names in ([], ["myschool"])
        if names:
            assert (folder / "myschool" / ".tornkit" / "modules" / "e.json").is_file()
        elif process.returncode != 130:
            assert process.returncode in {1, -signal.SIGINT}  # Python itself was starting


# --- add-module and remove-module --------------------------------------------------------


def test_a_module_comes_and_goes_without_a_trace(run: Run, site: Path) -> None:
    before = files(site)
    added = run("add-module", "librarian")
    assert added.code == 0
    assert "at /librarian/" in added.out
    after = files(site)
    assert {path: after[path] for path in before} == before
    new = after.keys() - before.keys()
    assert new == {
        ".tornkit/modules/librarian.json",
        "myschool/modules/librarian/__init__.py",
        "myschool/modules/librarian/handlers.py",
        "myschool/modules/librarian/static/librarian.css",
        "myschool/modules/librarian/templates/dashboard.html",
        "tests/modules/test_librarian.py",
    }
    (site / "myschool/modules/librarian/__pycache__").mkdir()
    (site / "myschool/modules/librarian/__pycache__/x.pyc").touch()
    assert run("remove-module", "librarian").code == 0
    assert files(site) == before
    assert not (site / "myschool/modules/librarian").exists()


def test_what_was_made_and_what_was_removed_are_counted_alike(run: Run, site: Path) -> None:
    assert ": 6 files." in run("add-module", "librarian").out
    assert run("remove-module", "librarian").out == "Removed the module librarian: 6 files.\n"
    assert ": 7 files." in run("add-module", "staff/cook").out
    assert run("remove-module", "staff/cook").out == "Removed the module staff.cook: 7 files.\n"


def hue(site: Path, module: str) -> int:
    style = site / f"myschool/modules/{module}/static/{module}.css"
    return int(re.findall(r"--hue: (\d+);", style.read_text())[0])


def test_an_added_module_looks_different_from_all_others(run: Run, site: Path) -> None:
    names = ["student", "teacher", "principal", "news"]
    for name in names[1:]:
        assert run("add-module", name).code == 0
    hues = [hue(site, name) for name in names]
    assert all(
        min(abs(one - other), 360 - abs(one - other)) >= 45
        for one, other in itertools.combinations(hues, 2)
    ), hues


def test_a_damaged_record_of_another_module_does_not_matter(run: Run, site: Path) -> None:
    (site / ".tornkit/modules/student.json").write_text("{")
    assert run("add-module", "librarian").code == 0


def test_a_module_is_added_from_any_folder_of_the_project(
    run: Run, site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(site / "myschool" / "modules" / "home")
    assert run("add-module", "librarian").code == 0
    assert (site / "myschool/modules/librarian/handlers.py").is_file()


def test_the_door_is_as_asked(run: Run, site: Path) -> None:
    run("add-module", "a", "--role", "x", "--role", "head-y", "--role", "x")
    run("add-module", "b", "--public", "--prefix", "/bee")
    run("add-module", "c", "--signed-in")
    run("add-module", "d/e")

    def source(name: str) -> str:
        return (site / "myschool/modules" / name / "__init__.py").read_text()

    assert 'access=roles("x", "head-y"),' in source("a")
    assert "access=PUBLIC," in source("b")
    assert 'prefix="/bee",' in source("b")
    assert "access=SIGNED_IN," in source("c")
    assert 'access=roles("e"),' in source("d/e")


@pytest.mark.parametrize("name", [*NOWHERE, "static", "health", "head-master", "Teacher"])
def test_a_bad_module_name_changes_nothing(run: Run, site: Path, name: str) -> None:
    before = tree(site)
    for verb in ("add-module", "remove-module"):
        done = run(verb, name)
        assert done.code == 2
        assert done.err[:-1].isprintable()
    assert tree(site) == before


@pytest.mark.parametrize(
    "options",
    [
        ["--public", "--signed-in"],
        ["--public", "--role", "x"],
        ["--role", "No Good"],
        ["--prefix", "nowhere"],
        ["--prefix", "/static"],
    ],
)
def test_bad_options_change_nothing(run: Run, site: Path, options: list[str]) -> None:
    before = tree(site)
    assert run("add-module", "librarian", *options).code == 2
    assert tree(site) == before


def test_a_module_that_is_there_is_never_overwritten(run: Run, site: Path) -> None:
    (site / "myschool/modules/flat.py").write_text("module = None\n")
    before = tree(site)
    for name in ("student", "home", "flat", "flat/below", "student/below"):
        done = run("add-module", name)
        assert done.code == 1, name
        assert len(done.err.splitlines()) == 1
    assert tree(site) == before


def test_a_dry_run_of_a_module_writes_nothing(run: Run, site: Path) -> None:
    before = tree(site)
    done = run("add-module", "librarian", "--dry-run")
    assert "tests/modules/test_librarian.py" in done.out
    assert tree(site) == before


def test_a_group_goes_with_its_last_module(run: Run, site: Path) -> None:
    before = files(site)
    run("add-module", "staff/cook")
    run("add-module", "staff/nurse")
    assert run("remove-module", "staff/cook").code == 0
    assert (site / "myschool/modules/staff/__init__.py").is_file()
    assert run("add-module", "staff/cook").code == 0
    assert run("remove-module", "staff/nurse").code == 0
    assert run("remove-module", "staff/cook").code == 0
    assert files(site) == before
    assert not (site / "myschool/modules/staff").exists()


def test_edited_and_added_files_are_kept_and_named(run: Run, site: Path) -> None:
    page = site / "myschool/modules/student/templates/dashboard.html"
    page.write_text("mine")
    own = site / "myschool/modules/student/own.py"
    own.write_text("mine")
    done = run("remove-module", "student")
    assert done.code == 0
    assert "Kept myschool/modules/student/templates/dashboard.html: it was edited." in done.out
    assert "Kept myschool/modules/student/own.py: it was not generated." in done.out
    kept = {path for path in files(site) if "student" in path}
    assert kept == {
        "myschool/modules/student/templates/dashboard.html",
        "myschool/modules/student/own.py",
    }


def test_line_ends_changed_by_git_are_no_edit(run: Run, site: Path) -> None:
    for path in (site / "myschool/modules/student").rglob("*.*"):
        path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    assert run("remove-module", "student").code == 0
    assert not (site / "myschool/modules/student").exists()


def test_a_module_without_a_record_stays(run: Run, site: Path) -> None:
    before = tree(site)
    done = run("remove-module", "studnt")
    assert done.code == 1
    assert "did you mean 'student'?" in done.err
    assert run("remove-module", "home").code == 1
    assert tree(site) == before


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        '{"tornkit": "1", "answers": {}, "files": {"../outside": "x"}}',
        '{"tornkit": "1", "answers": {}, "files": {"/etc/passwd": "x"}}',
    ],
)
def test_a_damaged_record_removes_nothing(run: Run, site: Path, content: str) -> None:
    (site / ".tornkit/modules/student.json").write_text(content)
    before = tree(site)
    assert run("remove-module", "student").code == 1
    assert tree(site) == before


def test_outside_of_a_project_both_say_so(run: Run, tmp_path: Path) -> None:
    for verb in ("add-module", "remove-module"):
        done = run(verb, "librarian")
        assert done.code == 1
        assert "no project here" in done.err
    assert tree(tmp_path) == {}


def test_the_record_holds_the_answers(run: Run, site: Path) -> None:
    run("add-module", "librarian", "--role", "reader", "--prefix", "/books")
    record = json.loads((site / ".tornkit/modules/librarian.json").read_text())
    assert record["answers"] == {
        "name": "librarian",
        "access": "roles",
        "roles": ["reader"],
        "prefix": "/books",
        "hue": 90,
    }


def test_every_command_has_help_with_an_example(run: Run) -> None:
    for verb in ("new", "add-module", "remove-module"):
        done = run(verb, "--help")
        assert done.code == 0
        assert f"Example: tornkit {verb}" in done.out


def test_nothing_heavy_is_imported(tmp_path: Path) -> None:
    script = (
        "import sys\n"
        "from tornkit.cli._main import cli\n"
        "try:\n    cli.main(['new', 'myschool', '--modules', 'a'], prog_name='tornkit')\n"
        "except SystemExit: pass\n"
        "print({'tornado', 'sqlalchemy', 'pydantic', 'asyncio'} & set(sys.modules))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines()[-1] in {"set()", "{'asyncio'}"}
