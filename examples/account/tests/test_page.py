"""The page that the client lives in."""

import re

from tornkit.testing import Client


async def test_the_page_has_one_script_and_a_strict_policy(client: Client) -> None:
    answer = await client.get("/")
    assert answer.status_code == 200
    policy = answer.headers["content-security-policy"]
    assert "unsafe" not in policy
    scripts = re.findall(r"<script[^>]*>", answer.text)
    assert len(scripts) == 1
    assert "src=" in scripts[0]
    assert " style=" not in answer.text
    assert "<style" not in answer.text


async def test_every_file_of_the_page_is_there(client: Client) -> None:
    page = (await client.get("/")).text
    files = re.findall(r'"(/static/[^"]+)"', page)
    assert len(files) == 3
    for file in files:
        assert (await client.get(file)).status_code == 200, file


async def test_the_forms_lead_to_the_api(client: Client) -> None:
    page = (await client.get("/")).text
    forms = re.findall(r'<form [^>]*action="([^"]+)"(?: data-method="(\w+)")?', page)
    questions = [(address, "GET") for address in re.findall(r'data-i\S+="(/[^"]+)"', page)]
    await client.sign_in()
    assert (len(forms), len(questions)) == (5, 2)
    for address, method in forms + questions:
        allowed = (await client.options(address)).headers["allow"]
        assert (method or "POST") in allowed, address


async def test_a_visitor_of_the_page_gets_no_cookie(client: Client) -> None:
    assert "set-cookie" not in (await client.get("/")).headers
