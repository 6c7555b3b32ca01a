"""Register, sign in and out, see and edit one's own account."""

from datetime import datetime

import pytest
from tornkit import Application
from tornkit.testing import Client

from tests.helpers import API, EMAIL, PASSWORD, SIGN_IN, is_logged_in, let_time_pass, register


async def test_who_registers_is_signed_in(client: Client) -> None:
    answer = await client.post(f"{API}/register", json={**SIGN_IN, "name": " Ada "})
    assert answer.status_code == 201
    body = answer.json()
    assert (body["code"], body["message"]) == (0, "")
    assert body["account"].keys() == {"id", "email", "name", "created_at"}
    assert (body["account"]["email"], body["account"]["name"]) == (EMAIL, "Ada")
    assert await is_logged_in(client)


async def test_a_client_that_starts_asks_who_is_signed_in(client: Client) -> None:
    answer = await client.get(f"{API}/is-logged-in")
    assert answer.json() == {"code": 0, "message": "", "logged_in": False, "account": None}
    await register(client)
    answer = await client.get(f"{API}/is-logged-in")
    assert answer.json()["logged_in"] is True
    assert answer.json()["account"]["email"] == EMAIL


async def test_signing_out_ends_the_session(client: Client) -> None:
    await register(client)
    cookies = dict(client.cookies)
    assert (await client.post(f"{API}/logout")).json() == {"code": 0, "message": ""}
    assert not await is_logged_in(client)
    client.cookies.update(cookies)  # whoever has kept a copy of the cookie
    assert not await is_logged_in(client)


async def test_signing_out_twice_is_no_error(client: Client) -> None:
    assert (await client.post(f"{API}/logout")).status_code == 200


async def test_signing_in(client: Client) -> None:
    await register(client)
    await client.post(f"{API}/logout")
    answer = await client.post(f"{API}/login", json=SIGN_IN)
    assert answer.status_code == 200
    assert answer.json()["account"]["name"] == "Ada"
    assert await is_logged_in(client)


@pytest.mark.parametrize("remember", [False, True])
async def test_the_cookie_outlives_the_browser_for_who_asks(
    client: Client, remember: bool
) -> None:
    await register(client)
    answer = await client.post(f"{API}/login", json={**SIGN_IN, "remember": remember})
    cookie = answer.headers["set-cookie"]
    assert ("Max-Age=2592000" in cookie) is remember
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie


async def test_info_shows_the_account_and_its_sessions(client: Client) -> None:
    await register(client)
    client.sign_out()  # in this browser the cookie is lost, the session is not
    await client.post(f"{API}/login", json=SIGN_IN, headers={"User-Agent": "curl/8"})
    answer = (await client.get(f"{API}/info")).json()
    assert answer["account"]["email"] == EMAIL
    shown = {each["browser"]: each for each in answer["sessions"]}
    assert shown.keys() == {"a Python program", "curl"}
    assert [each["is_this_one"] for each in shown.values()].count(True) == 1
    assert shown["curl"]["is_this_one"]
    assert shown["curl"]["ip"] == "127.0.0.1"
    assert datetime.fromisoformat(shown["curl"]["signed_in_at"]).tzinfo is not None


async def test_the_name_can_be_changed_without_a_recent_proof(
    client: Client, app: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    await register(client)
    let_time_pass(app, monkeypatch, minutes=11)
    answer = await client.patch(f"{API}/edit", json={"name": "Ada Lovelace", "email": EMAIL})
    assert answer.status_code == 200
    assert answer.json()["account"]["name"] == "Ada Lovelace"
    assert (await client.get(f"{API}/info")).json()["account"]["name"] == "Ada Lovelace"


async def test_what_is_left_out_stays(client: Client) -> None:
    await register(client)
    await client.patch(f"{API}/edit", json={})
    account = (await client.get(f"{API}/info")).json()["account"]
    assert (account["email"], account["name"]) == (EMAIL, "Ada")


async def test_another_email_signs_out_everywhere_else(client: Client) -> None:
    await register(client)
    elsewhere = dict(client.cookies)
    client.sign_out()
    await client.post(f"{API}/login", json=SIGN_IN)
    answer = await client.patch(f"{API}/edit", json={"email": "Countess@Example.org"})
    assert answer.json()["account"]["email"] == "countess@example.org"
    assert len((await client.get(f"{API}/info")).json()["sessions"]) == 1
    here = dict(client.cookies)
    client.sign_out()
    client.cookies.update(elsewhere)
    assert not await is_logged_in(client)
    client.sign_out()
    client.cookies.update(here)
    assert await is_logged_in(client)


async def test_a_confirmed_password_opens_the_way_to_another_email(
    client: Client, app: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    await register(client)
    let_time_pass(app, monkeypatch, minutes=11)
    wanted = {"email": "countess@example.org"}
    assert (await client.patch(f"{API}/edit", json=wanted)).status_code == 401
    answer = await client.post(f"{API}/confirm", json={"password": PASSWORD})
    assert answer.json() == {"code": 0, "message": ""}
    assert (await client.patch(f"{API}/edit", json=wanted)).status_code == 200


async def test_a_refused_email_leaves_the_name_as_it_was(client: Client) -> None:
    await client.sign_in()
    other = (await client.get(f"{API}/info")).json()["account"]["email"]
    client.sign_out()
    await register(client)
    await client.patch(f"{API}/edit", json={"email": other, "name": "Eve"})
    assert (await client.get(f"{API}/info")).json()["account"]["name"] == "Ada"
