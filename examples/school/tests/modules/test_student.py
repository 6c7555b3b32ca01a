"""The student area, and who gets in."""

from urllib.parse import quote

import pytest
from tornkit.testing import Client

from tests.helpers import sign_in

URL = "/student/"


async def test_a_stranger_is_sent_to_sign_in(client: Client) -> None:
    answer = await client.get(URL)
    assert answer.status_code == 302
    assert answer.headers["location"] == f"/account/login?next={quote(URL, safe='')}"


async def test_without_the_role_the_door_stays_shut(client: Client) -> None:
    await client.sign_in()
    answer = await client.get(URL)
    assert answer.status_code == 403
    assert "<h1>Student</h1>" not in answer.text


async def test_the_role_opens_the_dashboard(client: Client) -> None:
    await client.sign_in(role="student")
    answer = await client.get(URL)
    assert answer.status_code == 200
    assert "<h1>Student</h1>" in answer.text


@pytest.mark.usefixtures("courses")
async def test_a_student_sees_the_own_grades_and_their_average(client: Client) -> None:
    await sign_in(client, "finch")
    page = (await client.get(URL)).text
    assert "Mathematics" in page
    assert '<td data-label="Points" class="number">90</td>' in page
    assert '<td data-label="Points" class="number">75</td>' in page
    assert '<td data-label="Points" class="number">82.5</td>' in page
    assert "No grades yet." in page  # in history


@pytest.mark.usefixtures("courses")
async def test_a_student_sees_nothing_of_others(client: Client) -> None:
    await sign_in(client, "finch")
    page = (await client.get(URL)).text
    assert "Music" not in page
    assert '<td data-label="Points" class="number">42</td>' not in page


async def test_a_student_without_a_course_is_told_so(client: Client) -> None:
    await client.sign_in(role="student")
    assert "You are in no course yet." in (await client.get(URL)).text
