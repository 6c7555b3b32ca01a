"""The principal area, and who gets in."""

import re
from urllib.parse import quote

import pytest
from tornkit.testing import Client

from tests.helpers import sign_in

URL = "/principal/"


async def test_a_stranger_is_sent_to_sign_in(client: Client) -> None:
    answer = await client.get(URL)
    assert answer.status_code == 302
    assert answer.headers["location"] == f"/account/login?next={quote(URL, safe='')}"


async def test_without_the_role_the_door_stays_shut(client: Client) -> None:
    await client.sign_in()
    answer = await client.get(URL)
    assert answer.status_code == 403
    assert "<h1>Principal</h1>" not in answer.text


async def test_the_role_opens_the_dashboard(client: Client) -> None:
    await client.sign_in(role="principal")
    answer = await client.get(URL)
    assert answer.status_code == 200
    assert "<h1>Principal</h1>" in answer.text


@pytest.mark.usefixtures("courses")
async def test_the_principal_sees_the_average_of_every_course(client: Client) -> None:
    await sign_in(client, "owl")
    page = (await client.get(URL)).text
    rows = [re.findall(r">([^<>]+)</t[hd]>", row) for row in page.split("<tr>")[2:]]
    assert rows == [
        ["History", "magpie@school.example", "1", "0", "none"],
        ["Mathematics", "robin@school.example", "2", "3", "69.0"],
        ["Music", "robin@school.example", "1", "1", "88.0"],
    ]


async def test_a_school_without_courses_says_so(client: Client) -> None:
    await client.sign_in(role="principal")
    assert "There are no courses yet." in (await client.get(URL)).text
