"""`tornkit run` with a tornkit project: what is refused, migrated and read again."""

from __future__ import annotations

import secrets
import signal
from typing import TYPE_CHECKING

import pytest

from tests.cli.processes import Running, get, tornkit

if TYPE_CHECKING:
    from tests.cli.conftest import Project

pytestmark = pytest.mark.slow  # each test starts a site of its own


def running(project: Project, *arguments: str, **variables: str) -> Running:
    return Running("run", *arguments, cwd=project.folder, **variables)


@pytest.mark.slow
def test_development_migrates_sqlite_says_so_and_reads_changes_again(project: Project) -> None:
    with running(project) as server:
        server.wait_for("Applied to the database 'default': 0001_sessions")
        address = server.address()
        assert get(address)[1] == "<h1>Home</h1>"
        project.write("PACKAGE/templates/home.html", "<h1>Edited</h1>")
        assert get(address)[1] == "<h1>Edited</h1>"
        project.write("settings.toml", "port = 0\ndebug = false\n")
        server.wait_for("Changed: settings.toml.*; restarting")
        server.wait_for("Reloaded")
        project.write(
            "PACKAGE/modules/librarian.py",
            "from tornkit import PUBLIC, BaseHandler, Module, path\n"
            "class Books(BaseHandler):\n"
            "    def get(self): self.response_json(books=3)\n"
            "module = Module(access=PUBLIC, routes=[path('/', Books)])\n",
        )
        server.wait_for("Reloaded")
        assert '"books"' in get(address + "/librarian/")[1]
        project.write("PACKAGE/modules/librarian.py", "module = 3\n")
        server.wait_for("Waiting for a change")
        status, text = get(address)
        assert status == 503
        assert "librarian" in text
        assert server.end(signal.SIGINT) == 130


MISTAKES = {
    "a bad setting": ("settings.toml", "port = 'abc'\n", "settings: "),
    "an unknown setting": ("settings.toml", "prot = 1\n", "did you mean 'port'?"),
    "a broken template": ("PACKAGE/templates/home.html", "{% if %}", "home.html"),
    "a file without module": ("PACKAGE/modules/empty.py", "x = 1\n", "empty.py"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_one_line_before_a_port_is_opened(project: Project, mistake: str) -> None:
    name, text, words = MISTAKES[mistake]
    project.write(name, text)
    ended = tornkit("run", "--no-reload", cwd=project.folder)
    assert ended.returncode == 1
    assert ended.stdout == ""
    (line,) = ended.stderr.splitlines()
    assert words in line


def test_an_unmigrated_database_outside_of_development_is_refused(project: Project) -> None:
    ended = tornkit("run", "--environment", "testing", cwd=project.folder)
    assert ended.returncode == 1
    assert ended.stdout == ""
    (line,) = ended.stderr.splitlines()
    assert "tornkit db upgrade" in line


def test_production_refuses_with_every_reason(project: Project) -> None:
    ended = tornkit("run", "--environment", "production", cwd=project.folder)
    assert ended.returncode == 1
    assert [line.split()[2] for line in ended.stderr.splitlines()] == ["secret", "allowed_hosts"]


@pytest.mark.slow
def test_production_is_found_out_late_too_and_serves_in_one_process(project: Project) -> None:
    project.migrated()
    variables = {
        "SITE_ENVIRONMENT": "production",  # no package is called site, so that no parent knows
        "SITE_SECRET": secrets.token_urlsafe(48),
        "SITE_ALLOWED_HOSTS": "127.0.0.1",
    }
    with running(project, **variables) as server:
        line = server.wait_for(r"Serving on (http://\S+) \(production\)")
        assert get(line[1])[0] == 200
        project.write("PACKAGE/extra.py", "1\n")
        assert get(line[1])[0] == 200
        assert server.end(signal.SIGTERM) == 0
    assert "Changed" not in server.text
