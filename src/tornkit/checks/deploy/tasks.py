"""Where tasks wait, who runs them, and whether anybody sees what fails."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tornkit.application.stores import bind_of
from tornkit.checks.deploy.findings import about

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tornkit.application import Application
    from tornkit.checks.messages import Message

__all__ = ["CHECKS"]


def _queue(application: Application) -> str:
    """Return the scheme of the queue of a site with tasks, or ""."""
    config = application.config
    if application.tasks is None:
        return ""
    url = config.task_queue_url()
    scheme, _, rest = config.database_urls().get(bind_of(url) or "", url).partition("://")
    scheme = scheme.partition("+")[0]
    in_memory = scheme == "sqlite" and rest.strip("/") in ("", ":memory:")
    return "memory" if in_memory else scheme


def tasks_memory(application: Application) -> Iterator[Message]:
    """A queue in memory is one for each process, and gone with it."""
    if _queue(application) == "memory":
        yield about(
            application.config,
            "tasks.queue",
            "deploy.tasks-memory",
            "a restart loses what is queued, and no other process runs it",
            'use "database://" and the name of a database, or Redis',
            found=application.config.tasks.queue,
        )


def tasks_one_machine(application: Application) -> Iterator[Message]:
    """Machines that share a database server do not share a file."""
    servers = [
        name for name, bind in application.databases.sql.items() if bind.dialect != "sqlite"
    ]
    if servers and _queue(application) == "sqlite":
        yield about(
            application.config,
            "tasks.queue",
            "deploy.tasks-one-machine",
            f"the queue is a file of one machine, while the database {servers[0]!r} is a server"
            " that several can use",
            "keep it in PostgreSQL or Redis, unless there will be one machine only",
        )


def tasks_in_site(application: Application) -> Iterator[Message]:
    """What tasks compute, requests wait for."""
    if application.tasks is not None and application.config.tasks.run_in_site:
        yield about(
            application.config,
            "tasks.run_in_site",
            "deploy.tasks-in-site",
            "tasks run in the processes that answer requests, which wait for what they compute",
            "leave it out, and run `tornkit worker` beside the site",
            found="true",
        )


def tasks_unwatched(application: Application) -> Iterator[Message]:
    """Somebody should see what has failed."""
    if application.tasks is not None and not application.config.tasks.ops_roles:
        yield about(
            application.config,
            "tasks.ops_roles",
            "deploy.tasks-unwatched",
            "nobody sees in a browser which tasks have failed",
            "name the roles that may open /ops/tasks; `tornkit tasks list` works without",
            level="info",
        )


CHECKS = (tasks_memory, tasks_one_machine, tasks_in_site, tasks_unwatched)
