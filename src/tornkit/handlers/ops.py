"""``/ops/tasks``: the tasks of a site for those who run it, whom its door lets in by their role.

The pages work without scripts. With one, what has changed is fetched and put in its place every
few seconds; what is open or has the focus stays so.
"""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, TypeAlias, get_args
from urllib.parse import urlencode

from pydantic import BaseModel, Field, model_validator
from tornado.web import HTTPError

from tornkit import encoding
from tornkit.errors import FormError, QueueUnavailable, TaskError, UnknownJob
from tornkit.handlers import nonces
from tornkit.handlers.base import BaseHandler
from tornkit.handlers.error_pages import own_pages
from tornkit.logs import mask

if TYPE_CHECKING:
    from typing import Self

    from tornkit.tasks import Job, Tasks

__all__ = ["OpsTask", "OpsTasks"]

_log = logging.getLogger("tornkit.handlers")

Status: TypeAlias = Literal["queued", "active", "complete", "failed", "aborting", "aborted"]

PAGE: Final = 50
FAILURES: Final = 10
_LONGEST_TRACEBACK: Final = 4000  # characters in the list; the page of a task has all of it
_CAN_ABORT: Final = ("new", "queued", "active")
_CAN_RETRY: Final = ("failed", "aborted")

Text = Annotated[str, Field(max_length=200)]


class _Filter(BaseModel):
    status: Status | None = None
    name: Text | None = None
    owner: Text | None = None
    after: Text | None = None


class _Order(BaseModel):
    abort: Text | None = None
    retry: Text | None = None

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        if (self.abort is None) == (self.retry is None):
            raise ValueError("expected the id of a task to abort, or of one to retry")
        return self


class _OpsHandler(BaseHandler):
    """What the two pages share: their look, and what can be ordered on them."""

    @property
    def tasks(self) -> Tasks:
        """The tasks of the site."""
        if self.site.tasks is None:
            raise HTTPError(404)
        return self.site.tasks

    async def post(self, **which: str) -> None:
        """Abort or retry a task, and come back."""
        order = self.parse_form(_Order)
        try:
            job, done = await self._carry_out(order)
        except UnknownJob:
            raise HTTPError(404) from None
        except QueueUnavailable:
            raise
        except TaskError as refused:
            if self.wants_json():
                raise FormError(message=str(refused), code=409) from refused
            self.session.flash(f"{refused}.", "error")
        else:
            user = self.current_user
            _log.info("task %s of %s: %s by user %s", job.id, job.name, done, user.id)
            if self.wants_json():
                self.response_json(task=job)
                return
            self.session.flash(f"{job.name} is {job.state}.")
        self.redirect(self._here, status=303)

    @property
    def _here(self) -> str:
        """This page with its filters, for what is sent from it to lead back to it."""
        path, query = self.request.path, self.request.query
        return f"{path}?{query}" if query else path

    async def _carry_out(self, order: _Order) -> tuple[Job[Any], str]:
        if order.abort is not None:
            reason = "aborted by those who run the site"
            return await self.tasks.abort(order.abort, reason), "aborted"
        return await self.tasks.retry(order.retry or ""), "retried"

    def show(self, template: str, **data: Any) -> None:
        """Answer with a page of tornkit's own."""
        # A page that is fetched again and again must not take messages that wait for another.
        is_live = "X-Live" in self.request.headers
        data |= {
            "is_live": is_live,
            "flashes": [] if is_live else self.session_flashes(),
            "can_abort": _CAN_ABORT,
            "can_retry": _CAN_RETRY,
            "here": self._here,
            "list_url": self.reverse_url("ops:tasks"),
            "url_of": lambda job: self.reverse_url("ops:task", job_id=job.id),
        }
        page = nonces.render(own_pages.get_template(template), self, data)
        self.response(page, "text/html; charset=utf-8")


class OpsTasks(_OpsHandler):
    """How all tasks stand, what has failed, who works, what is due."""

    async def get(self) -> None:
        """Show it, as a page or as JSON."""
        given = self.parse_query(_Filter)
        try:
            found = await self.tasks.list(
                status=given.status,
                name=given.name,
                owner=given.owner,
                after=given.after,
                limit=PAGE + 1,
            )
        except UnknownJob:
            raise HTTPError(404) from None
        jobs, more = found[:PAGE], len(found) > PAGE
        counts, workers = await self.tasks.counts(), await self.tasks.workers()
        schedules = self.tasks.schedules()
        if self.wants_json():
            self.response_json(counts=counts, workers=workers, schedules=schedules, tasks=jobs)
            return
        is_plain = given == _Filter()
        self.show(
            "ops_tasks.html",
            counts=counts,
            failures=await self.tasks.list(status="failed", limit=FAILURES) if is_plain else [],
            jobs=jobs,
            given=given,
            is_plain=is_plain,
            statuses=get_args(Status),
            names=sorted(self.tasks.registry),
            older_url=self._older_than(jobs[-1], given) if more else "",
            workers=workers,
            schedules=sorted(schedules.items(), key=lambda item: item[1]),
            options={name: each.options for name, each in self.tasks.registry.items()},
        )

    def _older_than(self, job: Job[Any], given: _Filter) -> str:
        asked = {**given.model_dump(exclude_none=True), "after": job.id}
        return f"{self.reverse_url('ops:tasks')}?{urlencode(asked)}"


class OpsTask(_OpsHandler):
    """All that is known of one task."""

    async def get(self, job_id: str) -> None:
        """Show it, as a page or as JSON."""
        try:
            job = await self.tasks.get(job_id)
        except UnknownJob:
            raise HTTPError(404) from None
        if self.wants_json():
            self.response_json(task=job)
            return
        self.show("ops_task.html", job=job, result=job.__json__()["result"])


# --- how values are shown ----------------------------------------------------------------


def _span(seconds: float) -> str:
    """Return a duration in two units at most."""
    if seconds < 10:
        return f"{seconds:.2g} s" if seconds >= 0.01 else "under 10 ms"
    left = timedelta(seconds=round(seconds))
    hours, minutes = left.seconds // 3600, left.seconds // 60 % 60
    parts = (
        (left.days, "d"),
        (hours, "h"),
        (minutes, "min"),
        (left.seconds % 60, "s"),
    )
    first = next((index for index, (number, _) in enumerate(parts) if number), 3)
    return " ".join(f"{number} {unit}" for number, unit in parts[first : first + 2] if number)


def _took(job: Job[Any]) -> str:
    if job.started_at is None or job.finished_at is None:
        return ""
    return _span(max(0.0, (job.finished_at - job.started_at).total_seconds()))


def _is_delayed(job: Job[Any]) -> bool:
    return job.run_at - job.enqueued_at >= timedelta(seconds=1)


def _moment(given: datetime) -> str:
    """Return a time in UTC, without the day where that is today."""
    known = given.astimezone(UTC)
    is_today = known.date() == datetime.now(UTC).date()
    return known.strftime("%H:%M:%S" if is_today else "%Y-%m-%d %H:%M:%S")


def _end_of(text: str) -> str:
    left_out = len(text) - _LONGEST_TRACEBACK
    return f"… {left_out} characters before this …\n{text[left_out:]}" if left_out > 0 else text


def _as_json(value: Any) -> str:
    """Return a value as people read it, private ones hidden as in logs."""
    return encoding.encode(mask({"": value})[""], pretty=True).decode()


own_pages.filters |= {
    "span": _span,
    "took": _took,
    "is_delayed": _is_delayed,
    "moment": _moment,
    "end_of": _end_of,
    "as_json": _as_json,
}
