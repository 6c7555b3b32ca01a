"""The start page."""

from tornkit.testing import Client


async def test_the_start_page_is_for_everybody(client: Client) -> None:
    answer = await client.get("/")
    assert answer.status_code == 200
    assert "<h1>School</h1>" in answer.text


async def test_a_visitor_gets_no_cookie(client: Client) -> None:
    answer = await client.get("/")
    assert not answer.cookies


async def test_a_missing_page_says_so(client: Client) -> None:
    answer = await client.get("/no-such-page")
    assert answer.status_code == 404
    assert "School" in answer.text
