"""Which pages may use the API: the site's own, those in client_origins, and no others."""

import pytest
from tornkit.testing import Client

from tests.helpers import API, SIGN_IN, is_logged_in, register

CLIENT = "http://localhost:5173"  # settings.testing.toml
STRANGER = "https://elsewhere.example"


async def test_a_client_from_elsewhere_may_ask_with_its_cookie(client: Client) -> None:
    answer = await client.options(
        f"{API}/edit",
        headers={
            "Origin": CLIENT,
            "Access-Control-Request-Method": "PATCH",
            "Access-Control-Request-Headers": "content-type",
        },
    )
    assert answer.headers["access-control-allow-origin"] == CLIENT
    assert answer.headers["access-control-allow-credentials"] == "true"
    assert "PATCH" in answer.headers["access-control-allow-methods"]
    assert "Content-Type" in answer.headers["access-control-allow-headers"]


@pytest.mark.parametrize("site", ["same-site", "cross-site"])
async def test_it_can_sign_in_and_read_the_answer(client: Client, site: str) -> None:
    headers = {"Origin": CLIENT, "Sec-Fetch-Site": site}
    answer = await client.post(f"{API}/register", json=SIGN_IN, headers=headers)
    assert answer.status_code == 201
    assert answer.headers["access-control-allow-origin"] == CLIENT
    assert answer.headers["access-control-expose-headers"] == "Retry-After"


async def test_refusals_are_readable_too(client: Client) -> None:
    answer = await client.get(f"{API}/info", headers={"Origin": CLIENT})
    assert answer.status_code == 401
    assert answer.headers["access-control-allow-origin"] == CLIENT


@pytest.mark.parametrize(
    "headers",
    [{"Origin": STRANGER, "Sec-Fetch-Site": "cross-site"}, {"Origin": STRANGER}],
    ids=["a browser of today", "one that does not send Sec-Fetch-Site"],
)
async def test_other_pages_can_do_nothing(client: Client, headers: dict[str, str]) -> None:
    await register(client)
    answer = await client.post(f"{API}/logout", headers=headers)
    assert answer.status_code == answer.json()["code"] == 403
    assert await is_logged_in(client)
    answer = await client.get(f"{API}/info", headers=headers)
    assert "access-control-allow-origin" not in answer.headers
