"""The pages of the principal area."""

from tornkit import BaseHandler

from school import grades


class Dashboard(BaseHandler):
    """Every course with its average."""

    async def get(self) -> None:
        async with self.db(read_only=True) as session:
            courses = await grades.overview(session)
        self.response_html("principal/dashboard.html", courses=courses)
