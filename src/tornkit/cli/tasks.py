"""``tornkit tasks``: look at jobs, try them again, end them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from tornkit._text import did_you_mean, listing, printable
from tornkit.cli._site import Site, echo, echo_json, print_table, run_async, site_options
from tornkit.errors import StartError, TaskError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable
    from datetime import datetime

    from tornkit.application import Application
    from tornkit.tasks import Job, Task, Tasks

__all__ = ["tasks", "tasks_of"]

_MASK = "********"
_WORDS = 60  # characters of a message or an error in a list


def _statuses(
    _context: click.Context, _parameter: click.Parameter, values: tuple[str, ...]
) -> tuple[str, ...]:
    """Refuse what is no status before anything is loaded."""
    from tornkit.tasks.records import STATUSES  # noqa: PLC0415  imports pydantic

    for value in values:
        if value not in STATUSES:
            near = did_you_mean(value, STATUSES) or f"there is {', '.join(STATUSES)}"
            raise click.BadParameter(f"{printable(value)!r} is no status; {near}")
    return values


def _printable(
    _context: click.Context, _parameter: click.Parameter, value: str | None
) -> str | None:
    """Refuse what is no name of anything, and what a queue cannot even be asked for."""
    if value is not None and not value.isprintable():
        raise click.BadParameter(
            f"{printable(repr(value))} has characters that nothing is named by"
        )
    return value


_ID = click.argument("job_id", metavar="ID")
_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON, for machines.")


@click.group(
    short_help="List jobs, try them again, end them.",
    epilog="Example: tornkit tasks list --status failed",
)
def tasks() -> None:
    """List jobs, try them again, end them.

    A job is one call of a task. It is new, queued, active, aborting, aborted, failed or
    complete.
    """


@tasks.command("list", epilog="Example: tornkit tasks list --status failed --limit 20")
@click.option(
    "--status",
    "statuses",
    multiple=True,
    metavar="STATUS",
    callback=_statuses,
    help="Only jobs of this status; repeatable.",
)
@click.option("--name", metavar="NAME", callback=_printable, help="Only jobs of this task.")
@click.option(
    "--owner",
    metavar="OWNER",
    callback=_printable,
    help="Only jobs that belong to this user, by id.",
)
@click.option(
    "--limit", type=click.IntRange(1, 1000), default=50, show_default=True, help="How many."
)
@_JSON
@site_options
def list_jobs(
    site: Site,
    *,
    statuses: tuple[Any, ...],
    name: str | None,
    owner: str | None,
    limit: int,
    as_json: bool,
) -> None:
    """List jobs, the latest first.

    Where jobs wait and no worker is there to run them, it says so.
    """

    async def work(found: Tasks) -> None:
        jobs = await found.list(status=statuses, name=name, owner=owner, limit=limit)
        if name is not None and not jobs:
            _check_name(name, found.registry)
        if as_json:
            echo_json([_plain(job) for job in jobs])
        else:
            header = ("job", "task", "status", "done", "tries", "enqueued", "says")
            print_table(header, [_row(job) for job in jobs])
        if any(job.state == "queued" for job in jobs) and not await found.workers():
            click.echo("No worker is running; to start one: tornkit worker", err=True)

    _with_tasks(site, work)


@tasks.command(epilog="Example: tornkit tasks show 0f9c2a6de1b84c7f9a3e5d7b1c2f4e60")
@_ID
@_JSON
@site_options
def show(site: Site, *, job_id: str, as_json: bool) -> None:
    """Show all that is known of a job.

    Arguments are masked where their names say that they are secret.
    """

    async def work(found: Tasks) -> None:
        job = await found.get(job_id)
        if as_json:
            echo_json(_plain(job) | _details(job))
            return
        shown = _plain(job) | _details(job)
        traceback = shown.pop("traceback")
        for key, value in shown.items():
            echo(f"{key:12} {_cell(value)}")
        for line in (traceback or "").splitlines()[1:]:  # the first one is the error
            echo(line)

    _with_tasks(site, work)


@tasks.command(epilog="Example: tornkit tasks retry 0f9c2a6de1b84c7f9a3e5d7b1c2f4e60")
@_ID
@site_options
def retry(site: Site, *, job_id: str) -> None:
    """Run a job once more that failed or was aborted."""

    async def work(found: Tasks) -> None:
        job = await found.retry(job_id)
        echo(f"Job {job.id} of {job.name} is {job.state} again.")

    _with_tasks(site, work)


@tasks.command(epilog="Example: tornkit tasks abort 0f9c2a6de1b84c7f9a3e5d7b1c2f4e60")
@_ID
@site_options
def abort(site: Site, *, job_id: str) -> None:
    """End a job.

    One that waits is ended at once, one that runs as soon as its worker can end it.
    """

    async def work(found: Tasks) -> None:
        job = await found.abort(job_id, "aborted by tornkit tasks abort")
        if job.state not in ("aborting", "aborted"):
            raise TaskError(
                f"job {job.id} of {job.name} is {job.state}", hint="there is nothing to abort"
            )
        echo(f"Job {job.id} of {job.name} is {job.state}.")

    _with_tasks(site, work)


@tasks.command(epilog="Example: tornkit tasks schedules")
@_JSON
@site_options
def schedules(site: Site, *, as_json: bool) -> None:
    """List the tasks that run by themselves.

    The last column says when each is due next.
    """
    found = tasks_of(site.load())
    rows = [
        (name, _schedule(found.registry[name]), _iso(due))
        for name, due in sorted(found.schedules().items(), key=lambda item: item[1])
    ]
    if as_json:
        header = ("name", "schedule", "next")
        echo_json([dict(zip(header, row, strict=True)) for row in rows])
    else:
        shown = [(name, schedule, _shown(due)) for name, schedule, due in rows]
        print_table(("task", "schedule", "next"), shown)


def tasks_of(application: Application) -> Tasks:
    """Return the tasks of an application, whose jobs other processes can reach.

    Raises:
        StartError: it has none, or keeps the jobs in its memory.
    """
    found = application.tasks
    if found is None:
        raise StartError(
            "the application has no tasks",
            hint="write a function with @task into a file of the project called tasks.py",
        )
    if found.queue.place == "memory://":
        raise StartError(
            "the jobs are kept in the memory of the running server (tasks.queue)",
            hint="choose database://default to reach them from here",
        )
    return found


def _with_tasks(site: Site, work: Callable[[Tasks], Awaitable[None]]) -> None:
    application = site.load()
    found = tasks_of(application)
    application.config.create_paths()

    async def run() -> None:
        async with found:
            await work(found)

    run_async(run())


def _check_name(name: str, known: Iterable[str]) -> None:
    """Refuse a name that neither a task nor a job has, for it may be a misspelt one."""
    names = list(known)
    if name in names:
        return
    # Tasks are called module:function, and people remember the function.
    ends = [each for each in names if each.rpartition(":")[2] == name]
    near = f"did you mean {ends[0]!r}?" if len(ends) == 1 else did_you_mean(name, names)
    raise click.BadParameter(
        f"there is no task {printable(name)!r}; {near or f'there is {listing(names)}'}",
        param_hint="'--name'",
    )


# --- what is shown -----------------------------------------------------------------------


def _plain(job: Job[Any]) -> dict[str, Any]:
    return {
        "id": job.id,
        "name": job.name,
        "status": job.state,
        "owner": job.owner,
        "progress": job.progress,
        "message": job.message,
        "attempts": job.attempts,
        "enqueued_at": _iso(job.enqueued_at),
        "run_at": _iso(job.run_at),
        "started_at": _iso(job.started_at),
        "finished_at": _iso(job.finished_at),
        "error": job.error,
    }


def _details(job: Job[Any]) -> dict[str, Any]:
    return {
        "priority": job.priority,
        "retries": job.retries,
        "lost": job.lost,
        "worker": job.worker,
        "arguments": _masked(dict(job.arguments)),
        "result": _masked(job.__json__()["result"]),
        "traceback": job.traceback,
    }


def _masked(value: Any) -> Any:
    """Return a value of JSON without what is secret by its name, and without passwords of URLs."""
    from tornkit.settings._masking import is_secret_name, mask_urls  # noqa: PLC0415

    if isinstance(value, dict):
        return {
            key: _MASK if is_secret_name(key) and each is not None else _masked(each)
            for key, each in value.items()
        }
    if isinstance(value, list):
        return [_masked(each) for each in value]
    return mask_urls(value) if isinstance(value, str) else value


def _row(job: Job[Any]) -> tuple[str, ...]:
    says = printable(job.error or job.message or "-", limit=_WORDS)
    done = f"{job.progress:.0%}" if job.progress else "-"
    enqueued = _shown(_iso(job.enqueued_at))
    return (job.id, job.name, job.state, done, str(job.attempts), enqueued, says)


def _cell(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name}={each!r}" for name, each in value.items()) or "-"
    return "-" if value is None or value == "" else str(value)


def _iso(moment: datetime | None) -> str | None:
    """Return a moment as answers of the site have it, in UTC."""
    return None if moment is None else f"{moment:%Y-%m-%dT%H:%M:%S}.{moment:%f}"[:23] + "Z"


def _shown(iso: str | None) -> str:
    return "-" if iso is None else f"{iso[:10]} {iso[11:19]} UTC"


def _schedule(task: Task[..., Any]) -> str:
    options = task.options
    return options.cron if options.cron is not None else f"every {options.every:g} s"
