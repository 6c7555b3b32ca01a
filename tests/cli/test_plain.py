"""`tornkit run --app` with programs of Tornado's, in folders that know nothing of tornkit."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from typing import TYPE_CHECKING

import pytest
from tornado.websocket import websocket_connect

from tests.cli.processes import Running, environment, get, tornkit
from tornkit.cli._plain import read_config
from tornkit.errors import SettingsError
from tornkit.server import Options

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PRODUCTION = ("--environment", "production", "--no-reload")

# One program with what people have in theirs; each page is a test.
PROGRAM = '''
import argparse
import asyncio
import os
import sys

import tornado.ioloop
import tornado.locks
import tornado.options
import tornado.web
import tornado.websocket
import tornado.wsgi

tornado.options.define("port", default=1, type=int)
tornado.options.parse_command_line()
arguments = argparse.ArgumentParser()
arguments.add_argument("--level", default="low")
level = arguments.parse_args().level

called = []
tornado.ioloop.IOLoop.current().add_callback(called.append, "callback")
tornado.ioloop.PeriodicCallback(lambda: called.append("tick"), 10).start()
here = os.path.dirname(os.path.abspath(__file__))


class State(tornado.web.RequestHandler):
    async def get(self):
        while "tick" not in called:
            await asyncio.sleep(0.01)
        foreign = ("sqlalchemy", "jinja2", "pydantic", "alembic", "msgspec", "argon2")
        self.write({
            "callback": "callback" in called,
            "level": level,
            "file": __name__,
            "foreign": [name for name in foreign if name in sys.modules],
            "reloaders": len(sys.modules["tornado.autoreload"]._io_loops),
            "mine": sorted(name for name in sys.modules if name.count(".") == 1
                           and name.startswith("tornkit.")),
            "config": self.application.config,
        })


class Stream(tornado.web.RequestHandler):
    def get(self):
        stream = self.request.connection.stream
        stream.set_nodelay(True)
        self.write({"peer": stream.socket.getpeername()[0], "closed": stream.closed()})


@tornado.web.stream_request_body
class Upload(tornado.web.RequestHandler):
    def initialize(self):
        self.size = 0

    def prepare(self):
        self.request.connection.set_max_body_size(2**30)

    async def data_received(self, chunk):
        await asyncio.sleep(0)
        self.size += len(chunk)

    def put(self):
        self.write({"size": self.size})


class Poll(tornado.web.RequestHandler):
    news = tornado.locks.Condition()

    async def get(self):
        self.write({"news": await self.news.wait()})

    def post(self):
        self.news.notify_all()


class Echo(tornado.websocket.WebSocketHandler):
    def on_message(self, message):
        self.write_message(message)


def wsgi(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"wsgi ", environ["PATH_INFO"].encode()]


class Mine(tornado.web.Application):
    """With names that an application of tornkit's has, too."""

    def __init__(self):
        self.config = "mine"
        routes = [
            ("/state", State), ("/stream", Stream), ("/upload", Upload), ("/poll", Poll),
            ("/echo", Echo),
            ("/files/(.*)", tornado.web.StaticFileHandler, {"path": here}),
            (".*", tornado.web.FallbackHandler, {"fallback": tornado.wsgi.WSGIContainer(wsgi)}),
        ]
        super().__init__(
            routes, debug=True, autoreload=True, xsrf_cookies=True, static_path=here,
            websocket_ping_interval=1,
            log_function=lambda handler: print("MY LOG", handler.request.path, flush=True),
        )

    def startup(self):
        raise SystemExit("nobody asked for this")

    def shutdown(self):
        raise SystemExit("nor for this")


def make_app():
    return Mine()


async def main():
    make_app().listen(tornado.options.options.port)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
