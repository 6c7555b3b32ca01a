"""What a session costs a request: ``python -m tests.benchmarks.sessions``.

Then, how long each operation of a store takes, one after the other.

One process of the site for each store; rounds alternate between them and between pages
without a session, with one that is read, and with one that is changed. Medians of the
site's own CPU time, and of the wall clock, in microseconds. Not a test.
"""

from __future__ import annotations

import asyncio
import http.client
import json
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.contracts.shared_site import make
from tests.contracts.test_shared_sessions import keeping, place_of, prepare
from tornkit.testing._session_contract.support import LATER, digest, stored

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tornkit.sessions import SessionStore

ROUNDS = 7
REQUESTS = 500
OPERATIONS = 300
SERVERS = {"PostgreSQL": "postgresql", "MariaDB": "mysql", "Redis": "redis"}
PAGES = ("without", "cookie only", "read", "changed")

SITE = """
import asyncio, json, pathlib, sys, time
from tornkit import PUBLIC, Application, BaseHandler, Module, Settings, path
from tornkit.server import new_event_loop, serve

class Without(BaseHandler):
    uses_session = False
    async def get(self):
        self.response_json(cpu=time.process_time())

class Cookie(BaseHandler):
    async def get(self):
        self.response_json(cpu=time.process_time())

class Read(BaseHandler):
    async def get(self):
        self.response_json(cpu=time.process_time(), name=self.session.get("name"))

class Changed(BaseHandler):
    async def get(self):
        self.session["visits"] = self.session.get("visits", 0) + 1
        self.response_json(cpu=time.process_time())

async def main():
    settings = Settings.load(
        "testing", project_dir=pathlib.Path(sys.argv[1]), overrides=json.loads(sys.argv[2])
    )
    handlers = (Without, Cookie, Read, Changed)
    routes = [path(f"/{handler.__name__.lower()}", handler) for handler in handlers]
    home = Module(name="home", access=PUBLIC, routes=routes)
    application = Application(settings, modules=[home])
    async with serve([(application, 0)]) as (port,):
        for database in application.databases.sql.values():
            await database.migrations.upgrade()
        print(port, flush=True)
        await asyncio.to_thread(sys.stdin.read)

with asyncio.Runner(loop_factory=new_event_loop) as runner:
    runner.run(main())
"""


class Site:
    """One process, and one connection to it that keeps its cookie."""

    def __init__(
        self,
        stack: ExitStack,
        folder: Path,
        settings: dict[str, object],
        start: Callable[..., subprocess.Popen[str]] = subprocess.Popen,
    ) -> None:
        folder.mkdir()
        process = start(
            [sys.executable, "-c", SITE, str(folder), json.dumps(settings)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        stack.enter_context(process)
        assert process.stdout is not None
        port = int(process.stdout.readline())
        self.url = f"http://127.0.0.1:{port}"
        self._connection = http.client.HTTPConnection("127.0.0.1", port)
        self.cookie = ""
        self._get("/changed")

    def _get(self, page: str) -> Any:
        headers = {"Cookie": self.cookie} if self.cookie else {}
        self._connection.request("GET", page, headers=headers)
        answer = self._connection.getresponse()
        body = json.loads(answer.read())
        self.cookie = (answer.headers["Set-Cookie"] or self.cookie).partition(";")[0]
        return body

    def close(self) -> None:
        """Close the connection, so that the site can end."""
        self._connection.close()

    def microseconds(self, page: str) -> tuple[float, float]:
        """Return what a request of a page takes of the CPU and of the clock."""
        cpu, clock = self._get(page)["cpu"], time.perf_counter()
        for _ in range(REQUESTS - 1):
            self._get(page)
        clock = time.perf_counter() - clock
        return (self._get(page)["cpu"] - cpu) / REQUESTS * 1e6, clock / (REQUESTS - 1) * 1e6


def measure() -> None:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        settings: dict[str, dict[str, object]] = {
            "memory": {"session.store": "memory://", "databases": {}},
            "SQLite": {"session.store": "database://default"},
        }
        for name, kind in SERVERS.items():
            settings[name] = keeping(kind, stack.enter_context(place_of(kind, folder)))
        sites = {name: Site(stack, folder / name, given) for name, given in settings.items()}
        taken: dict[tuple[str, str], list[tuple[float, float]]] = {}
        for _ in range(ROUNDS):
            for page in PAGES:
                for name, site in sites.items():
                    found = site.microseconds(f"/{page.split()[0]}")
                    taken.setdefault((name, page), []).append(found)
        print(f"{'CPU (clock), µs':16}", *(f"{page:>18}" for page in PAGES))
        for name in sites:
            cells = []
            for page in PAGES:
                cpu, clock = (
                    statistics.median(values) for values in zip(*taken[name, page], strict=True)
                )
                cells.append(f"{cpu:9.0f} ({clock:5.0f})")
            print(f"{name:16}", *(f"{cell:>18}" for cell in cells))
        print()
        asyncio.run(measure_operations(folder, settings))


async def measure_operations(folder: Path, settings: dict[str, dict[str, object]]) -> None:
    """Print the median of each operation, in microseconds of the clock."""
    table: dict[str, dict[str, float]] = {}
    for name, overrides in settings.items():
        place = folder / f"{name}-operations"
        place.mkdir()
        await prepare(place, overrides)
        async with make(place, overrides) as application:
            table[name] = await operations(application.sessions.store)
    print(f"{'clock, µs':16}", *(f"{name:>12}" for name in table))
    for operation in next(iter(table.values())):
        cells = (f"{of_store[operation]:12.0f}" for of_store in table.values())
        print(f"{operation:16}", *cells)


async def operations(store: SessionStore) -> dict[str, float]:
    taken: dict[str, list[float]] = {}
    for number in range(OPERATIONS):
        for name, operation in life(store, number).items():
            began = time.perf_counter()
            await operation()
            taken.setdefault(name, []).append((time.perf_counter() - began) * 1e6)
    return {name: statistics.median(each) for name, each in taken.items()}


def life(store: SessionStore, number: int) -> dict[str, Callable[[], Awaitable[object]]]:
    """Return what happens to one session, in this order."""
    old, new, user = digest(f"old{number}"), digest(f"new{number}"), f"user{number}"
    return {
        "create": lambda: store.create(stored(old, name="Ada", cart=[1, 2, 3])),
        "load": lambda: store.load(old),
        "apply, a visit": lambda: store.apply(old, put={}, drop=(), **LATER),
        "apply, two keys": lambda: store.apply(old, put={"x": "1"}, drop=["name"], **LATER),
        "increment": lambda: store.increment(old, "n", 1, **LATER),
        "rotate": lambda: store.rotate(old, stored(new, user, z=1), drop=["x"]),
        "list_user": lambda: store.list_user(user),
        "delete_user": lambda: store.delete_user(user),
        "delete, nothing": lambda: store.delete(new),
        "clear_expired": lambda: store.clear_expired(0),
        "ping": store.ping,
    }


if __name__ == "__main__":
    measure()
