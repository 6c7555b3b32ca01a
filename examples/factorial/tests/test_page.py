"""The page: a form, the result below it, a strict policy."""

import re

import pytest
from tornkit.testing import Client

from tests.helpers import digits_of


async def test_the_form_asks_for_a_number(client: Client) -> None:
    answer = await client.get("/")
    assert answer.status_code == 200
    assert "A whole number from 0 to 20000" in answer.text
    assert '<p class="digits">' not in answer.text


async def test_the_result_stands_below_the_form(client: Client) -> None:
    page = (await client.get("/?n=5000")).text
    assert f'<p class="digits">{digits_of(5000)}</p>' in page
    assert "16326 digits, computed just now." in page
    assert 'value="5000"' in page
    assert "from the cache." in (await client.get("/?n=5000")).text
    assert (await client.get("/factorial?n=5000")).json()["cached"] is True


@pytest.mark.parametrize("n", ["-1", "20001", "ten", ""])
async def test_what_is_no_such_number_is_told_beside_the_field(client: Client, n: str) -> None:
    answer = await client.get("/", params={"n": n})
    assert answer.status_code == 422
    assert 'aria-describedby="problem"' in answer.text
    assert 'id="problem"' in answer.text
    assert f'value="{n}"' in answer.text


async def test_what_was_typed_is_shown_and_never_run(client: Client) -> None:
    page = (await client.get("/", params={"n": '"><script>alert(1)</script>'})).text
    assert "<script" not in page


async def test_the_page_has_no_script_and_a_strict_policy(client: Client) -> None:
    answer = await client.get("/?n=10")
    assert "unsafe" not in answer.headers["content-security-policy"]
    assert "<script" not in answer.text
    assert " style=" not in answer.text


async def test_every_file_of_the_page_is_there(client: Client) -> None:
    files = re.findall(r'"(/static/[^"]+)"', (await client.get("/")).text)
    assert len(files) == 2
    for file in files:
        assert (await client.get(file)).status_code == 200, file
