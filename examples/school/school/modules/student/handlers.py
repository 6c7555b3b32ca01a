"""The pages of the student area."""

from tornkit import BaseHandler

from school import grades


class Dashboard(BaseHandler):
    """One's own grades, and nobody else's."""

    async def get(self) -> None:
        async with self.db(read_only=True) as session:
            reports = await grades.reports_of_student(session, self.current_user)
        self.response_html("student/dashboard.html", reports=reports)
