"""Accounts: register, sign in and out, passwords, and where one is signed in."""

import re

import pytest
from sqlalchemy import text
from tornkit import Application
from tornkit.mail import Message
from tornkit.testing import Client

EMAIL = "ada@example.org"
PASSWORD = "a long engine of difference"
ANOTHER = "an even longer engine"


async def register(client: Client) -> None:
    answer = await client.post("/account/register", data={"email": EMAIL, "password": PASSWORD})
    assert answer.status_code == 303


async def sign_in(client: Client, password: str = PASSWORD, **fields: str) -> bool:
    """Send the sign-in form; tell whether it let the client in."""
    form = {"email": EMAIL, "password": password, **fields}
    answer = await client.post("/account/login", data=form)
    return answer.status_code == 303


async def is_signed_in(client: Client) -> bool:
    answer = await client.get("/account/is-signed-in")
    signed_in: bool = answer.json()["signed_in"]
    return signed_in


def another_device(client: Client) -> Client:
    return Client(client.application, str(client.base_url))


async def let_an_hour_pass(app: Application) -> None:
    """Make every session an hour older."""
    async with app.db() as session:
        await session.execute(text("UPDATE tornkit_session SET created_at = created_at - 3600"))


async def mails(app: Application) -> list[Message]:
    """Return what was sent, once all of it has left."""
    await app.mailer.drain()
    return app.mailer.outbox


# Register


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


@pytest.mark.parametrize("password", ["short", "password123", EMAIL])
async def test_a_weak_password_is_refused_beside_its_field(client: Client, password: str) -> None:
    form = {"email": EMAIL, "password": password}
    answer = await client.post("/account/register", data=form)
    assert answer.status_code == 422
    assert "<title>Error: Create an account" in answer.text
    assert 'role="alert"' in answer.text
    assert 'aria-describedby="password-error password-hint"' in answer.text
    assert f'type="email" required value="{EMAIL}"' in answer.text
    assert f'value="{password}"' not in answer.text.replace(f'required value="{EMAIL}"', "")


async def test_a_client_that_sends_json_is_answered_in_json(client: Client) -> None:
    answer = await client.post("/account/register", json={"email": EMAIL, "password": "short"})
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == ["password"]


async def test_an_address_has_one_account(client: Client) -> None:
    await register(client)
    answer = await client.post("/account/register", data={"email": EMAIL, "password": PASSWORD})
    assert answer.status_code == 422
    assert 'aria-describedby="email-error"' in answer.text


@pytest.mark.parametrize("page", ["register", "forgot", "reset"])
async def test_nobody_sends_a_form_without_end(client: Client, page: str) -> None:
    for _ in range(60):
        assert (await client.post(f"/account/{page}", json={})).status_code == 422
    answer = await client.post(f"/account/{page}", json={})
    assert answer.status_code == 429
    assert int(answer.headers["retry-after"]) > 0


# Sign in and out


async def test_signing_out_and_in(client: Client) -> None:
    await register(client)
    answer = await client.post("/account/logout")
    assert answer.headers["location"] == "/"
    assert not await is_signed_in(client)
    assert await sign_in(client)
    assert await is_signed_in(client)


@pytest.mark.parametrize(
    ("wanted", "reached"),
    [("/account/profile", "/account/profile"), ("https://example.org/", "/"), ("", "/")],
)
async def test_signing_in_leads_on_but_never_elsewhere(
    client: Client, wanted: str, reached: str
) -> None:
    form = {"email": EMAIL, "password": PASSWORD, "next": wanted}
    for page in ("register", "login"):
        answer = await client.post(f"/account/{page}", data=form)
        assert answer.headers["location"] == reached


async def test_unknown_address_and_wrong_password_get_the_same_answer(client: Client) -> None:
    await register(client)
    await client.post("/account/logout")
    wrong = await client.post("/account/login", data={"email": EMAIL, "password": "wrong one"})
    form = {"email": "eve@example.org", "password": "wrong one"}
    unknown = await client.post("/account/login", data=form)
    assert wrong.status_code == unknown.status_code == 422
    assert wrong.text.replace(EMAIL, "") == unknown.text.replace("eve@example.org", "")
    assert not await is_signed_in(client)


