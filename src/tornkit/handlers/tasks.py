"""What visitors may ask about their tasks: how they stand, and each change as it comes.

``GET /tasks/ID`` answers at once, with ``?wait=30`` when the task has ended or the time is up;
``GET /tasks/ID/events`` is a stream of events; ``DELETE /tasks/ID`` aborts. Whoever may not see a
task is told what they would be told of one that does not exist.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING, Annotated, Any, Final

from pydantic import BaseModel, Field
from tornado.iostream import StreamClosedError
from tornado.web import HTTPError, RequestHandler

from tornkit import encoding
from tornkit.errors import QueueUnavailable, UnknownJob
from tornkit.handlers.base import BaseHandler
from tornkit.handlers.negotiation import quality
from tornkit.routing import path

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from tornkit.access import Access
    from tornkit.routing import Route
    from tornkit.tasks import Job

__all__ = [
    "HEARTBEAT",
    "LONGEST_STREAM",
    "LONGEST_WAIT",
    "TaskEvents",
    "TaskStatus",
    "task_routes",
]

_log = logging.getLogger("tornkit.handlers")

LONGEST_WAIT: Final = 60
"""Seconds that an answer may wait for the end of a task."""
HEARTBEAT: Final = 15.0
"""Seconds of silence after which a stream says that it is there, for what lies between."""
LONGEST_STREAM: Final = 300.0
"""Seconds after which a stream ends, and the client comes again: it is asked anew who it is."""
_COME_AGAIN: Final = 2.0
"""Seconds after which a client whose stream has ended comes again."""
_LAST: Final = "end"
"""The id of the event that no other follows."""


class _Wait(BaseModel):
    wait: Annotated[float, Field(ge=0, le=LONGEST_WAIT, allow_inf_nan=False)] = 0


class _TaskHandler(BaseHandler):
    """Find the task of a request, for whom it may be told to."""

    def initialize(self) -> None:
        """Be ready to be left."""
        self._left = asyncio.Event()

    def wants_json(self) -> bool:
        """Answer errors as JSON too."""
        return True

    def on_connection_close(self) -> None:
        """Take note that the client has gone."""
        super().on_connection_close()
        self._left.set()

    async def find(self, job_id: str) -> Job[Any]:
        """Return the job of an id.

        Raises:
            tornado.web.HTTPError: 404; there is none, or it is somebody else's.
            QueueUnavailable: the queue does not answer; a 503.
        """
        if self.site.tasks is None or not self._may_own_tasks():
            raise HTTPError(404)
        try:
            job = await self.site.tasks.get(job_id)
        except UnknownJob:
            raise HTTPError(404) from None
        if not self.may_see_task(job):
            raise HTTPError(404)
        return job

    async def while_wanted(self, work: Coroutine[Any, Any, None]) -> None:
        """Await some work, until the client leaves or the site is about to end."""
        application: Any = self.application
        working = asyncio.create_task(work)
        ends = [asyncio.create_task(each.wait()) for each in (self._left, application.draining)]
        try:
            await asyncio.wait([working, *ends], return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in (working, *ends):
                each.cancel()
            await asyncio.wait([working, *ends])
        if not working.cancelled():
            working.result()

    async def stream(self, job: Job[Any]) -> None:
        """Answer with an event for each change of a job, until it has ended."""
        if job.has_ended and self.request.headers.get("Last-Event-ID") == _LAST:
            self.set_status(204)  # by which a browser learns to come no more
            return
        self.set_header("Content-Type", "text/event-stream; charset=utf-8")
        self.set_header("Cache-Control", "no-store")
        self.set_header("X-Accel-Buffering", "no")  # nginx would keep events until it has many
        self.write(f"retry: {_COME_AGAIN * 1000:.0f}\n\n")
        with contextlib.suppress(StreamClosedError):
            await self.while_wanted(self._tell(job))

    async def _tell(self, job: Job[Any]) -> None:
        loop, number, told = asyncio.get_running_loop(), 0, b""
        ends_at = loop.time() + LONGEST_STREAM
        while loop.time() < ends_at:
            try:
                async for each in job.changes(HEARTBEAT):
                    state = encoding.encode(each)
                    if state != told:
                        number, told = number + 1, state
                        self.write(f"id: {_LAST if each.has_ended else number}\ndata: ")
                        self.write(state + b"\n\n")
                        await self.flush()
            except UnknownJob:
                return
            except QueueUnavailable:
                await asyncio.sleep(_COME_AGAIN)
            if job.has_ended:
                return
            self.write(": still there\n\n")
            await self.flush()


class TaskStatus(_TaskHandler):
    """``/tasks/ID``: how a task stands, and its end."""

    async def get(self, job_id: str) -> None:
        """Answer with what is known, or with events for a client that asks for them."""
        if self._wants_events():
            await self.stream(await self.find(job_id))
            return
        seconds = self.parse_query(_Wait).wait
        job = await self.find(job_id)
        if seconds and not job.has_ended:
            await self.while_wanted(_ended(job, seconds))
        self.response_json(task=job)

    def _wants_events(self) -> bool:
        accept = self.request.headers.get("Accept", "")
        return (
            self.request.method == "GET"
            and "text/event-stream" in accept.lower()
            and quality(accept, "text", "event-stream") >= quality(accept, "application", "json")
        )

    async def delete(self, job_id: str) -> None:
        """Abort it; what has ended already stays as it is."""
        job, user = await self.find(job_id), self.current_user
        is_own = user is None or str(user.id) == job.owner
        await job.abort(f"aborted by {'its owner' if is_own else 'those who run the site'}")
        _log.info("task %s of %s: aborted by user %s", job.id, job.name, getattr(user, "id", None))
        self.response_json(task=job)


class TaskEvents(_TaskHandler):
    """``/tasks/ID/events``: each change of a task, for ``EventSource``."""

    head = RequestHandler._unimplemented_method

    async def get(self, job_id: str) -> None:
        """Stream."""
        await self.stream(await self.find(job_id))


async def _ended(job: Job[Any], seconds: float) -> None:
    try:
        await job.wait(seconds)
    except UnknownJob:
        raise HTTPError(404) from None


def task_routes(prefix: str = "/tasks", *, access: Access | None = None) -> list[Route]:
    """Return routes by which owners ask about their tasks, for a module of a site.

    Every site that has tasks answers under ``/tasks`` already; these are for other places, where
    a module's door stands before them.

    Args:
        prefix: what they begin with, within the module.
        access: who may pass, where it differs from the module's.

    Example:
        ``Module(access=SIGNED_IN, routes=[*task_routes(), ...])`` in the module ``teacher`` serves
        ``/teacher/tasks/ID``; its names are ``teacher:task`` and ``teacher:task-events``.
    """
    return [
        path(f"{prefix}/{{job_id}}", TaskStatus, name="task", access=access),
        path(f"{prefix}/{{job_id}}/events", TaskEvents, name="task-events", access=access),
    ]
