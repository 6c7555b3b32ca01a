"""One process of a small site, for tests that start several on one session store.

``python -m tests.contracts.shared_site FOLDER SETTINGS``: the settings are JSON. It prints
its port, and ends when its input does.
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

from tornkit import PUBLIC, Application, BaseHandler, Module, Settings, path
from tornkit.server import serve

__all__ = ["make"]


class Values(BaseHandler):
    async def get(self) -> None:
        self.response_json(values=dict(self.session))

    async def post(self, key: str) -> None:
        self.session[key] = 1
        self.response_json()


class Count(BaseHandler):
    async def post(self) -> None:
        self.response_json(count=await self.session.increment("count"))


def make(folder: Path, overrides: dict[str, object]) -> Application:
    settings = Settings.load("testing", project_dir=folder, overrides=overrides)
    routes = [path("/", Values), path("/put/{key}", Values), path("/count", Count)]
    return Application(settings, modules=[Module(name="home", access=PUBLIC, routes=routes)])


async def main() -> None:
    application = make(Path(sys.argv[1]), json.loads(sys.argv[2]))
    async with serve([(application, 0)]) as (port,):
        print(port, flush=True)
        await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(main())