async def test_the_browser_forgets_unless_asked_to_remember(client: Client) -> None:
    await register(client)
    for fields, remembered in (({}, False), ({"remember": "true"}, True)):
        await client.post("/account/logout")
        form = {"email": EMAIL, "password": PASSWORD, **fields}
        answer = await client.post("/account/login", data=form)
        assert ("Max-Age=" in answer.headers["set-cookie"]) is remembered


async def test_too_many_attempts_are_told_in_the_form(client: Client) -> None:
    form = {"email": EMAIL, "password": "wrong one"}
    for _ in range(10):
        assert (await client.post("/account/login", data=form)).status_code == 422
    answer = await client.post("/account/login", data=form)
    assert answer.status_code == 429
    assert int(answer.headers["retry-after"]) > 0
    assert 'role="alert"' in answer.text
    assert f'value="{EMAIL}"' in answer.text
    answer = await client.post("/account/login", json=form)
    assert (answer.status_code, answer.json()["code"]) == (429, 429)
    assert int(answer.headers["retry-after"]) > 0


async def test_a_link_cannot_sign_out(client: Client) -> None:
    await client.sign_in()
    answer = await client.get("/account/logout")
    assert answer.status_code == 405
    assert await is_signed_in(client)


@pytest.mark.parametrize("page", ["profile", "password", "sessions", "confirm"])
async def test_a_stranger_is_sent_to_sign_in(client: Client, page: str) -> None:
    answer = await client.get(f"/account/{page}")
    assert answer.status_code == 302
    assert answer.headers["location"] == f"/account/login?next=%2Faccount%2F{page}"


async def test_a_script_can_ask_who_is_signed_in(client: Client) -> None:
    answer = await client.get("/account/is-signed-in")
    expected = {"code": 0, "message": "", "signed_in": False, "user_id": None, "roles": []}
    assert answer.json() == expected
    user = await client.sign_in()
    answer = await client.get("/account/is-signed-in")
    assert answer.json() == expected | {"signed_in": True, "user_id": user.id}


# Where one is signed in


async def test_one_device_ends_another(client: Client) -> None:
    await register(client)
    async with another_device(client) as other:
        assert await sign_in(other)
        page = (await client.get("/account/sessions")).text
        assert page.count("This device") == 1
        assert page.index("This device") < page.index('name="handle"')
        [handle] = re.findall(r'name="handle" value="(\w+)"', page)
        for _ in range(2):  # the second time it is over already, which is no error
            answer = await client.post("/account/sessions", data={"handle": handle})
            assert answer.headers["location"] == "/account/sessions"
        assert not await is_signed_in(other)
    assert await is_signed_in(client)


@pytest.mark.parametrize(("which", "stays"), [("others", True), ("everywhere", False)])
async def test_signing_out_many_devices_at_once(client: Client, which: str, stays: bool) -> None:
    await register(client)
    async with another_device(client) as other:
        assert await sign_in(other)
        answer = await client.post("/account/sessions", data={which: "true"})
        assert answer.status_code == 303
        assert not await is_signed_in(other)
    assert await is_signed_in(client) is stays


async def test_nobody_ends_the_session_of_somebody_else(client: Client) -> None:
    await register(client)
    async with another_device(client) as eve:
        await eve.sign_in()
        [mine] = await client.application.sessions.list_user(1)
        answer = await eve.post("/account/sessions", data={"handle": mine.handle})
        assert answer.status_code == 303
    assert await is_signed_in(client)


async def test_ending_sessions_needs_a_recent_sign_in(client: Client, app: Application) -> None:
    await register(client)
    await let_an_hour_pass(app)
    answer = await client.post("/account/sessions", data={"everywhere": "true"})
    assert answer.headers["location"] == "/account/confirm?next=%2Faccount%2Fsessions"
    assert await is_signed_in(client)
    page = await client.get(answer.headers["location"])
    assert 'name="next" value="/account/sessions"' in page.text
    form = {"password": "wrong one", "next": "/account/sessions"}
    answer = await client.post("/account/confirm", data=form)
    assert answer.status_code == 422
    assert "This is not your password." in answer.text
    form["password"] = PASSWORD
    answer = await client.post("/account/confirm", data=form)
    assert answer.headers["location"] == "/account/sessions"
    await client.post("/account/sessions", data={"everywhere": "true"})
    assert not await is_signed_in(client)


