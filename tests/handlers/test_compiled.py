"""What templates compile to is kept on disk, and never believed without need."""

from __future__ import annotations

import logging
import os
import resource
import secrets
import sys
import threading
from typing import TYPE_CHECKING

import jinja2
import pytest

from tornkit import Settings
from tornkit.application.parts import make_templates
from tornkit.handlers.compiled import CompiledTemplates
from tornkit.handlers.templates import check, create_environment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

SECRET = secrets.token_urlsafe(32)
FILES = {
    "base.html": "<title>{% block title %}{% endblock %}</title><script>1</script>",
    "page.html": '{% extends "base.html" %}{% block title %}{{ name }}{% endblock %}',
    "list.txt": "{% for n in range(3) %}{{ n }}{% endfor %}",
}


class Site:
    """A folder with templates, and one process after another that renders them."""

    def __init__(self, folder: Path) -> None:
        self.templates = folder / "project"
        self.kept = folder / "data" / "templates"
        self.templates.mkdir()
        self.kept.parent.mkdir()
        for name, text in FILES.items():
            (self.templates / name).write_text(text)

    def start(self, secret: str = SECRET) -> jinja2.Environment:
        compiled = CompiledTemplates(self.kept, lambda: [secret])
        return create_environment(self.templates, {}, debug=False, compiled=compiled)

    def files(self) -> list[Path]:
        return sorted(self.kept.iterdir())


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


@pytest.fixture(autouse=True)
def compilations(monkeypatch: pytest.MonkeyPatch) -> list[str | None]:
    """Return the names of the templates that are compiled, as it happens."""
    found: list[str | None] = []
    compile_ = jinja2.Environment.compile

    def noted(
        self: jinja2.Environment, source: str, name: str | None = None, *rest: str
    ) -> object:
        found.append(name)
        return compile_(self, source, name, *rest)  # type: ignore[call-overload]

    monkeypatch.setattr(jinja2.Environment, "compile", noted)
    return found


def page(environment: jinja2.Environment) -> str:
    return environment.get_template("page.html").render(name="<Ada>")


PAGE = "<title>&lt;Ada&gt;</title><script>1</script>"


def test_a_second_start_compiles_nothing(site: Site, compilations: list[str | None]) -> None:
    assert page(site.start()) == PAGE
    assert compilations == ["page.html", "base.html"]
    assert page(site.start()) == PAGE
    assert len(compilations) == 2


def test_the_folder_and_its_files_are_for_their_owner_only(site: Site) -> None:
    before = os.umask(0)
    try:
        page(site.start())
    finally:
        os.umask(before)
    assert site.kept.stat().st_mode & 0o777 == 0o700
    assert [file.stat().st_mode & 0o777 for file in site.files()] == [0o600, 0o600]


