"""Accounts: register, sign in and out, change the password."""

import pytest
from tornkit.testing import Client

EMAIL = "ada@example.org"
PASSWORD = "a long engine of difference"


async def register(client: Client) -> None:
    answer = await client.post("/account/register", data={"email": EMAIL, "password": PASSWORD})
    assert answer.status_code == 303


async def is_signed_in(client: Client) -> bool:
    answer = await client.get("/account/is-signed-in")
    signed_in: bool = answer.json()["signed_in"]
    return signed_in


@pytest.mark.parametrize("page", ["register", "login"])
async def test_the_forms_are_for_everybody(client: Client, page: str) -> None:
    answer = await client.get(f"/account/{page}?next=/account/profile")
    assert answer.status_code == 200
    assert 'name="next" value="/account/profile"' in answer.text


async def test_who_registers_is_signed_in(client: Client) -> None:
    await register(client)
    answer = await client.get("/account/profile")
    assert answer.status_code == 200
    assert EMAIL in answer.text


async def test_a_short_password_is_refused_beside_its_field(client: Client) -> None:
    answer = await client.post("/account/register", data={"email": EMAIL, "password": "short"})
    assert answer.status_code == 422
    assert "<title>Error: Create an account" in answer.text
    assert 'role="alert"' in answer.text
    assert 'aria-describedby="password-error password-hint"' in answer.text
    assert f'value="{EMAIL}"' in answer.text
    assert "short" not in answer.text


async def test_a_client_that_sends_json_is_answered_in_json(client: Client) -> None:
    answer = await client.post("/account/register", json={"email": EMAIL, "password": "short"})
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == ["password"]


async def test_an_address_has_one_account(client: Client) -> None:
    await register(client)
    answer = await client.post("/account/register", data={"email": EMAIL, "password": PASSWORD})
    assert answer.status_code == 422
    assert 'aria-describedby="email-error"' in answer.text


async def test_signing_out_and_in(client: Client) -> None:
    await register(client)
    answer = await client.post("/account/logout")
    assert answer.headers["location"] == "/"
    assert not await is_signed_in(client)
    answer = await client.post("/account/login", data={"email": EMAIL, "password": PASSWORD})
    assert answer.headers["location"] == "/"
    assert await is_signed_in(client)


async def test_signing_in_leads_on_to_where_one_wanted_to_go(client: Client) -> None:
    await register(client)
    form = {"email": EMAIL, "password": PASSWORD, "next": "/account/profile"}
    answer = await client.post("/account/login", data=form)
    assert answer.headers["location"] == "/account/profile"


async def test_signing_in_leads_nowhere_else(client: Client) -> None:
    await register(client)
    form = {"email": EMAIL, "password": PASSWORD, "next": "https://example.org/"}
    answer = await client.post("/account/login", data=form)
    assert answer.headers["location"] == "/"


async def test_unknown_address_and_wrong_password_get_the_same_answer(client: Client) -> None:
    await register(client)
    await client.post("/account/logout")
    wrong = await client.post("/account/login", data={"email": EMAIL, "password": "wrong one"})
    form = {"email": "eve@example.org", "password": "wrong one"}
    unknown = await client.post("/account/login", data=form)
    assert wrong.status_code == unknown.status_code == 422
    assert wrong.text.replace(EMAIL, "") == unknown.text.replace("eve@example.org", "")
    assert not await is_signed_in(client)


async def test_a_link_cannot_sign_out(client: Client) -> None:
    await client.sign_in()
    answer = await client.get("/account/logout")
    assert answer.status_code == 405
    assert await is_signed_in(client)


@pytest.mark.parametrize("page", ["profile", "password"])
async def test_a_stranger_is_sent_to_sign_in(client: Client, page: str) -> None:
    answer = await client.get(f"/account/{page}")
    assert answer.status_code == 302
    assert answer.headers["location"] == f"/account/login?next=%2Faccount%2F{page}"


async def test_changing_the_password(client: Client) -> None:
    await register(client)
    assert (await client.get("/account/password")).status_code == 200
    form = {"password": PASSWORD, "new_password": "an even longer engine"}
    answer = await client.post("/account/password", data=form)
    assert answer.headers["location"] == "/account/profile"
    assert await is_signed_in(client)
    await client.post("/account/logout")
    old = await client.post("/account/login", data={"email": EMAIL, "password": PASSWORD})
    assert old.status_code == 422
    new = {"email": EMAIL, "password": "an even longer engine"}
    assert (await client.post("/account/login", data=new)).status_code == 303


async def test_changing_the_password_needs_the_one_until_now(client: Client) -> None:
    await register(client)
    form = {"password": "wrong one", "new_password": "an even longer engine"}
    answer = await client.post("/account/password", data=form)
    assert answer.status_code == 422
    assert "This is not your password." in answer.text


async def test_a_script_can_ask_who_is_signed_in(client: Client) -> None:
    answer = await client.get("/account/is-signed-in")
    expected = {"code": 0, "message": "", "signed_in": False, "user_id": None, "roles": []}
    assert answer.json() == expected
    user = await client.sign_in()
    answer = await client.get("/account/is-signed-in")
    assert answer.json() == expected | {"signed_in": True, "user_id": user.id}
