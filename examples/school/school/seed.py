"""Fill an empty database with a small school to look at: ``python -m school.seed``."""

import asyncio
from datetime import date

from sqlalchemy import select
from tornkit import Application

from school.app import create_app
from school.models import Course, Enrollment, Grade, User

PASSWORD = "a school of birds"
PEOPLE = {
    "owl": "principal",
    "robin": "teacher",
    "magpie": "teacher",
    "finch": "student",
    "wren": "student",
}
WORKS = {"Fractions": date(2026, 9, 18), "Triangles": date(2026, 10, 9)}
# Course → teacher and, for each student, the points of the works in turn.
COURSES: dict[str, tuple[str, dict[str, list[int]]]] = {
    "Mathematics": ("robin", {"finch": [90, 75], "wren": [42]}),
    "Music": ("robin", {"wren": [88]}),
    "History": ("magpie", {"finch": []}),
}


def email(name: str) -> str:
    return f"{name}@school.example"


async def seed(app: Application) -> dict[str, Course]:
    """Create users, courses and grades; return the courses by title."""
    assert app.accounts is not None
    users: dict[str, User] = {}
    courses: dict[str, Course] = {}
    async with app.db() as session:
        for name, role in PEOPLE.items():
            users[name] = await app.accounts.create(email(name), PASSWORD, [role])
        for title, (teacher, students) in COURSES.items():
            courses[title] = Course(title=title, teacher_id=users[teacher].id)
            session.add(courses[title])
            await session.flush()
            for student, points in students.items():
                enrollment = Enrollment(course_id=courses[title].id, student_id=users[student].id)
                session.add(enrollment)
                await session.flush()
                session.add_all(grades_of(enrollment, points))
    return courses


def grades_of(enrollment: Enrollment, points: list[int]) -> list[Grade]:
    return [
        Grade(enrollment_id=enrollment.id, work=work, points=reached, given_on=day)
        for (work, day), reached in zip(WORKS.items(), points, strict=False)
    ]


async def main() -> None:
    async with create_app() as app:
        async with app.db(read_only=True) as session:
            filled = await session.scalar(select(User.id).limit(1)) is not None
        if filled:
            print("There are users already; nothing was changed.")
            return
        await seed(app)
    for name, role in PEOPLE.items():
        print(f"{email(name)}  {role}")
    print(f"Everybody's password: {PASSWORD}")


if __name__ == "__main__":
    asyncio.run(main())
