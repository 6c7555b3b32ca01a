"""The teacher area, and who gets in."""

from urllib.parse import quote

import pytest
from sqlalchemy import func, select
from tornkit.testing import Client

from school.models import Course, Enrollment, Grade, User
from school.seed import email
from tests.helpers import sign_in

URL = "/teacher/"


async def test_a_stranger_is_sent_to_sign_in(client: Client) -> None:
    answer = await client.get(URL)
    assert answer.status_code == 302
    assert answer.headers["location"] == f"/account/login?next={quote(URL, safe='')}"


async def test_without_the_role_the_door_stays_shut(client: Client) -> None:
    await client.sign_in()
    answer = await client.get(URL)
    assert answer.status_code == 403
    assert "<h1>Teacher</h1>" not in answer.text


async def test_the_role_opens_the_dashboard(client: Client) -> None:
    await client.sign_in(role="teacher")
    answer = await client.get(URL)
    assert answer.status_code == 200
    assert "<h1>Teacher</h1>" in answer.text


@pytest.mark.usefixtures("courses")
async def test_a_teacher_sees_the_own_courses_only(client: Client) -> None:
    await sign_in(client, "robin")
    page = (await client.get(URL)).text
    assert "Mathematics" in page
    assert "2 students" in page
    assert "History" not in page


async def test_a_teacher_without_a_course_is_told_so(client: Client) -> None:
    await client.sign_in(role="teacher")
    assert "You teach no course yet." in (await client.get(URL)).text


async def test_a_course_lists_its_students_and_their_grades(
    client: Client, courses: dict[str, Course]
) -> None:
    await sign_in(client, "robin")
    page = (await client.get(url_of(courses["Mathematics"]))).text
    assert "finch@school.example" in page
    assert "Fractions: 90, Triangles: 75" in page
    assert "82.5" in page


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_course_of_somebody_else_does_not_exist(
    client: Client, courses: dict[str, Course], method: str
) -> None:
    await sign_in(client, "robin")
    form = await grade_of(client, courses["History"], "finch")
    answer = await client.request(method, url_of(courses["History"]), data=form)
    assert answer.status_code == 404
    assert await number_of_grades(client) == 4


async def test_students_do_not_reach_the_page_of_a_course(
    client: Client, courses: dict[str, Course]
) -> None:
    await sign_in(client, "finch")
    form = await grade_of(client, courses["Mathematics"], "finch")
    assert (await client.get(url_of(courses["Mathematics"]))).status_code == 403
    assert (await client.post(url_of(courses["Mathematics"]), data=form)).status_code == 403
    assert await number_of_grades(client) == 4


async def test_an_entered_grade_is_there_at_once(
    client: Client, courses: dict[str, Course]
) -> None:
    await sign_in(client, "robin")
    form = await grade_of(client, courses["Mathematics"], "finch", work=" Circles ")
    answer = await client.post(url_of(courses["Mathematics"]), data=form)
    assert answer.status_code == 303
    page = (await client.get(answer.headers["location"])).text
    assert "100 points for “Circles” are entered." in page
    assert "Fractions: 90, Triangles: 75, Circles: 100" in page
    assert "are entered." not in (await client.get(answer.headers["location"])).text


async def test_bad_points_are_refused_beside_their_field(
    client: Client, courses: dict[str, Course]
) -> None:
    await sign_in(client, "robin")
    form = await grade_of(client, courses["Mathematics"], "wren", points="101")
    answer = await client.post(url_of(courses["Mathematics"]), data=form)
    assert answer.status_code == 422
    assert '<p class="problem" id="points-error">Points go from 0 to 100.</p>' in answer.text
    assert 'value="Circles"' in answer.text
    assert f'<option value="{form["enrollment"]}" selected>' in answer.text
    assert await number_of_grades(client) == 4


async def test_a_grade_is_only_for_students_of_the_course(
    client: Client, courses: dict[str, Course]
) -> None:
    await sign_in(client, "robin")
    form = await grade_of(client, courses["History"], "finch")
    answer = await client.post(url_of(courses["Mathematics"]), data=form)
    assert answer.status_code == 404
    assert await number_of_grades(client) == 4


async def test_a_course_without_students_has_no_form(client: Client) -> None:
    teacher = await client.sign_in(role="teacher")
    course = Course(title="Latin", teacher_id=teacher.id)
    async with client.application.db() as session:
        session.add(course)
    assert "Nobody is in this course yet." in (await client.get(url_of(course))).text


def url_of(course: Course) -> str:
    return f"{URL}courses/{course.id}"


async def grade_of(
    client: Client, course: Course, student: str, work: str = "Circles", points: str = "100"
) -> dict[str, str]:
    """Return the form that enters a grade for a student of a course."""
    enrollment = (
        select(Enrollment.id)
        .join(User, User.id == Enrollment.student_id)
        .where(Enrollment.course_id == course.id, User.email == email(student))
    )
    async with client.application.db(read_only=True) as session:
        found = await session.scalar(enrollment)
    return {"enrollment": str(found), "work": work, "points": points}


async def number_of_grades(client: Client) -> int:
    async with client.application.db(read_only=True) as session:
        return await session.scalar(select(func.count(Grade.id))) or 0