def test_a_changed_template_is_compiled_again(site: Site, compilations: list[str | None]) -> None:
    page(site.start())
    stamp = (site.templates / "base.html").stat()
    (site.templates / "base.html").write_text("<b>{% block title %}{% endblock %}</b>")
    os.utime(site.templates / "base.html", ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    assert page(site.start()) == "<b>&lt;Ada&gt;</b>"
    assert compilations[2:] == ["base.html"]
    assert len(site.files()) == 2


def cut(content: bytes) -> bytes:
    return content[: len(content) // 2]


def turned(content: bytes) -> bytes:
    return content[:-9] + bytes([content[-9] ^ 1]) + content[-8:]


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "cut": cut,
    "empty": lambda content: b"",
    "a bit": turned,
    "no signature": lambda content: content.partition(b"\n")[2],
    "another signature": lambda content: b"0" * 40 + b"\n" + content.partition(b"\n")[2],
    "no text": lambda content: b"\xff\xfe\n" + content.partition(b"\n")[2],
    "garbage": lambda content: b"\xe3" * 4096,
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_file_is_never_read_as_code(
    site: Site, compilations: list[str | None], damage: str
) -> None:
    page(site.start())
    for file in site.files():
        file.write_bytes(DAMAGES[damage](file.read_bytes()))
    assert page(site.start()) == PAGE
    assert len(compilations) == 4
    assert page(site.start()) == PAGE  # and has been replaced
    assert len(compilations) == 4


def test_a_file_of_another_site_or_of_another_template_is_not_taken(
    site: Site, compilations: list[str | None]
) -> None:
    page(site.start(secrets.token_urlsafe(32)))
    assert page(site.start()) == PAGE
    assert len(compilations) == 4
    first, second = site.files()
    first.write_bytes(second.read_bytes())
    assert page(site.start()) == PAGE
    assert len(compilations) == 5


@pytest.mark.parametrize("what", ["python", "jinja"])
def test_another_version_compiles_by_itself(
    site: Site,
    compilations: list[str | None],
    monkeypatch: pytest.MonkeyPatch,
    what: str,
) -> None:
    page(site.start())
    if what == "python":
        monkeypatch.setattr(sys, "version", "3.99.0")
    else:
        monkeypatch.setattr(jinja2, "__version__", "3.99.0")
    assert page(site.start()) == PAGE
    assert len(compilations) == 4


def test_other_options_compile_by_themselves(site: Site, compilations: list[str | None]) -> None:
    page(site.start())
    changed = site.start()
    changed.trim_blocks = False
    page(changed)
    unescaped = site.start()
    unescaped.autoescape = False
    assert "<Ada>" in page(unescaped)
    assert len(compilations) == 6


def test_a_filter_of_the_site_may_change_under_a_kept_template(site: Site) -> None:
    (site.templates / "page.html").write_text(
        "{{ 5 | price }} {{ 7 is odd }} {{ 'x' | upper | price }}{% if 5 | price %}.{% endif %}"
    )

    def rendered(price: Callable[..., object], odd: Callable[[int], bool]) -> str:
        environment = site.start()
        environment.filters["price"] = price
        environment.tests["odd"] = odd
        return environment.get_template("page.html").render(name="Ada")

    assert rendered(lambda value: f"{value} $", lambda n: True) == "5 $ True X $."
    assert rendered(lambda value: f"{value} €", lambda n: False) == "5 € False X €."

    @jinja2.pass_context
    def price(context: jinja2.runtime.Context, value: object) -> str:
        return f"{value} for {context['name']}"

    assert rendered(price, lambda n: False) == "5 for Ada False X for Ada."


def test_what_an_extension_of_the_site_makes_is_not_kept(site: Site) -> None:
    environment = site.start()
    environment.add_extension("jinja2.ext.do")
    assert page(environment) == PAGE
    assert not site.kept.exists()


# --- where nothing can be kept ---------------------------------------------------------------


def refused(site: Site, caplog: pytest.LogCaptureFixture, words: str) -> None:
    """Assert that pages are rendered all the same, and that one line says why."""
    environment = site.start()
    with caplog.at_level(logging.WARNING):
        assert page(environment) == PAGE
        assert environment.get_template("list.txt").render() == "012"
    (line,) = caplog.messages
    assert words in line
    assert str(site.kept) in line


def test_a_folder_that_others_may_enter_is_refused(
    site: Site, caplog: pytest.LogCaptureFixture, compilations: list[str | None]
) -> None:
    page(site.start())
    site.kept.chmod(0o770)
    refused(site, caplog, "chmod 700")
    assert len(compilations) == 5


def test_a_folder_of_somebody_else_is_refused(
    site: Site, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    page(site.start())
    mine = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: mine + 1)
    refused(site, caplog, "belongs to somebody else")


def test_a_link_in_place_of_the_folder_is_refused(
    site: Site, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    page(site.start())
    site.kept.rename(tmp_path / "elsewhere")
    site.kept.symlink_to(tmp_path / "elsewhere")
    refused(site, caplog, str(site.kept))


def test_a_link_or_a_pipe_in_place_of_a_file_is_not_followed(
    site: Site, compilations: list[str | None], tmp_path: Path
) -> None:
    page(site.start())
    first, second = site.files()
    first.rename(tmp_path / "elsewhere")
    first.symlink_to(tmp_path / "elsewhere")
    assert page(site.start()) == PAGE
    second.unlink()
    os.mkfifo(second)
    assert page(site.start()) == PAGE


def test_a_file_in_place_of_the_folder_is_refused(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    site.kept.write_text("")
    refused(site, caplog, "Not a directory")


def test_a_missing_folder_around_it_is_refused(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    site.kept.parent.rmdir()
    refused(site, caplog, "No such file or directory")


@pytest.fixture
def full_disk() -> Iterator[None]:
    """Let every write fail after a few bytes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, hard))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.usefixtures("full_disk")
def test_a_full_disk_is_said_once_and_leaves_nothing(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    refused(site, caplog, "File too large")
    assert site.files() == []


def test_processes_that_keep_at_once_do_not_disturb_each_other(site: Site) -> None:
    begin, wrong = threading.Barrier(6), []

    def work() -> None:
        begin.wait()
        for _ in range(5):
            for file in site.kept.iterdir() if site.kept.exists() else ():
                file.unlink(missing_ok=True)
            text = page(site.start())
            if text != PAGE:
                wrong.append(text)

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert page(site.start()) == PAGE


# --- the look before a start -----------------------------------------------------------------


def test_what_is_kept_need_not_be_parsed_to_be_looked_at(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment = site.start()
    for name in FILES:
        environment.get_template(name)

    def refuse(*_: object) -> None:
        raise AssertionError("parsed")

    monkeypatch.setattr(jinja2.Environment, "parse", refuse)
    assert check(site.start()) == []
    (site.templates / "base.html").unlink()
    (problem,) = check(site.start())
    assert "refers to 'base.html'" in str(problem)


def test_a_look_keeps_nothing(site: Site) -> None:
    assert check(site.start()) == []
    assert not site.kept.exists()


@pytest.mark.parametrize(
    ("environment", "kept"), [("production", True), ("testing", False), ("development", False)]
)
def test_only_production_keeps_templates(site: Site, environment: str, kept: bool) -> None:
    overrides = {"secret": SECRET, "allowed_hosts": ["example.com"], "paths.data": "data"}
    settings = Settings.load(environment, project_dir=site.kept.parents[1], overrides=overrides)
    made = make_templates(settings, site.templates, {})
    assert page(made) == PAGE
    assert made.auto_reload is (environment == "development")
    assert site.kept.exists() is kept
