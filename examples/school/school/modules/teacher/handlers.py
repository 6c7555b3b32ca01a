"""The pages of the teacher area."""

from tornkit import BaseHandler, FormError

from school import grades

from .forms import GradeForm


class Dashboard(BaseHandler):
    """One's own courses."""

    async def get(self) -> None:
        async with self.db(read_only=True) as session:
            courses = await grades.taught_by(session, self.current_user)
        self.response_html("teacher/dashboard.html", courses=courses)


class CoursePage(BaseHandler):
    """The grades of one course, and the form that enters another one."""

    async def get(self, course_id: int) -> None:
        await self.show(course_id)

    async def post(self, course_id: int) -> None:
        try:
            form = self.parse_form(GradeForm)
        except FormError as error:
            await self.show(course_id, error)
            return
        async with self.db() as session:
            course = await grades.own_course(session, self.current_user, course_id)
            await grades.enter(session, course, form.enrollment, form.work, form.points)
            self.session.flash(f"{form.points} points for “{form.work}” are entered.")
            self.redirect(self.reverse_url("teacher:course", course_id=course_id), status=303)

    async def show(self, course_id: int, error: FormError | None = None) -> None:
        async with self.db(read_only=True) as session:
            course = await grades.own_course(session, self.current_user, course_id)
            reports = await grades.reports_of_course(session, course)
        self.response_html(
            "teacher/course.html",
            error,
            course=course,
            reports=reports,
            students=[(report.enrollment_id, report.student) for report in reports],
            values=error.values if error else {},
        )