'''


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("plain")
    (made / "program.py").write_text(PROGRAM)
    return made


@pytest.fixture(scope="module")
def program(folder: Path) -> Iterator[tuple[Running, str]]:
    arguments = ("run", "--app", "program:make_app", "--port", "0", *PRODUCTION)
    with Running(*arguments, cwd=folder) as running:
        warning = running.wait_for("Warning: .*")
        assert "debug=True" in warning[0]
        yield running, running.address()


TOKEN = {"Cookie": "_xsrf=c0ffee", "X-XSRFToken": "c0ffee"}


def asked(url: str, method: str = "GET", body: bytes | None = None) -> tuple[int, bytes]:
    request = urllib.request.Request(url, body, {"Connection": "close", **TOKEN}, method=method)
    with urllib.request.urlopen(request, timeout=20) as answer:
        return answer.status, answer.read()


@pytest.mark.slow
def test_what_is_done_at_import_is_done_and_nothing_is_imported_in_vain(
    program: tuple[Running, str],
) -> None:
    state = json.loads(asked(program[1] + "/state")[1])
    assert (state["callback"], state["level"], state["file"]) == (True, "low", "program")
    assert state["config"] == "mine"
    assert state["foreign"] == []
    assert state["reloaders"] == 0
    rooms = {"handlers", "databases", "sessions", "checks", "accounts", "routing", "application"}
    assert rooms.isdisjoint(name.removeprefix("tornkit.") for name in state["mine"])
    program[0].wait_for("MY LOG /state")


@pytest.mark.slow
def test_the_stream_of_a_connection_can_be_used(program: tuple[Running, str]) -> None:
    assert json.loads(asked(program[1] + "/stream")[1]) == {"peer": "127.0.0.1", "closed": False}


@pytest.mark.slow
def test_an_upload_is_streamed_past_the_limit_that_its_handler_lifts(
    program: tuple[Running, str],
) -> None:
    body = bytes(120 * 1024 * 1024)
    assert json.loads(asked(program[1] + "/upload", "PUT", body)[1]) == {"size": len(body)}


@pytest.mark.slow
def test_a_form_without_its_token_is_refused(program: tuple[Running, str]) -> None:
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(program[1] + "/poll", b"", timeout=20)
    with caught.value as answer:
        assert answer.status == 403


@pytest.mark.slow
async def test_a_websocket_echoes(program: tuple[Running, str]) -> None:
    async with asyncio.timeout(20):
        opened = await websocket_connect(program[1].replace("http", "ws") + "/echo")
        await opened.write_message("hello")
        assert await opened.read_message() == "hello"
        opened.close()


@pytest.mark.slow
def test_files_and_wsgi_applications_are_served(program: tuple[Running, str]) -> None:
    for place in ("/static/program.py", "/files/program.py"):
        assert asked(program[1] + place) == (200, PROGRAM.encode())
    assert asked(program[1] + "/any/where") == (200, b"wsgi /any/where")


@pytest.mark.slow
def test_somebody_waits_until_there_are_news(program: tuple[Running, str]) -> None:
    host, _, port = program[1].removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), 20) as waiting:
        waiting.sendall(b"GET /poll HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        told = b""
        waiting.settimeout(0.2)
        end = time.monotonic() + 20
        while b"news" not in told and time.monotonic() < end:
            asked(program[1] + "/poll", "POST", b"")
            try:
                told += waiting.recv(65536)
            except TimeoutError:
                continue
    assert b'{"news": true}' in told


@pytest.mark.slow
def test_the_program_ends_with_0_and_none_of_its_own_methods_is_called(folder: Path) -> None:
    arguments = ("run", "--app", "program:make_app", "--port", "0", *PRODUCTION)
    with Running(*arguments, cwd=folder) as running:
        running.address()
        assert running.end(signal.SIGTERM) == 0


@pytest.mark.slow
def test_it_reloads_in_development_by_us_alone(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(PROGRAM)
    with Running("run", "--app", "program:make_app", "--port", "0", cwd=tmp_path) as running:
        address = running.address()
        (tmp_path / "program.py").write_text(PROGRAM.replace('default="low"', 'default="high"'))
        running.wait_for(r"Changed: program\.py; restarting")
        running.wait_for("Reloaded")
        assert json.loads(asked(address + "/state")[1])["level"] == "high"


RELOADING = """
import tornado.autoreload as early
import tornado.web
from tornado.autoreload import start

start()
app = tornado.web.Application([], debug=True)
print("RELOADERS", len(early._io_loops), flush=True)
"""


@pytest.mark.slow
def test_tornados_own_reloader_never_starts(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(RELOADING)
    with Running("run", "--app", "app:app", "--port", "0", "--no-reload", cwd=tmp_path) as running:
        assert running.wait_for("RELOADERS (.*)")[1] == "0"
        running.address()


HELLO = """
import tornado.web

class Who(tornado.web.RequestHandler):
    def get(self):
        self.write(self.request.remote_ip)

    def post(self):
        self.write(str(len(self.request.body)))

class Application(tornado.web.Application):
    async def startup(self):
        print("STARTED", flush=True)

    async def shutdown(self):
        print("SHUT DOWN", flush=True)

app = Application([("/", Who)], xheaders=True)
"""


@pytest.mark.slow
def test_coroutines_for_start_and_end_are_awaited(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(HELLO)
    with Running("run", "--app", "app:app", "--port", "0", *PRODUCTION, cwd=tmp_path) as running:
        warning = running.wait_for("xheaders")
        assert "TORNKIT_SERVER__TRUSTED_PROXIES" in warning.string
        running.wait_for("STARTED")
        address = running.address()
        assert get(address) == (200, "127.0.0.1")
        # As much as Tornado's own server takes.
        assert asked(address, "POST", bytes(11 * 2**20)) == (200, str(11 * 2**20).encode())
        assert running.end(signal.SIGTERM) == 0
        running.wait_for("SHUT DOWN")


@pytest.mark.slow
def test_variables_say_where_and_how_it_is_served(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(HELLO)
    (tmp_path / "settings.toml").write_text("somebody = 'else'\n")
    variables = {
        "TORNKIT_ENVIRONMENT": "production",
        "TORNKIT_PORT": "0",
        "TORNKIT_SERVER__TRUSTED_PROXIES": "127.0.0.1",
        "TORNKIT_SERVER__ENGINE": "tornado",
        "TORNKIT_SERVER__MAX_BODYSIZE": "1",
    }
    with Running("run", "--app", "app:app", cwd=tmp_path, **variables) as running:
        warning = running.wait_for("Warning: .*")[0]
        assert "did you mean 'TORNKIT_SERVER__MAX_BODY_SIZE'?" in warning
        address = running.address()
        request = urllib.request.Request(address, headers={"X-Forwarded-For": "192.0.2.1"})
        with urllib.request.urlopen(request, timeout=20) as answer:
            assert answer.read() == b"192.0.2.1"
        (tmp_path / "app.py").write_text(HELLO + "\n# changed\n")
        assert running.end(signal.SIGTERM) == 0
    assert "Changed" not in running.text
    assert "Warning: xheaders" not in running.text


@pytest.mark.slow
def test_without_uvloop_it_is_served_on_asyncios_loop_and_told_so(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(HELLO)
    (tmp_path / "sitecustomize.py").write_text("import sys\nsys.modules['uvloop'] = None\n")
    path = f"{tmp_path}:{environment()['PYTHONPATH']}"
    arguments = ("run", "--app", "app:app", "--port", "0", *PRODUCTION)
    with Running(*arguments, cwd=tmp_path, PYTHONPATH=path) as running:
        running.wait_for("uvloop is not installed; asyncio's own loop")
        assert get(running.address()) == (200, "127.0.0.1")


ODD = """
import asyncio
import tornado.ioloop
import tornado.routing
import tornado.web
import tornado.wsgi

async def make():
    return tornado.web.Application()

def needs(port):
    ...

wsgi = tornado.wsgi.WSGIContainer(lambda environ, start: [])
router = tornado.routing.RuleRouter([])
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("make", "a plain function that returns one"),
        ("needs", "needs the arguments port"),
        ("wsgi", "is no application but 'WSGIContainer'"),
        ("router", "is no application but 'RuleRouter'"),
        ("missing", "has no 'missing'"),
    ],
)
def test_what_is_no_application_is_one_line(tmp_path: Path, name: str, words: str) -> None:
    (tmp_path / "odd.py").write_text(ODD)
    ended = tornkit("run", "--app", f"odd:{name}", "--port", "0", *PRODUCTION, cwd=tmp_path)
    assert (ended.returncode, ended.stdout) == (1, "")
    (line,) = ended.stderr.splitlines()
    assert words in line


@pytest.mark.slow
@pytest.mark.parametrize(
    "code", ["IOLoop.current().start()", "IOLoop.current().run_sync(work)", "asyncio.run(work())"]
)
def test_a_program_that_runs_a_loop_when_imported_is_told_where_to(
    tmp_path: Path, code: str
) -> None:
    (tmp_path / "odd.py").write_text(
        "import asyncio\nfrom tornado.ioloop import IOLoop\nfrom tornado.web import Application\n"
        f"async def work(): ...\napp = Application()\n{code}\n"
    )
    ended = tornkit("run", "--app", "odd:app", "--port", "0", *PRODUCTION, cwd=tmp_path)
    assert (ended.returncode, ended.stdout) == (1, "")
    first = ended.stderr.splitlines()[0]
    assert 'if __name__ == "__main__"' in first
    assert code in ended.stderr  # with its own traceback


def test_without_variables_a_program_has_tornados_limits() -> None:
    config = read_config(None, {"PATH": "/bin", "TORNKIT_APP": "app:app"})
    assert (config.environment, config.host, config.port) == ("development", "127.0.0.1", 8888)
    assert config.options.max_body_size == 100 * 2**20  # tornado.iostream's max_buffer_size
    assert config.options.engine == "tornkit"
    assert read_config("testing", {"TORNKIT_ENVIRONMENT": "production"}).environment == "testing"


def test_variables_change_single_limits_of_a_program() -> None:
    config = read_config(None, {"TORNKIT_SERVER__IDLE_TIMEOUT": "5", "TORNKIT_HOST": "::1"})
    assert config.host == "::1"
    assert config.options.idle_timeout == 5
    assert config.options.max_body_size == 100 * 2**20
    assert config.options.shutdown_timeout == Options().shutdown_timeout


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("TORNKIT_PORT", "abc", "expected a whole number"),
        ("TORNKIT_SERVER__ENGINE", "gunicorn", "expected tornkit or tornado"),
        ("TORNKIT_SERVER__TRUSTED_PROXIES", "everybody", "expected an address"),
        ("TORNKIT_ENVIRONMENT", "prod", "expected development, testing or production"),
    ],
)
def test_a_bad_variable_is_named(name: str, value: str, words: str) -> None:
    with pytest.raises(SettingsError) as caught:
        read_config(None, {name: value})
    (problem,) = caught.value.problems
    assert problem.origin == f"env {name}"
    assert words in problem.expected


@pytest.mark.slow
def test_what_run_imports_takes_little_memory() -> None:
    # All that serves a program; tests/benchmarks/run_app.py measures whole processes.
    code = (
        "import resource as r, tornado.httpserver, tornado.web{}; print(r.getrusage(0).ru_maxrss)"
    )
    ours = ", tornkit.cli._main, tornkit.cli.run, tornkit.cli._serve, uvloop"
    alone, together = (
        int(subprocess.check_output([sys.executable, "-c", code.format(more)], env=environment()))
        for more in ("", ours)
    )
    assert together < 1.3 * alone
