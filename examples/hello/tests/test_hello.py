"""What the two handlers answer."""

from tornkit.testing import Client


async def test_it_greets_the_world(client: Client) -> None:
    answer = await client.get("/")
    assert answer.json() == {"code": 0, "message": "", "hello": "world"}


async def test_it_greets_by_name(client: Client) -> None:
    assert (await client.get("/?name=Ann")).json()["hello"] == "Ann"


async def test_it_adds_whole_numbers(client: Client) -> None:
    assert (await client.get("/sum/2/3")).json()["sum"] == 5


async def test_anything_else_is_no_sum(client: Client) -> None:
    assert (await client.get("/sum/2/three")).status_code == 404