# Passwords


async def test_changing_the_password(client: Client, app: Application) -> None:
    await register(client)
    assert await sign_in(client, remember="true")
    assert (await client.get("/account/password")).status_code == 200
    async with another_device(client) as other:
        assert await sign_in(other)
        form = {"password": PASSWORD, "new_password": ANOTHER}
        answer = await client.post("/account/password", data=form)
        assert answer.headers["location"] == "/account/profile"
        assert "Max-Age=" in answer.headers["set-cookie"]  # remembered, as before
        assert await is_signed_in(client)
        assert not await is_signed_in(other)
    assert [mail.to for mail in await mails(app)] == [EMAIL]
    await client.post("/account/logout")
    assert not await sign_in(client)
    assert await sign_in(client, ANOTHER)


async def test_a_password_changes_though_its_owner_cannot_be_mailed(
    client: Client, app: Application
) -> None:
    await register(client)
    async with app.db() as session:
        await session.execute(text("UPDATE users SET email = 'ada@example..org'"))
    form = {"password": PASSWORD, "new_password": ANOTHER}
    answer = await client.post("/account/password", data=form)
    assert answer.headers["location"] == "/account/profile"
    assert await is_signed_in(client)
    assert await mails(app) == []


@pytest.mark.parametrize(
    ("password", "new_password", "blamed"),
    [("wrong one", ANOTHER, "password"), (PASSWORD, "short", "new_password")],
)
async def test_the_password_stays_when_a_field_is_wrong(
    client: Client, password: str, new_password: str, blamed: str
) -> None:
    await register(client)
    form = {"password": password, "new_password": new_password}
    answer = await client.post("/account/password", data=form)
    assert answer.status_code == 422
    assert f'id="{blamed}-error"' in answer.text
    assert await sign_in(client)


async def reset_token(client: Client, app: Application) -> str:
    answer = await client.post("/account/forgot", data={"email": EMAIL})
    assert answer.status_code == 200
    link = re.search(r"http://\S+/account/reset\?token=(\S+)", (await mails(app))[-1].text)
    assert link is not None
    return link[1]


async def test_a_forgotten_password(client: Client, app: Application) -> None:
    await register(client)
    token = await reset_token(client, app)
    async with another_device(client) as other:
        await other.sign_in()
        page = await other.get("/account/reset", params={"token": token})
        assert page.status_code == 200
        assert EMAIL in page.text
        assert page.headers["referrer-policy"] == "strict-origin"
        answer = await other.post("/account/reset", data={"token": token, "password": ANOTHER})
        assert answer.headers["location"] == "/account/profile"
        assert EMAIL in (await other.get("/account/profile")).text
        again = await other.post("/account/reset", data={"token": token, "password": PASSWORD})
        assert again.status_code == 410
    assert not await is_signed_in(client)
    assert [mail.to for mail in await mails(app)] == [EMAIL, EMAIL]


async def test_a_weak_password_does_not_use_up_the_link(client: Client, app: Application) -> None:
    await register(client)
    token = await reset_token(client, app)
    form = {"token": token, "password": "short", "email": EMAIL}
    answer = await client.post("/account/reset", data=form)
    assert answer.status_code == 422
    assert 'id="password-error"' in answer.text
    assert f'name="token" value="{token}"' in answer.text
    form["password"] = ANOTHER
    assert (await client.post("/account/reset", data=form)).status_code == 303


async def test_a_link_that_is_none_leads_to_another(client: Client) -> None:
    for token in ("", "nonsense", "A" * 43):
        answer = await client.get("/account/reset", params={"token": token})
        assert answer.status_code == 410
        assert 'href="/account/forgot"' in answer.text
    answer = await client.post("/account/reset", data={"password": ANOTHER})
    assert answer.status_code == 410


async def test_nobody_learns_which_address_has_an_account(
    client: Client, app: Application
) -> None:
    await register(client)
    client.sign_out()
    known = await client.post("/account/forgot", data={"email": EMAIL})
    unknown = await client.post("/account/forgot", data={"email": "eve@example.org"})
    assert known.status_code == unknown.status_code == 200
    assert known.text.replace(EMAIL, "") == unknown.text.replace("eve@example.org", "")
    assert [mail.to for mail in await mails(app)] == [EMAIL]
