"""The servers that the tests need: a MongoDB where none runs, and the weather service.

tornkit's own fixtures make databases for the run on the servers of the settings, and drop them.
"""

import os
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from tornado.httpserver import HTTPServer
from tornado.testing import bind_unused_port

from storage.weather_server import make_app

MONGODB = "STORAGE_DATABASES__CATALOG"
PATIENCE = 20  # seconds


@pytest.fixture(scope="session", autouse=True)
def mongodb(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Start a MongoDB for the run, unless a variable names one or one runs on this machine."""
    if MONGODB in os.environ or listens(27017):
        yield
        return
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    folder = tmp_path_factory.mktemp("mongodb")
    options = ["--port", str(port), "--data-dir", str(folder)]
    options += ["--log-file", str(folder / "log"), "--pid-file", str(folder / "pid")]
    command = [sys.executable, "-W", "ignore", "-m", "nx_27017.nx_27017", *options]
    with (folder / "output").open("wb") as output:
        server = subprocess.Popen(command, cwd=folder, stdout=output, stderr=output)
    os.environ[MONGODB] = f"mongodb://127.0.0.1:{port}/storage"
    try:
        wait_for(server, port, folder / "output")
        yield
    finally:
        del os.environ[MONGODB]
        server.kill()
        server.wait()


def wait_for(server: "subprocess.Popen[bytes]", port: int, output: Path) -> None:
    deadline = time.monotonic() + PATIENCE
    while not listens(port):
        assert server.poll() is None, output.read_text()
        assert time.monotonic() < deadline, output.read_text()
        time.sleep(0.02)


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture
async def weather() -> AsyncIterator[str]:
    """Serve the weather on a free port, from the start in every test; return its address."""
    listening, port = bind_unused_port()
    server = HTTPServer(make_app())
    server.add_socket(listening)
    yield f"http://127.0.0.1:{port}"
    server.stop()
    await server.close_all_connections()


@pytest.fixture
def settings_overrides(weather: str) -> dict[str, Any]:
    return {"databases.weather": weather}
