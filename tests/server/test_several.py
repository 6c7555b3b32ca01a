"""The guide's program that serves two applications, as a process, asked from outside."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import urllib.request
from typing import TYPE_CHECKING

import pytest

from tests.docs import pages

if TYPE_CHECKING:
    from pathlib import Path

GUIDE = pages.DOCS / "how-to" / "deploy.md"
SLOW = """
class Figures(tornado.web.RequestHandler):
    async def get(self) -> None:
        print("ASKED", flush=True)
        await asyncio.sleep(0.5)
        self.write(self.application.settings["figures"])


async def main"""


def asked(port: str) -> object:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=20) as answer:
        return json.loads(answer.read())


@pytest.mark.slow
def test_a_site_and_a_plain_application_share_a_process(tmp_path: Path) -> None:
    (program,) = pages.blocks(GUIDE, "python")
    text = program.text.replace("8888", "0").replace("8889", "0").replace("\nasync def main", SLOW)
    (tmp_path / "program.py").write_text(text)
    path = os.pathsep.join([str(pages.ROOT / "src"), os.environ.get("PYTHONPATH", "")])
    with subprocess.Popen(
        [sys.executable, "program.py"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": path},
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            *_, site, plain = process.stdout.readline().split()
            assert asked(site) == {"code": 0, "message": "", "hello": "world"}
            answers: list[object] = []
            asking = threading.Thread(target=lambda: answers.append(asked(plain)))
            asking.start()
            assert process.stdout.readline() == "ASKED\n"
            process.send_signal(signal.SIGTERM)
            asking.join()
            assert answers == [{"visits": 1}]  # what was in flight has its answer
            assert process.wait(20) == 0
        finally:
            process.kill()
