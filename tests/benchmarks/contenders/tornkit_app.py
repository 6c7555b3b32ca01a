"""tornkit, with everything on that is on by default in production.

Two things are said: sessions are kept in memory, for no contender has a database, and the
access log is off, or in ``hello-full`` goes to a file. ``hello-bare`` is a `BaseHandler`
in a plain application: without security headers and without an access log.

`tornkit run` serves it as any site; run by itself it is on Tornado's own HTTP server and
asyncio's own loop.
"""

from __future__ import annotations

import asyncio
import logging

from tests.benchmarks.contenders import common
from tests.benchmarks.contenders.modules.home import routes
from tornkit import Application, Settings, logs
from tornkit.routing import RoutedApplication


def create_app() -> RoutedApplication:
    if common.CASE == "hello-bare":
        logging.getLogger("tornado.access").setLevel(logging.WARNING)
        return RoutedApplication(routes())
    settings = Settings.load(
        "production",
        project_dir=common.FOLDER,
        overrides={
            "secret": common.SECRET,
            "allowed_hosts": [common.HOST],
            "databases": {},
            "session.store": "memory://",
            "logging": _logging(),
        },
    )
    return Application(settings, modules="tests.benchmarks.contenders.modules")


def _logging() -> dict[str, object]:
    if common.CASE == "hello-full":
        return {"root": {"handlers": ["file"]}}
    return {"loggers": {"tornkit.access": {"level": "WARNING"}}}


async def main() -> None:
    application = create_app()
    if isinstance(application, Application):  # what `tornkit run` does for it
        config = application.config
        await application.startup()
        logs.configure(config.logging, debug=config.debug, log_dir=config.paths.log)
    application.listen(common.PORT, common.HOST)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
