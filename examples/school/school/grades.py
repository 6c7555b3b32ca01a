"""Questions about courses and grades; every module asks them here."""

from dataclasses import dataclass, field
from datetime import date

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession
from tornkit import AppError

from school.models import Course, Enrollment, Grade, User


@dataclass
class Report:
    """The grades of one student in one course."""

    enrollment_id: int
    course: str
    student: str
    grades: list[Grade] = field(default_factory=list)

    @property
    def average(self) -> float | None:
        points = [grade.points for grade in self.grades]
        return sum(points) / len(points) if points else None


@dataclass(frozen=True)
class Overview:
    """What a principal sees of one course."""

    course: str
    teacher: str
    students: int
    grades: int
    average: float | None


async def taught_by(session: AsyncSession, teacher: User) -> list[tuple[Course, int]]:
    """Return the courses of a teacher, each with its number of students."""
    found = await session.execute(
        select(Course, func.count(Enrollment.id))
        .outerjoin(Enrollment, Enrollment.course_id == Course.id)
        .where(Course.teacher_id == teacher.id)
        .group_by(Course.id)
        .order_by(Course.title)
    )
    return [(course, students) for course, students in found]


async def own_course(session: AsyncSession, teacher: User, course_id: int) -> Course:
    """Return a course of this teacher; those of others do not exist for them."""
    course = await session.get(Course, course_id)
    if course is None or course.teacher_id != teacher.id:
        raise AppError(404, f"course {course_id} is not one of {teacher.email}")
    return course


async def reports_of_student(session: AsyncSession, student: User) -> list[Report]:
    """Return a student's grades, course by course."""
    found = await session.execute(
        select(Enrollment.id, Course.title)
        .join(Course, Course.id == Enrollment.course_id)
        .where(Enrollment.student_id == student.id)
        .order_by(Course.title)
    )
    reports = [Report(enrollment_id, title, student.email) for enrollment_id, title in found]
    return await _with_grades(session, reports)


async def reports_of_course(session: AsyncSession, course: Course) -> list[Report]:
    """Return the grades in a course, student by student."""
    found = await session.execute(
        select(Enrollment.id, User.email)
        .join(User, User.id == Enrollment.student_id)
        .where(Enrollment.course_id == course.id)
        .order_by(User.email)
    )
    reports = [Report(enrollment_id, course.title, email) for enrollment_id, email in found]
    return await _with_grades(session, reports)


async def _with_grades(session: AsyncSession, reports: list[Report]) -> list[Report]:
    by_enrollment = {report.enrollment_id: report for report in reports}
    grades = await session.scalars(
        select(Grade)
        .where(Grade.enrollment_id.in_(by_enrollment))
        .order_by(Grade.given_on, Grade.id)
    )
    for grade in grades:
        by_enrollment[grade.enrollment_id].grades.append(grade)
    return reports


async def enter(
    session: AsyncSession, course: Course, enrollment_id: int, work: str, points: int
) -> None:
    """Give a grade to a student of this course."""
    enrollment = await session.get(Enrollment, enrollment_id)
    if enrollment is None or enrollment.course_id != course.id:
        raise AppError(404, f"enrollment {enrollment_id} is not in course {course.id}")
    today = date.today()
    session.add(Grade(enrollment_id=enrollment.id, work=work, points=points, given_on=today))


async def overview(session: AsyncSession) -> list[Overview]:
    """Return every course with its average."""
    found = await session.execute(
        select(
            Course.title,
            User.email,
            func.count(Enrollment.id.distinct()),
            func.count(Grade.id),
            func.avg(Grade.points),
        )
        .join(User, User.id == Course.teacher_id)
        .outerjoin(Enrollment, Enrollment.course_id == Course.id)
        .outerjoin(Grade, Grade.enrollment_id == Enrollment.id)
        .group_by(Course.id, Course.title, User.email)
        .order_by(Course.title)
    )
    return [
        Overview(course, teacher, students, grades, None if average is None else float(average))
        for course, teacher, students, grades, average in found
    ]
