"""Take numbers, and show what has become of them."""

from collections.abc import Callable

from sqlalchemy import select
from tornkit import AppError, Application, BaseHandler, FormError
from tornkit.databases import paginate
from tornkit.errors import UnknownJob
from tornkit.tasks import Job

from number_service.models import Result, Summary
from number_service.tasks import factorise

from .queries import MAX_N, Asked, Number


class Numbers(BaseHandler):
    """What the handlers of this module share."""

    application: Application

    async def show_form(self, error: FormError | None = None) -> None:
        async with self.db(read_only=True) as session:
            summary = await session.scalar(select(Summary).order_by(Summary.id.desc()).limit(1))
        n = error.values.get("n", "") if error else ""
        self.response_html("home/index.html", error, n=n, summary=summary, largest=MAX_N)


class Home(Numbers):
    """The form."""

    async def get(self) -> None:
        await self.show_form()


class NumberRequest(Numbers):
    """Have a number taken apart; the answer comes at once, and tells where its result will be."""

    def wants_json(self) -> bool:
        """Answer in JSON, but to browsers, which name HTML."""
        return "text/html" not in self.request.headers.get("Accept", "")

    async def get(self) -> None:
        await self.accept(self.parse_query)

    async def post(self) -> None:
        await self.accept(self.parse_form)

    async def accept(self, parse: Callable[[type[Number]], Number]) -> None:
        try:
            asked = parse(Number)
        except FormError as error:
            if self.wants_json():
                raise
            await self.show_form(error)
            return
        job = await self.enqueue(factorise.using(key=asked.key), asked.n)
        page = self.reverse_url("home:number", job_id=job.id)
        if self.wants_json():
            self.set_header("Location", self.reverse_url("tasks:task", job_id=job.id))
            self.response_json(status_code=202 if job.is_new else 200, task=job, page=page)
        else:
            self.redirect(page, status=303)


class NumberPage(Numbers):
    """What has become of one number."""

    async def get(self, job_id: str) -> None:
        async with self.db(read_only=True) as session:
            result = await session.scalar(select(Result).filter_by(job_id=job_id))
        # Its job is kept for seven days only.
        job = None if result else await self.find(job_id)
        self.response_html("home/number.html", result=result, job=job)

    async def find(self, job_id: str) -> Job[list[int]]:
        """Return a job of the visitor's, or end the request with a 404."""
        assert self.application.tasks is not None
        try:
            job = await self.application.tasks.get(job_id)
        except UnknownJob:
            raise AppError(404) from None
        if job.name != factorise.name or not self.may_see_task(job):
            raise AppError(404)
        return job


class History(Numbers):
    """All results, the latest first."""

    async def get(self) -> None:
        asked = self.parse_query(Asked)
        found = select(Result).order_by(Result.found_at.desc())
        async with self.db(read_only=True) as session:
            results = await paginate(session, found, page=asked.page, size=20)
        self.response_html("home/history.html", results=results)
