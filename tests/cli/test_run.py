"""`tornkit run` with plain Tornado applications: serving, reloading, stopping."""

from __future__ import annotations

import contextlib
import http.client
import os
import select
import signal
import socket
import threading
import time
from pathlib import Path

import pytest

from tests.cli.processes import Running, get, tornkit

PAGE = """
import asyncio, os
import tornado.web

TEXT = "one"

class Page(tornado.web.RequestHandler):
    async def get(self):
        self.write(f"{TEXT} {os.getpid()}")

class Slow(tornado.web.RequestHandler):
    async def get(self):
        print("SLOW", flush=True)
        await asyncio.sleep(float(self.get_argument("seconds", "1")))
        self.write("done")

class Die(tornado.web.RequestHandler):
    def get(self):
        os._exit(7)

def create_app():
    return tornado.web.Application([("/", Page), ("/slow", Slow), ("/die", Die)], debug=True)
"""


@pytest.fixture
def site(tmp_path: Path) -> Path:
    (tmp_path / "pyproject.toml").write_text('[tool.tornkit]\napp = "site_app:create_app"\n')
    (tmp_path / "site_app.py").write_text(PAGE)
    return tmp_path


def running(site: Path, *arguments: str) -> Running:
    return Running("run", "--port", "0", *arguments, cwd=site)


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_prints_the_real_port_once_it_listens_and_answers_there(site: Path) -> None:
    with running(site, "--no-reload") as server:
        status, text = get(server.address())
        assert (status, text.split()[0]) == (200, "one")
        assert int(text.split()[1]) == server.process.pid  # no parent, no child


@pytest.mark.slow
def test_a_changed_file_is_served_and_the_address_stays(site: Path) -> None:
    with running(site) as server:
        address = server.address()
        assert get(address)[1].startswith("one")
        (site / "site_app.py").write_text(PAGE.replace('"one"', '"changed"'))
        server.wait_for(r"Changed: site_app\.py; restarting")
        assert get(address)[1].startswith("changed")  # the browser waits, and is not refused
        server.wait_for("Reloaded")


@pytest.mark.slow
def test_a_new_module_is_served_within_two_seconds(site: Path) -> None:
    with running(site) as server:
        address = server.address()
        began = time.monotonic()
        (site / "extra.py").write_text("TEXT = 'extra'\n")
        (site / "site_app.py").write_text(PAGE.replace('TEXT = "one"', "from extra import TEXT"))
        server.wait_for("Reloaded")
        assert get(address)[1].startswith("extra")
        assert time.monotonic() - began < 2 * 2  # twice the goal: other loads share the machine


@pytest.mark.slow
def test_a_syntax_error_is_shown_as_a_page_and_survived(site: Path) -> None:
    with running(site) as server:
        address = server.address()
        (site / "site_app.py").write_text("def broken(:  # <script>\n")
        server.wait_for("SyntaxError")
        server.wait_for("Waiting for a change")
        status, text = get(address)
        assert status == 503
        assert "SyntaxError" in text
        assert "&lt;script&gt;" in text
        assert "<script>" not in text
        (site / "site_app.py").write_text(PAGE)
        server.wait_for("Reloaded")
        assert get(address)[0] == 200


@pytest.mark.slow
def test_a_process_that_dies_is_reported_and_replaced_at_the_next_change(site: Path) -> None:
    with running(site) as server:
        address = server.address()
        with pytest.raises(OSError):
            get(address + "/die")
        server.wait_for("Waiting for a change")
        status, text = get(address)
        assert status == 503
        assert "ended with code 7" in text
        (site / "site_app.py").write_text(PAGE)
        server.wait_for("Reloaded")


@pytest.mark.slow
def test_files_that_the_site_writes_do_not_restart_it(site: Path) -> None:
    with running(site) as server:
        address = server.address()
        before = get(address)[1]
        for folder in ("data", "log", "upload", ".git", "node_modules", "__pycache__"):
            (site / folder).mkdir()
            (site / folder / "x.py").write_text("1\n")
        (site / "page.html").write_text("new")
        (site / "last.py").write_text("1\n")
        assert server.wait_for("Changed: (.*);")[1].startswith("last.py")
        server.wait_for("Reloaded")
        assert get(address)[1] != before


@pytest.mark.slow
def test_a_mistake_at_the_first_start_ends_with_1_and_no_port(site: Path) -> None:
    (site / "site_app.py").write_text("raise LookupError('mine')\n")
    for reload in ("--reload", "--no-reload"):
        ended = tornkit("run", "--port", "0", reload, cwd=site)
        assert ended.returncode == 1
        assert ended.stdout == ""
        head, *trace = ended.stderr.splitlines()
        assert head == "Error: module 'site_app' could not be imported"
        assert trace[-1] == "LookupError: mine"
        assert "tornkit" not in "".join(trace)
        assert "importlib" not in "".join(trace)


@pytest.mark.slow
def test_a_port_in_use_is_one_line_that_names_it(site: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        ended = tornkit("run", "--port", str(port), cwd=site)
    assert ended.returncode == 1
    (line,) = ended.stderr.splitlines()
    assert f"port {port}" in line
    assert "--port" in line


@pytest.mark.parametrize(
    "reload", ["--reload", pytest.param("--no-reload", marks=pytest.mark.slow)]
)
def test_sigterm_lets_requests_in_flight_finish_and_ends_with_0(site: Path, reload: str) -> None:
    with running(site, reload) as server:
        address = server.address()
        answers: list[tuple[int, str]] = []
        asking = threading.Thread(target=lambda: answers.append(get(address + "/slow?seconds=1")))
        asking.start()
        server.wait_for("SLOW")
        assert server.end(signal.SIGTERM) == 0
        asking.join()
        assert answers == [(200, "done")]


@pytest.mark.parametrize(
    "reload", ["--reload", pytest.param("--no-reload", marks=pytest.mark.slow)]
)
def test_ctrl_c_ends_with_130_and_leaves_no_process(site: Path, reload: str) -> None:
    with running(site, reload) as server:
        child = int(get(server.address())[1].split()[1])
        assert server.end(signal.SIGINT) == 130
        assert not is_alive(child)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)], ids=["sigterm", "ctrl-c"]
)
def test_who_is_asked_twice_ends_at_once(site: Path, number: signal.Signals, code: int) -> None:
    with running(site, "--no-reload") as server:
        address = server.address()

        def ask() -> None:
            with contextlib.suppress(OSError, http.client.HTTPException):
                get(address + "/slow?seconds=20")

        asking = threading.Thread(target=ask)
        asking.start()
        server.wait_for("SLOW")
        began = time.monotonic()
        server.process.send_signal(number)
        time.sleep(0.5)
        assert server.process.poll() is None, "it waits for the request"
        assert server.end(number) == code
        assert time.monotonic() - began < 10
        asking.join()


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="looks into /proc")
@pytest.mark.slow
def test_a_killed_parent_takes_its_child_along(site: Path) -> None:
    with running(site) as server:
        child = int(get(server.address())[1].split()[1])
        assert child != server.process.pid
        watching = os.pidfd_open(child)
        server.process.kill()
        server.process.wait()
        assert select.select([watching], [], [], 10)[0], "the child lives on"
        os.close(watching)


@pytest.mark.slow
def test_an_application_object_is_served_too(site: Path) -> None:
    (site / "site_app.py").write_text(PAGE + "\nready = create_app()\n")
    with running(site, "--app", "site_app:ready") as server:
        assert get(server.address())[0] == 200
